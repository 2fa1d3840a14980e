//! Where a node listens and under which address others find it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use docker_api::ApiError;
use serde::{Deserialize, Serialize};

/// The port of managers, as in Swarm.
pub const PORT_DEFAULT: u16 = 2377;
/// Where managers listen unless told otherwise.
const LISTEN_DEFAULT: &str = "0.0.0.0:2377";
/// Links whose addresses are never advertised: they lead to this host's own containers.
const OWN_LINKS: [&str; 4] = ["drover0", "drover1", "docker0", "docker_gwbridge"];

/// The addresses of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// Where a manager listens.
    pub listen: SocketAddr,
    /// Where other nodes reach it.
    pub advertise: SocketAddr,
    /// Where other nodes reach its containers.
    pub data_path: IpAddr,
}

/// What a user says of addresses; empty means that one is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// `ADDRESS[:PORT]` or `INTERFACE[:PORT]`.
    pub listen: &'a str,
    /// `ADDRESS[:PORT]` or `INTERFACE[:PORT]`.
    pub advertise: &'a str,
    /// `ADDRESS` or `INTERFACE`.
    pub data_path: &'a str,
    /// A manager that will be joined, from which the way to others is seen.
    pub towards: Option<&'a str>,
}

impl Addresses {
    /// Chooses addresses from what the user says and what this host has.
    pub fn choose(wanted: Wanted<'_>) -> Result<Self, ApiError> {
        let interfaces = interfaces();
        let listen = if wanted.listen.is_empty() { LISTEN_DEFAULT } else { wanted.listen };
        let listen = resolve(listen, PORT_DEFAULT, &interfaces, "listen")?;
        let advertise = if !wanted.advertise.is_empty() {
            resolve(wanted.advertise, listen.port(), &interfaces, "advertise")?
        } else if !listen.ip().is_unspecified() {
            listen
        } else {
            SocketAddr::new(chosen(wanted.towards, &interfaces)?, listen.port())
        };
        if advertise.ip().is_unspecified() {
            return Err(ApiError::bad_request("advertise address must be a non-zero IP address"));
        }
        let data_path = match wanted.data_path {
            "" => advertise.ip(),
            text => resolve(text, 0, &interfaces, "data path")?.ip(),
        };
        if data_path.is_unspecified() {
            return Err(ApiError::bad_request("data path address must be a non-zero IP address"));
        }
        Ok(Self { listen, advertise, data_path })
    }
}

/// An address of this host and the link that has it.
type Interface = (String, IpAddr);

fn interfaces() -> Vec<Interface> {
    let Ok(found) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    found
        .filter(|interface| interface.flags.contains(nix::net::if_::InterfaceFlags::IFF_UP))
        .filter_map(|interface| {
            let address = interface.address?;
            Some((interface.interface_name, IpAddr::V4(address.as_sockaddr_in()?.ip())))
        })
        .filter(|(_, address)| !address.is_loopback())
        .collect()
}

/// Reads `ADDRESS[:PORT]` or `INTERFACE[:PORT]`.
fn resolve(text: &str, port: u16, interfaces: &[Interface], what: &str) -> Result<SocketAddr, ApiError> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, digits)) => {
            let port = digits.parse().map_err(|_| {
                ApiError::bad_request(format!("invalid {what} address {text:?}: {digits:?} is not a port"))
            })?;
            (name, port)
        }
        None => (text, port),
    };
    let mut addresses =
        interfaces.iter().filter(|(interface, _)| interface == name).map(|(_, address)| *address);
    match (addresses.next(), addresses.next()) {
        (Some(address), None) => Ok(SocketAddr::new(address, port)),
        (Some(_), Some(_)) => Err(ApiError::bad_request(format!(
            "interface {name} has more than one IPv4 address: name the {what} address itself"
        ))),
        (None, _) => Err(ApiError::bad_request(format!(
            "{what} address {text:?} is neither an IP address nor an interface of this host"
        ))),
    }
}

/// Chooses the address to advertise: the one that leads to `towards`, or the only one there is.
fn chosen(towards: Option<&str>, interfaces: &[Interface]) -> Result<IpAddr, ApiError> {
    if let Some(address) = towards.and_then(way_to) {
        return Ok(address);
    }
    let candidates: Vec<&Interface> =
        interfaces.iter().filter(|(name, _)| !OWN_LINKS.contains(&name.as_str())).collect();
    match candidates[..] {
        [(_, only)] => Ok(*only),
        [] => Err(ApiError::bad_request(
            "could not find the system's IP address - specify one with --advertise-addr",
        )),
        ref several => {
            let listed: Vec<String> =
                several.iter().map(|(name, address)| format!("{address} on {name}")).collect();
            Err(ApiError::bad_request(format!(
                "could not choose an IP address to advertise since this system has multiple addresses on different interfaces ({}) - specify one with --advertise-addr",
                listed.join(" and ")
            )))
        }
    }
}

/// Returns this host's address on the way to another; nothing is sent.
fn way_to(remote: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(remote).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces() -> Vec<Interface> {
        vec![("eth0".into(), "192.0.2.7".parse().unwrap()), ("eth1".into(), "198.51.100.7".parse().unwrap())]
    }

    #[test]
    fn addresses_may_be_interfaces() {
        let cases = [
            ("192.0.2.1", Some("192.0.2.1:2377")),
            ("192.0.2.1:99", Some("192.0.2.1:99")),
            ("eth1", Some("198.51.100.7:2377")),
            ("eth1:99", Some("198.51.100.7:99")),
            ("eth9", None),
            ("eth1:x", None),
        ];

        for (text, expected) in cases {
            let resolved =
                resolve(text, 2377, &interfaces(), "advertise").ok().map(|address| address.to_string());
            assert_eq!(resolved.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn several_addresses_are_listed_when_none_can_be_chosen() {
        let error = chosen(None, &interfaces()).unwrap_err();

        assert!(error.message.contains("192.0.2.7 on eth0 and 198.51.100.7 on eth1"), "{error}");
    }

    #[test]
    fn links_to_own_containers_do_not_count() {
        let mut interfaces = interfaces();
        interfaces[1].0 = "drover0".into();

        assert_eq!(chosen(None, &interfaces), Ok("192.0.2.7".parse().unwrap()));
    }
}
