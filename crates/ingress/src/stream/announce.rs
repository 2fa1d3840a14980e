//! The PROXY protocol: a header before a connection's first byte tells the backend who the client is. Pure.

use std::net::{IpAddr, SocketAddr};

use crate::ProxyVersion;

/// Begins every binary header; no other protocol begins so.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and a connection made on somebody's behalf.
const VERSION_AND_COMMAND: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Returns the header for a connection from `client` that was accepted at `local`.
pub(crate) fn header(version: ProxyVersion, client: SocketAddr, local: SocketAddr) -> Vec<u8> {
    // A listener for both families sees IPv4 addresses in their IPv6 form.
    let (from, to) = (client.ip().to_canonical(), local.ip().to_canonical());
    match version {
        ProxyVersion::V1 => {
            let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            format!("PROXY {family} {from} {to} {} {}\r\n", client.port(), local.port()).into_bytes()
        }
        ProxyVersion::V2 => {
            let (family, addresses) = match (from, to) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    (TCP_OVER_IPV4, [from.octets().as_slice(), &to.octets()].concat())
                }
                (from, to) => (TCP_OVER_IPV6, [ipv6(from), ipv6(to)].concat()),
            };
            let mut header = [SIGNATURE.as_slice(), &[VERSION_AND_COMMAND, family]].concat();
            let ports = [client.port().to_be_bytes(), local.port().to_be_bytes()].concat();
            header.extend(((addresses.len() + ports.len()) as u16).to_be_bytes());
            header.extend(addresses);
            header.extend(ports);
            header
        }
    }
}

fn ipv6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: ProxyVersion, client: &str, local: &str, expected: &[u8]) {
        let written = header(version, client.parse().unwrap(), local.parse().unwrap());
        assert_eq!(written, expected, "{client} at {local}");
    }

    #[test]
    fn text_names_family_addresses_and_ports() {
        let check =
            |client, local, expected: &str| check(ProxyVersion::V1, client, local, expected.as_bytes());
        check("1.2.3.4:5", "6.7.8.9:80", "PROXY TCP4 1.2.3.4 6.7.8.9 5 80\r\n");
        check("[::ffff:1.2.3.4]:5", "[::ffff:6.7.8.9]:80", "PROXY TCP4 1.2.3.4 6.7.8.9 5 80\r\n");
        check("[fd00::1]:65535", "[fd00::2]:80", "PROXY TCP6 fd00::1 fd00::2 65535 80\r\n");
    }

    #[test]
    fn binary_has_signature_length_addresses_and_ports() {
        let start = b"\r\n\r\n\0\r\nQUIT\n\x21";
        let four = [start.as_slice(), b"\x11\0\x0c\x01\x02\x03\x04\x06\x07\x08\x09\0\x05\0\x50"].concat();
        check(ProxyVersion::V2, "1.2.3.4:5", "6.7.8.9:80", &four);
        check(ProxyVersion::V2, "[::ffff:1.2.3.4]:5", "[::ffff:6.7.8.9]:80", &four);
        let one = b"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";
        let two = b"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02";
        let six = [start.as_slice(), b"\x21\0\x24", one, two, b"\xff\xff\0\x50"].concat();
        check(ProxyVersion::V2, "[fd00::1]:65535", "[fd00::2]:80", &six);
    }
}
