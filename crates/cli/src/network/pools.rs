//! Which range, gateway and auxiliary addresses belong to which subnet.

use std::net::IpAddr;

use anyhow::{Result, anyhow, bail};
use engine_json::{Labels, NetworkIpamConfig};

/// What the flags say, each by itself.
pub(super) struct Wishes<'a> {
    pub subnets: &'a [String],
    pub ranges: &'a [String],
    pub gateways: &'a [String],
    pub auxiliary: &'a Labels,
}

/// Puts together what belongs to each subnet.
pub(super) fn pools(wishes: &Wishes<'_>) -> Result<Vec<NetworkIpamConfig>> {
    let Wishes { subnets, ranges, gateways, auxiliary } = wishes;
    if subnets.len() < ranges.len() || subnets.len() < gateways.len() {
        bail!("every ip-range or gateway must have a corresponding subnet");
    }
    let mut pools: Vec<NetworkIpamConfig> = Vec::new();
    for subnet in *subnets {
        let block = Block::parse(subnet)?;
        for other in &pools {
            let other = Block::parse(&other.subnet)?;
            if block.holds(other.address) || other.holds(block.address) {
                bail!("multiple overlapping subnet configuration is not supported");
            }
        }
        pools.push(NetworkIpamConfig { subnet: subnet.clone(), ..NetworkIpamConfig::default() });
    }
    for range in *ranges {
        let pool = holder(&mut pools, Block::parse(range)?.address)?
            .ok_or_else(|| anyhow!("no matching subnet for range {range}"))?;
        if !pool.ip_range.is_empty() {
            let (first, subnet) = (&pool.ip_range, &pool.subnet);
            bail!("cannot configure multiple ranges ({range}, {first}) on the same subnet ({subnet})");
        }
        pool.ip_range.clone_from(range);
    }
    for gateway in *gateways {
        let pool = holder(&mut pools, address(gateway)?)?
            .ok_or_else(|| anyhow!("no matching subnet for gateway {gateway}"))?;
        if !pool.gateway.is_empty() {
            let (first, subnet) = (&pool.gateway, &pool.subnet);
            bail!("cannot configure multiple gateways ({gateway}, {first}) for the same subnet ({subnet})");
        }
        pool.gateway.clone_from(gateway);
    }
    for (name, text) in *auxiliary {
        let pool = holder(&mut pools, address(text)?)?
            .ok_or_else(|| anyhow!("no matching subnet for aux-address {text}"))?;
        pool.auxiliary_addresses.insert(name.clone(), text.clone());
    }
    Ok(pools)
}

/// Returns the pool whose subnet holds an address.
fn holder(pools: &mut [NetworkIpamConfig], address: IpAddr) -> Result<Option<&mut NetworkIpamConfig>> {
    for pool in pools {
        if Block::parse(&pool.subnet)?.holds(address) {
            return Ok(Some(pool));
        }
    }
    Ok(None)
}

fn address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| anyhow!("invalid address: {text}"))
}

/// A block of addresses of either version.
struct Block {
    address: IpAddr,
    prefix: u32,
}

impl Block {
    fn parse(text: &str) -> Result<Self> {
        let refuse = || anyhow!("invalid CIDR address: {text}");
        let (start, prefix) = text.split_once('/').ok_or_else(refuse)?;
        let address: IpAddr = start.parse().map_err(|_| refuse())?;
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= bits(address).1).ok_or_else(refuse)?;
        Ok(Self { address, prefix })
    }

    fn holds(&self, other: IpAddr) -> bool {
        let ((own, width), (other, other_width)) = (bits(self.address), bits(other));
        let begins = |address: u128| address.checked_shr(width - self.prefix).unwrap_or(0);
        width == other_width && begins(own) == begins(other)
    }
}

/// Returns an address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads flags from words such as `s=10.0.0.0/24 r=… g=… a=NAME:ADDRESS`.
    fn read(words: &str) -> Result<String, String> {
        let all = |key: &str| {
            let values = words.split_whitespace().filter_map(|word| word.strip_prefix(key));
            values.map(str::to_owned).collect::<Vec<String>>()
        };
        let named = all("a=");
        let named = named.iter().map(|text| text.split_once(':').unwrap());
        let auxiliary = named.map(|(name, address)| (name.to_owned(), address.to_owned())).collect();
        let (subnets, ranges, gateways) = (all("s="), all("r="), all("g="));
        let wishes =
            Wishes { subnets: &subnets, ranges: &ranges, gateways: &gateways, auxiliary: &auxiliary };
        let pools = pools(&wishes).map_err(|error| error.to_string())?;
        let shown = |pool: &NetworkIpamConfig| {
            let names: Vec<&str> = pool.auxiliary_addresses.keys().map(String::as_str).collect();
            [pool.subnet.as_str(), &pool.ip_range, &pool.gateway, &names.join("+")]
                .join(" ")
                .trim()
                .to_owned()
        };
        Ok(pools.iter().map(shown).collect::<Vec<_>>().join(" | "))
    }

    #[test]
    fn what_belongs_to_a_subnet_is_put_to_it() {
        for (flags, expected) in [
            ("", ""),
            ("s=10.9.0.0/24", "10.9.0.0/24"),
            (
                "s=10.9.0.0/24 s=fd00::/64 g=fd00::1 g=10.9.0.1 r=10.9.0.128/25 a=x:10.9.0.7",
                "10.9.0.0/24 10.9.0.128/25 10.9.0.1 x | fd00::/64  fd00::1",
            ),
        ] {
            assert_eq!(read(flags).as_deref(), Ok(expected), "{flags}");
        }
    }

    #[test]
    fn what_belongs_to_none_is_refused() {
        for (flags, expected) in [
            ("g=10.9.0.1", "every ip-range or gateway must have a corresponding subnet"),
            ("s=10.9.0.0/24 s=10.9.0.0/16", "multiple overlapping subnet configuration is not supported"),
            ("s=10.9.0.0/24 r=10.8.0.0/25", "no matching subnet for range 10.8.0.0/25"),
            ("s=10.9.0.0/24 g=10.8.0.1", "no matching subnet for gateway 10.8.0.1"),
            ("s=10.9.0.0/24 a=x:10.8.0.1", "no matching subnet for aux-address 10.8.0.1"),
            (
                "s=10.9.0.0/24 s=10.8.0.0/24 g=10.9.0.1 g=10.9.0.2",
                "cannot configure multiple gateways (10.9.0.2, 10.9.0.1) for the same subnet (10.9.0.0/24)",
            ),
            (
                "s=10.9.0.0/24 s=10.8.0.0/24 r=10.9.0.0/25 r=10.9.0.128/25",
                "cannot configure multiple ranges (10.9.0.128/25, 10.9.0.0/25) on the same subnet (10.9.0.0/24)",
            ),
            ("s=10.9.0.0", "invalid CIDR address: 10.9.0.0"),
            ("s=10.9.0.0/33", "invalid CIDR address: 10.9.0.0/33"),
            ("s=10.9.0.0/24 g=x", "invalid address: x"),
        ] {
            assert_eq!(read(flags).unwrap_err(), expected, "{flags}");
        }
    }
}
