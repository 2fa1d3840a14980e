//! Decides what a container that asks for a name is told.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::Zone;

/// What is asked about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its IPv4 addresses.
    Address,
    /// The name that an address leads back to; the name asked about is that of the address.
    Pointer,
    /// Anything else.
    Other,
}

/// What whoever asks is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// These addresses, in this order.
    Addresses(Vec<Ipv4Addr>),
    /// This name.
    Name(String),
    /// The name is known, and has nothing of this kind.
    Nothing,
    /// The name belongs to what is not there at the moment.
    Absent,
    /// The name is none of ours: other servers may know it.
    Unknown,
}

/// Answers a question out of the zones of the networks that whoever asks is on. The first that knows better decides;
/// the seed decides the order of addresses.
pub fn look_up(zones: &[Arc<Zone>], name: &str, kind: Kind, seed: u64) -> Answer {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if kind == Kind::Pointer
        && let Some(address) = address_in(&name)
    {
        return match zones.iter().find_map(|zone| zone.name_of(address)) {
            Some(name) => Answer::Name(name),
            None => Answer::Unknown,
        };
    }
    let mut is_known = false;
    for addresses in zones.iter().filter_map(|zone| zone.addresses(&name)) {
        is_known = true;
        if !addresses.is_empty() {
            return match kind {
                Kind::Address => Answer::Addresses(shuffled(addresses.iter().copied().collect(), seed)),
                Kind::Pointer | Kind::Other => Answer::Nothing,
            };
        }
    }
    if is_known { Answer::Absent } else { Answer::Unknown }
}

/// Reads the address out of a name such as `4.3.2.1.in-addr.arpa`.
fn address_in(name: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut labels = name.strip_suffix(".in-addr.arpa")?.split('.');
    for octet in octets.iter_mut().rev() {
        let label = labels.next()?;
        // One way to write each address.
        *octet = label.parse().ok().filter(|value: &u8| value.to_string() == label)?;
    }
    labels.next().is_none().then_some(Ipv4Addr::from(octets))
}

fn shuffled(mut addresses: Vec<Ipv4Addr>, seed: u64) -> Vec<Ipv4Addr> {
    let mut state = seed;
    for last in (1..addresses.len()).rev() {
        state = mixed(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
        addresses.swap(last, (state % (last as u64 + 1)) as usize);
    }
    addresses
}

/// Spreads each bit of a number over all of them (the finalizer of SplitMix64).
fn mixed(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests;
