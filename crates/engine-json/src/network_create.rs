//! Making a network.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use model::{Invalid, Ipam, IpamPool, Subnet};
use serde::{Deserialize, Serialize};

use crate::omit::empty;
use crate::{ConfigFrom, Labels, NetworkIpam, NetworkIpamConfig};

/// The body that makes a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkCreate {
    /// Its name.
    pub name: String,
    /// The driver; empty means `bridge`.
    pub driver: String,
    /// `local` or `swarm`; empty means what the driver does.
    pub scope: String,
    /// Whether it has IPv4; absent means yes.
    #[serde(rename = "EnableIPv4", skip_serializing_if = "empty")]
    pub enable_ipv4: Option<bool>,
    /// Whether it has IPv6; absent means no.
    #[serde(rename = "EnableIPv6", skip_serializing_if = "empty")]
    pub enable_ipv6: Option<bool>,
    /// Address management.
    #[serde(rename = "IPAM")]
    pub ipam: Option<NetworkIpam>,
    /// Whether it has no way out.
    pub internal: bool,
    /// Whether containers outside services may join.
    pub attachable: bool,
    /// Whether it carries published ports.
    pub ingress: bool,
    /// Whether it only holds settings.
    pub config_only: bool,
    /// A network whose settings it takes.
    pub config_from: Option<ConfigFrom>,
    /// Options of the driver.
    pub options: Labels,
    /// Labels.
    pub labels: Labels,
}

/// The answer to a network's creation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkCreated {
    /// The new network's id.
    pub id: String,
    /// What the user should know.
    pub warning: String,
}

impl TryFrom<NetworkCreate> for model::NetworkSpec {
    type Error = Invalid;

    /// Takes what a network of the cluster can have; what one cannot have is for the caller to refuse before.
    fn try_from(create: NetworkCreate) -> Result<Self, Invalid> {
        let NetworkCreate {
            name,
            driver,
            scope: _,
            enable_ipv4,
            enable_ipv6: _,
            ipam,
            internal,
            attachable,
            ingress,
            config_only: _,
            config_from: _,
            options,
            labels,
        } = create;
        if enable_ipv4 == Some(false) {
            return Err(Invalid::because("IPv4 cannot be disabled in a Swarm scoped network"));
        }
        let ipam = ipam.map(Ipam::try_from).transpose()?.unwrap_or_default();
        Ok(Self { name, labels, driver, driver_opts: options, internal, attachable, ingress, ipam })
    }
}

impl TryFrom<NetworkIpam> for Ipam {
    type Error = Invalid;

    fn try_from(NetworkIpam { driver, options, config }: NetworkIpam) -> Result<Self, Invalid> {
        let mut mistakes = Vec::new();
        let pools = config.into_iter().map(|config| pool(config, &mut mistakes)).collect();
        match &mistakes[..] {
            [] => Ok(Self { driver, options: options.unwrap_or_default(), pools }),
            [only] => Err(Invalid::because(format!("invalid network config:\n{only}"))),
            several => Err(Invalid::because(format!("invalid network config:\n* {}", several.join("\n* ")))),
        }
    }
}

/// Reads a pool, and notes what is wrong with it in Docker's words.
fn pool(config: NetworkIpamConfig, mistakes: &mut Vec<String>) -> IpamPool {
    let NetworkIpamConfig { subnet, ip_range, gateway, auxiliary_addresses } = config;
    let Some(subnet) = block("subnet", &subnet, mistakes) else { return IpamPool::default() };
    let range = match ip_range.as_str() {
        "" => None,
        text => block("ip-range", text, mistakes),
    };
    if let Some(range) = range {
        if range.prefix < subnet.prefix {
            mistakes.push(format!(
                "invalid ip-range {range}: CIDR block is bigger than its parent subnet {subnet}"
            ));
        } else if !subnet.contains(range.base) {
            mistakes
                .push(format!("invalid ip-range {range}: parent subnet {subnet} doesn't contain ip-range"));
        }
    }
    let gateway = match gateway.as_str() {
        "" => None,
        text => inside(subnet, text, &format!("gateway {text}"), mistakes),
    };
    let auxiliary: BTreeMap<String, Ipv4Addr> = auxiliary_addresses
        .into_iter()
        .filter_map(|(name, text)| {
            let address = inside(subnet, &text, &format!("auxiliary address {name}"), mistakes)?;
            Some((name, address))
        })
        .collect();
    IpamPool { subnet: Some(subnet), range, gateway, auxiliary }
}

/// Reads `ADDRESS/LENGTH`, which must be the beginning of its block.
fn block(what: &str, text: &str, mistakes: &mut Vec<String>) -> Option<Subnet> {
    let address = text.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok());
    if let Some(IpAddr::V6(_)) = address {
        mistakes.push(format!("invalid {what} {text}: networks of the cluster have IPv4 alone"));
        return None;
    }
    let (Some(IpAddr::V4(address)), Ok(subnet)) = (address, text.parse::<Subnet>()) else {
        mistakes.push(format!("invalid {what} {text}: invalid CIDR block notation"));
        return None;
    };
    if subnet.base != address {
        mistakes.push(format!("invalid {what} {text}: it should be {subnet}"));
    }
    Some(subnet)
}

