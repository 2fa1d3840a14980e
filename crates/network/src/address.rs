//! IPv4 prefixes and the hardware address that belongs to an IPv4 address.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Is a hardware (Ethernet) address.
pub type Mac = [u8; 6];

/// Returns the hardware address an endpoint with this IPv4 address has, on every node alike.
pub fn mac_of(address: Ipv4Addr) -> Mac {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

/// Is an IPv4 address with the length of its network prefix, such as `10.0.1.7/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipv4Net {
    address: Ipv4Addr,
    prefix: u8,
}

/// Says why a text is not an [`Ipv4Net`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an IPv4 prefix such as 10.0.1.0/24")]
pub struct ParseNetError {
    text: String,
}

impl Ipv4Net {
    /// Joins an address and a prefix length; `None` if the length is above 32.
    pub const fn new(address: Ipv4Addr, prefix: u8) -> Option<Ipv4Net> {
        if prefix > 32 { None } else { Some(Ipv4Net { address, prefix }) }
    }

    /// Returns the address as it was given, host bits included.
    pub const fn address(self) -> Ipv4Addr {
        self.address
    }

    /// Returns the length of the network prefix in bits.
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Returns the same prefix with all host bits cleared.
    pub fn network(self) -> Ipv4Net {
        Ipv4Net { address: Ipv4Addr::from(u32::from(self.address) & self.mask()), prefix: self.prefix }
    }

    /// Tells whether the address lies inside the prefix.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & self.mask() == u32::from(self.address) & self.mask()
    }

    /// Tells whether any address lies inside both prefixes.
    pub fn overlaps(self, other: Ipv4Net) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// Returns the netmask as a number.
    pub(crate) fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }
}

impl fmt::Display for Ipv4Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Ipv4Net {
    type Err = ParseNetError;

    fn from_str(text: &str) -> Result<Ipv4Net, ParseNetError> {
        let parsed = text
            .split_once('/')
            .and_then(|(address, prefix)| Ipv4Net::new(address.parse().ok()?, prefix.parse().ok()?));
        parsed.ok_or_else(|| ParseNetError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn mac_repeats_the_address() {
        assert_eq!(mac_of(Ipv4Addr::new(10, 0, 1, 7)), [0x02, 0x42, 10, 0, 1, 7]);
    }

    #[test]
    fn prefix_is_parsed_and_printed_alike() {
        for text in ["10.0.1.7/24", "0.0.0.0/0", "1.2.3.4/32"] {
            assert_eq!(net(text).to_string(), text);
        }
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::/0", "10.0.0.0/-1"] {
            assert!(text.parse::<Ipv4Net>().is_err(), "{text}");
        }
    }

    #[test]
    fn overlap_is_mutual_and_exact() {
        let cases = [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.0.0.0/24", "10.0.1.0/24", false),
            ("0.0.0.0/0", "192.168.1.1/32", true),
            ("172.17.0.0/16", "172.17.255.255/32", true),
            ("172.17.0.0/16", "172.18.0.0/32", false),
        ];
        for (a, b, expected) in cases {
            assert_eq!(net(a).overlaps(net(b)), expected, "{a} {b}");
            assert_eq!(net(b).overlaps(net(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn network_clears_host_bits() {
        assert_eq!(net("10.0.1.7/24").network(), net("10.0.1.0/24"));
        assert_eq!(net("10.0.1.7/0").network(), net("0.0.0.0/0"));
    }
}
