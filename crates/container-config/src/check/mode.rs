//! How containers are networked, and whose namespaces they share.

use container_json::{Config, HostConfig, NetworkingConfig};

use crate::Error;

/// How a container is networked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkMode {
    /// On the host's bridge.
    Bridge,
    /// Not at all.
    None,
    /// As the host.
    Host,
    /// As another container.
    Container(String),
}

impl NetworkMode {
    /// Reads the mode; a network of another name does not exist here.
    pub fn parse(text: &str) -> Result<NetworkMode, Error> {
        match (text, peer(text)) {
            ("" | "default" | "bridge", _) => Ok(NetworkMode::Bridge),
            ("none", _) => Ok(NetworkMode::None),
            ("host", _) => Ok(NetworkMode::Host),
            (_, Some("")) | ("container", _) => {
                Err(Error::invalid("invalid network mode: invalid container format container:<name|id>"))
            }
            (_, Some(name)) => Ok(NetworkMode::Container(name.to_owned())),
            (name, None) => Err(Error::not_found(format!("network {name} not found"))),
        }
    }
}

/// Returns the container that a mode such as `container:NAME` means.
pub fn peer(mode: &str) -> Option<&str> {
    mode.strip_prefix("container:")
}

/// Checks the modes, and what goes with them.
pub(super) fn check(
    config: &Config,
    host_config: &HostConfig,
    networking: &NetworkingConfig,
) -> Result<(), Error> {
    let network = NetworkMode::parse(&host_config.network_mode)?;
    for (name, settings) in &networking.endpoints_config {
        if NetworkMode::parse(name)? != network {
            return Err(Error::invalid(format!(
                "conflicting options: cannot attach to network {name} and have network mode {}",
                host_config.network_mode
            )));
        }
        if settings.ipam_config.as_ref().is_some_and(|ipam| *ipam != Default::default()) {
            return Err(Error::invalid(
                "user specified IP address is supported on user defined networks only",
            ));
        }
        if !settings.aliases.is_empty() {
            return Err(Error::invalid(
                "network-scoped aliases are only supported for user-defined networks",
            ));
        }
    }
    if host_config.uts_mode == "host" && !config.hostname.is_empty() {
        return Err(Error::invalid("conflicting options: hostname and the UTS mode"));
    }
    if let NetworkMode::Container(_) = network {
        joined(config, host_config)?;
    }
    if !matches!(host_config.ipc_mode.as_str(), "" | "none" | "private" | "shareable" | "host")
        && peer(&host_config.ipc_mode).is_none_or(str::is_empty)
    {
        return Err(Error::invalid(format!("invalid IPC mode: {}", host_config.ipc_mode)));
    }
    if !matches!(host_config.pid_mode.as_str(), "" | "host")
        && peer(&host_config.pid_mode).is_none_or(str::is_empty)
    {
        return Err(Error::invalid(format!("invalid PID mode: {}", host_config.pid_mode)));
    }
    for written in &host_config.extra_hosts {
        crate::spec::extra_host(written)?;
    }
    Ok(())
}

/// What belongs to the network of another container cannot be said here.
fn joined(config: &Config, host_config: &HostConfig) -> Result<(), Error> {
    for (given, what) in [
        (!config.hostname.is_empty(), "hostname and the network mode"),
        (!host_config.dns.is_empty(), "dns and the network mode"),
        (!host_config.extra_hosts.is_empty(), "custom host-to-IP mapping and the network mode"),
        (
            !host_config.port_bindings.is_empty() || host_config.publish_all_ports,
            "port publishing and the container type network mode",
        ),
        (!config.exposed_ports.is_empty(), "port exposing and the container type network mode"),
    ] {
        if given {
            return Err(Error::invalid(format!("conflicting options: {what}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::check::tests::said;

    #[test]
    fn modes_and_what_goes_with_them_are_checked() {
        for (json, expected) in [
            (r#"{"HostConfig": {"NetworkMode": "nowhere"}}"#, "network nowhere not found"),
            (
                r#"{"HostConfig": {"NetworkMode": "container:"}}"#,
                "invalid network mode: invalid container format container:<name|id>",
            ),
            (
                r#"{"Hostname": "h", "HostConfig": {"NetworkMode": "container:x"}}"#,
                "conflicting options: hostname and the network mode",
            ),
            (
                r#"{"HostConfig": {"NetworkMode": "container:x", "PublishAllPorts": true}}"#,
                "conflicting options: port publishing and the container type network mode",
            ),
            (
                r#"{"Hostname": "h", "HostConfig": {"UTSMode": "host"}}"#,
                "conflicting options: hostname and the UTS mode",
            ),
            (r#"{"HostConfig": {"IpcMode": "mine"}}"#, "invalid IPC mode: mine"),
            (r#"{"HostConfig": {"PidMode": "container:"}}"#, "invalid PID mode: container:"),
            (
                r#"{"NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "1.2.3.4"}}}}}"#,
                "user specified IP address is supported on user defined networks only",
            ),
            (r#"{"HostConfig": {"ExtraHosts": ["x"]}}"#, "bad format for add-host: \"x\""),
        ] {
            assert_eq!(said(json).as_deref(), Some(expected), "{json}");
        }
        assert_eq!(said(r#"{"HostConfig": {"PidMode": "container:x", "IpcMode": "host"}}"#), None);
    }
}
