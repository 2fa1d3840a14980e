//! Ports of the host that lead to a container: which are asked for, which were given.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use container_json::{Config, HostConfig, Port, PortBinding};
use network::{HostPort, Protocol};

use crate::Error;

/// One wish for a port: the first free one of those listed. Port 0 is any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The host's address it is reached at.
    pub host_ip: Ipv4Addr,
    /// The host's ports that will do, in the order in which they are tried.
    pub candidates: Vec<u16>,
    /// The container's port.
    pub target: u16,
    /// The protocol of both.
    pub protocol: Protocol,
}

impl Wish {
    /// Returns what to ask the network for at the given try; none if there are no more ports.
    pub fn host_port(&self, attempt: usize) -> Option<HostPort> {
        let published = *self.candidates.get(attempt)?;
        Some(HostPort { host_ip: self.host_ip, published, target: self.target, protocol: self.protocol })
    }
}

/// Returns everything that is to be published.
pub fn wishes(config: &Config, host_config: &HostConfig) -> Result<Vec<Wish>, Error> {
    let mut wishes = Vec::new();
    for (written, bindings) in &host_config.port_bindings {
        let (targets, protocol) = targets(written)?;
        for target in targets {
            for binding in bindings {
                let candidates = candidates(&binding.host_port)?;
                wishes.push(Wish { host_ip: host_ip(&binding.host_ip)?, candidates, target, protocol });
            }
            if bindings.is_empty() {
                wishes.push(anywhere(target, protocol));
            }
        }
    }
    if host_config.publish_all_ports {
        for written in config.exposed_ports.keys() {
            let (targets, protocol) = targets(written)?;
            for target in targets {
                if !wishes.iter().any(|wish| (wish.target, wish.protocol) == (target, protocol)) {
                    wishes.push(anywhere(target, protocol));
                }
            }
        }
    }
    Ok(wishes)
}

fn anywhere(target: u16, protocol: Protocol) -> Wish {
    Wish { host_ip: Ipv4Addr::UNSPECIFIED, candidates: vec![0], target, protocol }
}

