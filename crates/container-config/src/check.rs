//! What is refused of a request before anything is made, in Docker's words where clients know them.

mod mode;
mod resources;

use container::Signal;
use container_json::{Config, HostConfig, NetworkingConfig};

use crate::restart::Policy;
use crate::{Error, health, mounts, ports};

pub use mode::{NetworkMode, peer};
pub use resources::check as limits;

/// Everything a client asks for at once.
pub struct Asked<'a> {
    /// What is to run.
    pub config: &'a Config,
    /// What it is to have of its host.
    pub host_config: &'a HostConfig,
    /// How it is to be networked.
    pub networking: &'a NetworkingConfig,
    /// How many processors this host has.
    pub processors: usize,
}

/// Checks what can be seen to be wrong without looking at the host.
pub fn all(asked: &Asked<'_>) -> Result<(), Error> {
    let Asked { config, host_config, networking, processors } = asked;
    command(config)?;
    mode::check(config, host_config, networking)?;
    limits(&host_config.resources, *processors)?;
    host(host_config)?;
    policy(host_config)?;
    ports::wishes(config, host_config)?;
    for written in &host_config.volumes_from {
        mounts::volumes_from(written)?;
    }
    Ok(())
}

fn command(config: &Config) -> Result<(), Error> {
    if !config.working_dir.is_empty() && !config.working_dir.starts_with('/') {
        return Err(Error::invalid(format!(
            "the working directory '{}' is invalid, it needs to be an absolute path",
            config.working_dir
        )));
    }
    if let Some(entry) = config.env.iter().find(|entry| entry.is_empty() || entry.starts_with('=')) {
        return Err(Error::invalid(format!("invalid environment variable: {entry}")));
    }
    if !config.stop_signal.is_empty() {
        let signal = config.stop_signal.parse::<Signal>();
        signal.map_err(|error| Error::invalid(error.to_string()))?;
    }
    if let Some(check) = &config.healthcheck {
        health::validate(check).map_err(Error::invalid)?;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if config.hostname.len() > 64 || !config.hostname.chars().all(is_plain) {
        return Err(Error::invalid(format!("invalid hostname: {}", config.hostname)));
    }
    Ok(())
}

fn host(config: &HostConfig) -> Result<(), Error> {
    const OOM: std::ops::RangeInclusive<i64> = -1000..=1000;
    let adj = config.oom_score_adj;
    if !OOM.contains(&adj) {
        return Err(Error::invalid(format!("Invalid value {adj}, range for oom score adj is [-1000, 1000]")));
    }
    if config.shm_size < 0 {
        return Err(Error::invalid("SHM size can not be less than 0"));
    }
    if !matches!(config.runtime.as_str(), "" | "runc" | "io.containerd.runc.v2" | "drover") {
        return Err(Error::invalid(format!("unknown or invalid runtime name: {}", config.runtime)));
    }
    if !matches!(config.isolation.as_str(), "" | "default") {
        return Err(Error::invalid(format!("invalid isolation: {}: use default", config.isolation)));
    }
    if !matches!(config.userns_mode.as_str(), "" | "host") {
        return Err(Error::invalid(format!("invalid user namespace mode: {}", config.userns_mode)));
    }
    if !matches!(config.uts_mode.as_str(), "" | "host") {
        return Err(Error::invalid(format!("invalid UTS mode: {}", config.uts_mode)));
    }
    if !matches!(config.cgroupns_mode.as_str(), "" | "host" | "private") {
        return Err(Error::invalid(format!("invalid cgroup namespace mode: {}", config.cgroupns_mode)));
    }
    for (given, what) in [
        (!config.links.is_empty(), "--link: use --network container:NAME, or a service and its name"),
        (!config.storage_opt.is_empty(), "--storage-opt: the root of a container has no size of its own"),
        (!config.cgroup.is_empty(), "a cgroup shared with another container"),
    ] {
        if given {
            return Err(Error::invalid(format!("not supported: {what}")));
        }
    }
    Ok(())
}

fn policy(config: &HostConfig) -> Result<(), Error> {
    let written = &config.restart_policy;
    let policy = Policy::parse(&written.name, written.maximum_retry_count);
    let policy = policy.map_err(|error| Error::invalid(error.to_string()))?;
    if config.auto_remove && policy != Policy::No {
        return Err(Error::invalid("can't create 'AutoRemove' container with restart policy"));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Reads a request as a client writes it, and returns what is said against it.
    pub(crate) fn said(json: &str) -> Option<String> {
        let body: container_json::CreateBody = engine_json::decode(json.as_bytes()).unwrap();
        let asked = Asked {
            config: &body.config,
            host_config: &body.host_config,
            networking: &body.networking_config,
            processors: 2,
        };
        all(&asked).err().map(|error| error.text().to_owned())
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (json, expected) in [
            (
                r#"{"WorkingDir": "srv"}"#,
                "the working directory 'srv' is invalid, it needs to be an absolute path",
            ),
            (r#"{"Env": ["=x"]}"#, "invalid environment variable: =x"),
            (r#"{"StopSignal": "SIGFOO"}"#, "invalid signal: SIGFOO"),
            (r#"{"Hostname": "a b"}"#, "invalid hostname: a b"),
            (
                r#"{"HostConfig": {"OomScoreAdj": 1001}}"#,
                "Invalid value 1001, range for oom score adj is [-1000, 1000]",
            ),
            (r#"{"HostConfig": {"ShmSize": -1}}"#, "SHM size can not be less than 0"),
            (r#"{"HostConfig": {"Runtime": "gvisor"}}"#, "unknown or invalid runtime name: gvisor"),
            (
                r#"{"HostConfig": {"AutoRemove": true, "RestartPolicy": {"Name": "always"}}}"#,
                "can't create 'AutoRemove' container with restart policy",
            ),
            (
                r#"{"HostConfig": {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 2}}}"#,
                "invalid restart policy: maximum retry count can only be used with 'on-failure'",
            ),
        ] {
            assert_eq!(said(json).as_deref(), Some(expected), "{json}");
        }
    }

    #[test]
    fn what_docker_run_sends_is_fine() {
        let json = r#"{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"Env":["A=1","B"],"Cmd":["true"],
            "Image":"busybox","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{},
            "HostConfig":{"Binds":null,"NetworkMode":"bridge","PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"80"}]},
            "RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3},"ConsoleSize":[24,80],"OomKillDisable":false,
            "MemorySwappiness":-1,"PidsLimit":0,"MaskedPaths":null},
            "NetworkingConfig":{"EndpointsConfig":{"bridge":{"IPAMConfig":null,"Links":null,"Aliases":null}}}}"#;

        assert_eq!(said(json), None);
    }
}