/// Reads an address that must lie in the subnet.
fn inside(subnet: Subnet, text: &str, what: &str, mistakes: &mut Vec<String>) -> Option<Ipv4Addr> {
    let mistake = match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if subnet.contains(address) => return Some(address),
        Ok(IpAddr::V4(_)) => format!("parent subnet {subnet} doesn't contain this address"),
        Ok(IpAddr::V6(_)) => "parent subnet is an IPv4 block".to_owned(),
        Err(_) => "invalid address".to_owned(),
    };
    mistakes.push(format!("invalid {what}: {mistake}"));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;

    fn read(ipam: &str) -> Result<Ipam, String> {
        let body = format!(r#"{{"Name":"net","Driver":"overlay","IPAM":{ipam}}}"#);
        let create: NetworkCreate = decode(body.as_bytes()).unwrap();
        model::NetworkSpec::try_from(create).map(|spec| spec.ipam).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn pools_are_read_as_they_are_written() {
        let ipam = read(
            r#"{"Driver":"default","Options":null,"Config":[{"Subnet":"10.9.0.0/24","IPRange":"10.9.0.128/25",
                "Gateway":"10.9.0.200","AuxiliaryAddresses":{"printer":"10.9.0.9"}}]}"#,
        )
        .unwrap();

        let pool = IpamPool {
            subnet: Some("10.9.0.0/24".parse().unwrap()),
            range: Some("10.9.0.128/25".parse().unwrap()),
            gateway: Some(Ipv4Addr::new(10, 9, 0, 200)),
            auxiliary: [("printer".to_owned(), Ipv4Addr::new(10, 9, 0, 9))].into(),
        };
        assert_eq!(ipam, Ipam { driver: "default".into(), options: Labels::new(), pools: vec![pool] });
        assert_eq!(read("null"), Ok(Ipam::default()));
        assert_eq!(read(r#"{"Config":[]}"#), Ok(Ipam::default()));
    }

    #[test]
    fn mistakes_are_told_in_dockers_words() {
        let cases = [
            (r#""Subnet":"10.9.0.0""#, "invalid subnet 10.9.0.0: invalid CIDR block notation"),
            (r#""Subnet":"10.9.0.0/33""#, "invalid subnet 10.9.0.0/33: invalid CIDR block notation"),
            (r#""Gateway":"10.9.0.1""#, "invalid subnet : invalid CIDR block notation"),
            (r#""Subnet":"10.9.0.7/24""#, "invalid subnet 10.9.0.7/24: it should be 10.9.0.0/24"),
            (r#""Subnet":"fd00::/64""#, "invalid subnet fd00::/64: networks of the cluster have IPv4 alone"),
            (
                r#""Subnet":"10.9.0.0/24","IPRange":"10.9.0.0/16""#,
                "invalid ip-range 10.9.0.0/16: CIDR block is bigger than its parent subnet 10.9.0.0/24",
            ),
            (
                r#""Subnet":"10.9.0.0/24","IPRange":"10.8.0.0/25""#,
                "invalid ip-range 10.8.0.0/25: parent subnet 10.9.0.0/24 doesn't contain ip-range",
            ),
            (r#""Subnet":"10.9.0.0/24","IPRange":"x""#, "invalid ip-range x: invalid CIDR block notation"),
            (
                r#""Subnet":"10.9.0.0/24","Gateway":"10.8.0.1""#,
                "invalid gateway 10.8.0.1: parent subnet 10.9.0.0/24 doesn't contain this address",
            ),
            (r#""Subnet":"10.9.0.0/24","Gateway":"x""#, "invalid gateway x: invalid address"),
            (
                r#""Subnet":"10.9.0.0/24","AuxiliaryAddresses":{"a":"fd00::1","b":"10.8.0.1"}"#,
                "* invalid auxiliary address a: parent subnet is an IPv4 block\n\
                 * invalid auxiliary address b: parent subnet 10.9.0.0/24 doesn't contain this address",
            ),
        ];

        for (config, expected) in cases {
            let error = read(&format!(r#"{{"Config":[{{{config}}}]}}"#)).unwrap_err();

            assert_eq!(error, format!("invalid network config:\n{expected}"), "{config}");
        }
    }

    #[test]
    fn a_network_without_ipv4_is_refused() {
        let create: NetworkCreate = decode(br#"{"Name":"net","EnableIPv4":false}"#).unwrap();

        let refused = model::NetworkSpec::try_from(create).unwrap_err();

        assert_eq!(refused.to_string(), "IPv4 cannot be disabled in a Swarm scoped network");
    }
}