/// Reads a port of a container such as `80/tcp` or `8000-8010/udp`.
fn targets(written: &str) -> Result<(Vec<u16>, Protocol), Error> {
    let refuse = || Error::invalid(format!("invalid port specification: \"{written}\""));
    let (ports, protocol) = written.split_once('/').unwrap_or((written, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => {
            return Err(Error::invalid(format!("port {written} cannot be published: use tcp or udp")));
        }
        _ => return Err(refuse()),
    };
    let range = range(ports).filter(|range| !range.contains(&0)).ok_or_else(refuse)?;
    Ok((range, protocol))
}

fn candidates(written: &str) -> Result<Vec<u16>, Error> {
    if written.is_empty() {
        return Ok(vec![0]);
    }
    range(written).ok_or_else(|| Error::invalid(format!("invalid port specification: \"{written}\"")))
}

fn range(written: &str) -> Option<Vec<u16>> {
    let (first, last) = written.split_once('-').unwrap_or((written, written));
    let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
    (first <= last).then(|| (first..=last).collect())
}

fn host_ip(written: &str) -> Result<Ipv4Addr, Error> {
    match written {
        "" | "0.0.0.0" | "::" => Ok(Ipv4Addr::UNSPECIFIED),
        address => address.parse().map_err(|_| {
            Error::invalid(format!(
                "invalid host address {address:?} of a port: only IPv4 addresses can be published on"
            ))
        }),
    }
}

/// Returns the ports as inspect shows them: those given with their place on the host, those only exposed without.
pub fn inspected(config: &Config, given: &[HostPort]) -> BTreeMap<String, Option<Vec<PortBinding>>> {
    let mut ports: BTreeMap<String, Option<Vec<PortBinding>>> =
        config.exposed_ports.keys().map(|port| (port.clone(), None)).collect();
    for port in given {
        let binding =
            PortBinding { host_ip: port.host_ip.to_string(), host_port: port.published.to_string() };
        let key = format!("{}/{}", port.target, port.protocol.name());
        ports.entry(key).or_default().get_or_insert_default().push(binding);
    }
    ports
}

/// Returns the ports as lists show them.
pub fn listed(config: &Config, given: &[HostPort]) -> Vec<Port> {
    let published = given.iter().map(|port| Port {
        ip: port.host_ip.to_string(),
        private_port: port.target,
        public_port: port.published,
        kind: port.protocol.name().to_owned(),
    });
    let is_published = |wanted: u16, kind: &str| {
        given.iter().any(|port| port.target == wanted && port.protocol.name() == kind)
    };
    let exposed = config.exposed_ports.keys().filter_map(|written| {
        let (port, kind) = written.split_once('/').unwrap_or((written, "tcp"));
        let private_port = port.parse().ok().filter(|port| !is_published(*port, kind))?;
        Some(Port { private_port, kind: kind.to_owned(), ..Port::default() })
    });
    let ports: BTreeSet<Port> = published.chain(exposed).collect();
    ports.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use engine_json::Nothing;

    use super::*;

    fn asked(bindings: &[(&str, &str)], all: bool, exposed: &[&str]) -> Result<String, Error> {
        let mut host_config = HostConfig { publish_all_ports: all, ..HostConfig::default() };
        for (target, host) in bindings {
            let (host_ip, host_port) = host.rsplit_once(':').unwrap_or(("", host));
            let binding = PortBinding { host_ip: host_ip.into(), host_port: host_port.into() };
            host_config.port_bindings.entry((*target).to_owned()).or_default().push(binding);
        }
        let exposed_ports = exposed.iter().map(|port| ((*port).to_owned(), Nothing {})).collect();
        let config = Config { exposed_ports, ..Config::default() };
        let shown = |wish: &Wish| {
            let ports: Vec<_> = wish.candidates.iter().map(u16::to_string).collect();
            format!("{}:{}→{}/{}", wish.host_ip, ports.join(","), wish.target, wish.protocol.name())
        };
        Ok(wishes(&config, &host_config)?.iter().map(shown).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn wishes_are_read() {
        for (bindings, all, exposed, wishes) in [
            (&[("80/tcp", "8080")][..], false, &[][..], "0.0.0.0:8080→80/tcp"),
            (
                &[("80/tcp", "127.0.0.1:8080"), ("80/tcp", "")],
                false,
                &[],
                "127.0.0.1:8080→80/tcp 0.0.0.0:0→80/tcp",
            ),
            (&[("53/udp", "5000-5002")], false, &["80/tcp"], "0.0.0.0:5000,5001,5002→53/udp"),
            (&[("80/tcp", "80")], true, &["80/tcp", "443/tcp"], "0.0.0.0:80→80/tcp 0.0.0.0:0→443/tcp"),
        ] {
            assert_eq!(asked(bindings, all, exposed).unwrap(), wishes);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (target, host) in [
            ("0/tcp", "1"),
            ("x", "1"),
            ("80/sctp", "1"),
            ("80", "9-8"),
            ("80", "70000"),
            ("80", "fe80::1:80"),
        ] {
            assert!(asked(&[(target, host)], false, &[]).is_err(), "{target} {host}");
        }
    }

    #[test]
    fn given_ports_are_shown_as_in_docker() {
        let exposed_ports = ["80/tcp", "53/udp"].map(|port| (port.to_owned(), Nothing {})).into();
        let config = Config { exposed_ports, ..Config::default() };
        let given = [HostPort {
            host_ip: Ipv4Addr::UNSPECIFIED,
            published: 8080,
            target: 80,
            protocol: Protocol::Tcp,
        }];

        let shown = inspected(&config, &given);
        let listed = listed(&config, &given);

        assert_eq!(shown["53/udp"], None);
        assert_eq!(shown["80/tcp"].as_ref().unwrap()[0].host_port, "8080");
        assert_eq!(listed.len(), 2);
        assert_eq!((listed[0].private_port, listed[1].public_port), (53, 8080));
    }
}
