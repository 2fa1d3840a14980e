//! What the ingress proxy should know of a published port, kept in the service's labels, where any client can put it.

use crate::{EndpointSpec, Invalid, Labels, PortSpec, Protocol, PublishMode};

/// What the labels of ports begin with.
const PREFIX: &str = "drover.port.";
/// What the protocol of the application is called.
const APP_PROTOCOL: &str = "app_protocol";
/// What the version of the PROXY protocol is called.
const PROXY_PROTOCOL: &str = "proxy_protocol";

/// How a published port is carried to its replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PortTraffic {
    /// As bytes or datagrams.
    #[default]
    Bytes,
    /// As bytes, behind a header of the PROXY protocol that tells the client's address.
    Proxied(ProxyHeader),
    /// As requests of HTTP, each balanced by itself.
    Http,
}

/// A version of the PROXY protocol's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

impl PortTraffic {
    /// Returns how a port is carried according to its service's labels; labels that make no sense count for nothing.
    pub fn of(labels: &Labels, target: u16) -> Self {
        Self::read(labels, target).unwrap_or_default()
    }

    fn read(labels: &Labels, target: u16) -> Result<Self, Invalid> {
        let label = |name: &str| labels.get(&port_label(target, name)).map(String::as_str);
        let is_http = match label(APP_PROTOCOL) {
            None | Some("" | "tcp") => false,
            Some("http") => true,
            Some(other) => return Err(refused(target, APP_PROTOCOL, other, "http or tcp")),
        };
        let header = match label(PROXY_PROTOCOL) {
            None | Some("") => None,
            Some("v1") => Some(ProxyHeader::V1),
            Some("v2") => Some(ProxyHeader::V2),
            Some(other) => return Err(refused(target, PROXY_PROTOCOL, other, "v1 or v2")),
        };
        match (is_http, header) {
            (false, None) => Ok(Self::Bytes),
            (false, Some(header)) => Ok(Self::Proxied(header)),
            (true, None) => Ok(Self::Http),
            (true, Some(_)) => Err(Invalid::because(format!(
                "port {target} cannot have both {APP_PROTOCOL}=http and {PROXY_PROTOCOL}: HTTP tells the client's \
                 address in a header of its own"
            ))),
        }
    }
}

/// Returns the label of a port that has this name.
pub fn port_label(target: u16, name: &str) -> String {
    format!("{PREFIX}{target}.{name}")
}

fn refused(target: u16, name: &str, value: &str, words: &str) -> Invalid {
    let label = port_label(target, name);
    Invalid::because(format!("invalid value {value:?} of the label {label}: use {words}"))
}

/// Checks the labels of ports.
pub(crate) fn validate(labels: &Labels, endpoint: &EndpointSpec) -> Result<(), Invalid> {
    for (label, value) in labels.range(PREFIX.to_owned()..) {
        let Some(rest) = label.strip_prefix(PREFIX) else { break };
        let parts = rest.split_once('.').and_then(|(target, name)| Some((target.parse().ok()?, name)));
        let Some((target, APP_PROTOCOL | PROXY_PROTOCOL)) = parts else {
            return Err(Invalid::because(format!(
                "unknown label {label}: ports have {PREFIX}TARGET.{APP_PROTOCOL} and {PREFIX}TARGET.{PROXY_PROTOCOL}"
            )));
        };
        let traffic = PortTraffic::read(labels, target)?;
        let is_proxied =
            |port: &&PortSpec| port.protocol == Protocol::Tcp && port.mode == PublishMode::Ingress;
        let ports: Vec<&PortSpec> = endpoint.ports.iter().filter(|port| port.target == target).collect();
        if traffic != PortTraffic::Bytes
            && !ports.iter().any(is_proxied)
            && let Some(port) = ports.first()
        {
            return Err(Invalid::because(format!(
                "the label {label}={value} is for tcp ports published with ingress mode, and port {target}/{} is not",
                port.protocol.as_str()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &str) -> Labels {
        let pairs = pairs.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(key, value)| (format!("drover.port.{key}"), value.to_owned())).collect()
    }

    fn port(target: u16, protocol: Protocol, mode: PublishMode) -> PortSpec {
        PortSpec { name: String::new(), protocol, target, published: 0, mode }
    }

    #[test]
    fn labels_say_how_a_port_is_carried() {
        let labels = labels(
            "80.app_protocol=http 90.proxy_protocol=v2 91.proxy_protocol=v1 92.app_protocol=tcp 93.app_protocol=x",
        );

        let traffic = [80, 81, 90, 91, 92, 93].map(|target| PortTraffic::of(&labels, target));

        use PortTraffic::{Bytes, Http, Proxied};
        assert_eq!(traffic, [Http, Bytes, Proxied(ProxyHeader::V2), Proxied(ProxyHeader::V1), Bytes, Bytes]);
    }

    #[test]
    fn labels_that_make_no_sense_are_refused() {
        let endpoint = EndpointSpec {
            ports: vec![
                port(80, Protocol::Tcp, PublishMode::Ingress),
                port(53, Protocol::Udp, PublishMode::Ingress),
                port(443, Protocol::Udp, PublishMode::Ingress),
                port(443, Protocol::Tcp, PublishMode::Ingress),
                port(90, Protocol::Tcp, PublishMode::Host),
            ],
            ..EndpointSpec::default()
        };
        for good in [
            "",
            "80.app_protocol=http",
            "7.proxy_protocol=v1",
            "53.app_protocol=tcp",
            "443.app_protocol=http",
        ] {
            assert_eq!(validate(&labels(good), &endpoint), Ok(()), "{good}");
        }
        for (bad, why) in [
            (
                "80.app_protocol=HTTP",
                "invalid value \"HTTP\" of the label drover.port.80.app_protocol: use http or tcp",
            ),
            ("80.proxy_protocol=v3", "use v1 or v2"),
            ("80.app_protocol=http 80.proxy_protocol=v1", "port 80 cannot have both"),
            ("53.app_protocol=http", "port 53/udp is not"),
            ("90.proxy_protocol=v2", "port 90/tcp is not"),
            ("80.nope=1", "unknown label drover.port.80.nope"),
            ("x.app_protocol=http", "unknown label drover.port.x.app_protocol"),
            ("99999.app_protocol=http", "unknown label"),
        ] {
            let error = validate(&labels(bad), &endpoint).unwrap_err().to_string();

            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
