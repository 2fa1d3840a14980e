//! Networks and name resolution.

use std::collections::BTreeMap;

use clap::Args;
use container_json::{Config, EndpointIpam, EndpointSettings, HostConfig, NetworkingConfig};
use engine_json::Labels;
use flags::text::{commas, pair, switch};
use flags::{Invalid, Result, refuse};

use crate::port::Ports;
use crate::text;

/// The network without a flag: the daemon's choice.
const DEFAULT: &str = "default";

/// Flags of networks and name resolution.
#[derive(Debug, Args)]
pub(crate) struct NetworkFlags {
    /// Another name for an address, `HOST:ADDRESS`; `host-gateway` stands for this host
    #[arg(long, value_name = "HOST:ADDRESS", value_parser = text::host)]
    add_host: Vec<String>,
    /// The address of a resolver
    #[arg(long, value_name = "ADDRESS", value_parser = text::address)]
    dns: Vec<String>,
    /// An option of the resolver
    #[arg(long, visible_alias = "dns-opt", value_name = "OPTION")]
    dns_option: Vec<String>,
    /// A search domain
    #[arg(long, value_name = "DOMAIN", value_parser = text::domain)]
    dns_search: Vec<String>,
    /// A port or a range of ports that the container listens on
    #[arg(long, value_name = "PORT")]
    expose: Vec<String>,
    /// The container's address
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    ip: String,
    /// The container's address of version 6
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    ip6: String,
    /// Another container by a further name, `NAME:ALIAS`
    #[arg(long, value_name = "NAME:ALIAS", value_parser = text::link)]
    link: Vec<String>,
    /// An address for the container's link
    #[arg(long, value_name = "ADDRESS")]
    link_local_ip: Vec<String>,
    /// The hardware address
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    mac_address: String,
    /// `bridge`, `none`, `host`, `container:NAME`, a network, or `name=,alias=,ip=,…`
    #[arg(long, visible_alias = "net", value_name = "NETWORK", value_parser = parse)]
    network: Vec<Network>,
    /// A further name on the network
    #[arg(long, visible_alias = "net-alias", value_name = "NAME")]
    network_alias: Vec<String>,
    /// A published port, `[[ADDRESS:]PUBLISHED:]PORT[/PROTOCOL]`
    #[arg(short, long, value_name = "PORT")]
    publish: Vec<String>,
    /// Publish all ports that are exposed
    #[arg(short = 'P', long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    publish_all: Option<bool>,
}

/// A network as a flag names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Network {
    name: String,
    aliases: Vec<String>,
    links: Vec<String>,
    driver_opts: Labels,
    ipv4: String,
    ipv6: String,
    link_local_ips: Vec<String>,
    mac_address: String,
    gateway_priority: i64,
}

impl NetworkFlags {
    /// Writes what is given into a container.
    pub(crate) fn apply(&self, config: &mut Config, host: &mut HostConfig) -> Result<NetworkingConfig> {
        let mut ports = Ports::default();
        self.publish.iter().try_for_each(|text| ports.publish(text))?;
        self.expose.iter().try_for_each(|text| ports.expose(text))?;
        config.exposed_ports = ports.exposed;
        host.port_bindings = ports.bindings;
        host.publish_all_ports = self.publish_all.unwrap_or(false);
        host.extra_hosts = self.add_host.clone();
        host.dns = self.dns.clone();
        host.dns_options = self.dns_option.clone();
        host.dns_search = self.dns_search.clone();
        host.links = self.link.clone();
        let networks = self.networks()?;
        host.network_mode = networks[0].name.clone();
        self.endpoints(&networks)
    }

    /// Returns the networks, the first of which has what flags of their own say.
    fn networks(&self) -> Result<Vec<Network>> {
        let mut networks = self.network.clone();
        if networks.is_empty() {
            networks.push(Network { name: DEFAULT.into(), ..Network::default() });
        }
        let first = &mut networks[0];
        let one_of = |flag: &str, what: &str, both: bool| match both {
            true => {
                refuse(format!("conflicting options: cannot specify both --{flag} and per-network {what}"))
            }
            false => Ok(()),
        };
        let list = |own: &[String], flags: &[String]| !own.is_empty() && !flags.is_empty();
        let word = |own: &str, flag: &str| !own.is_empty() && !flag.is_empty();
        one_of("network-alias", "alias", list(&first.aliases, &self.network_alias))?;
        one_of("ip", "IPv4 address", word(&first.ipv4, &self.ip))?;
        one_of("ip6", "IPv6 address", word(&first.ipv6, &self.ip6))?;
        one_of("mac-address", "MAC address", word(&first.mac_address, &self.mac_address))?;
        one_of("link-local-ip", "link-local IP addresses", list(&first.link_local_ips, &self.link_local_ip))?;
        first.aliases.extend(self.network_alias.iter().cloned());
        first.link_local_ips.extend(self.link_local_ip.iter().cloned());
        first.ipv4.push_str(&self.ip);
        first.ipv6.push_str(&self.ip6);
        first.mac_address.push_str(&self.mac_address);
        if is_of_users(&first.name) {
            first.links = self.link.clone();
        }
        Ok(networks)
    }

    fn endpoints(&self, networks: &[Network]) -> Result<NetworkingConfig> {
        let mut endpoints = BTreeMap::new();
        for network in networks {
            let endpoint = network.endpoint()?;
            // One network with nothing to say about is told by the mode alone.
            let is_said =
                networks.len() == 1 && !self.network.is_empty() && endpoint == EndpointSettings::default();
            if !is_said && endpoints.insert(network.name.clone(), endpoint).is_some() {
                return refuse(format!("network {:?} is specified multiple times", network.name));
            }
        }
        let of_users = networks.iter().filter(|network| is_of_users(&network.name)).count();
        if of_users > 0 && of_users < networks.len() {
            return refuse(
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
            );
        }
        Ok(NetworkingConfig { endpoints_config: endpoints })
    }
}

/// Claims that a network is one that somebody made.
fn is_of_users(name: &str) -> bool {
    !["default", "bridge", "host", "none"].contains(&name) && !name.starts_with("container:")
}

impl Network {
    fn endpoint(&self) -> Result<EndpointSettings> {
        if self.name.trim().is_empty() {
            return refuse("no name set for network");
        }
        if !is_of_users(&self.name) && !self.aliases.is_empty() {
            return refuse("network-scoped aliases are only supported for user-defined networks");
        }
        if !self.mac_address.is_empty() && !is_hardware_address(&self.mac_address) {
            return refuse(format!("{} is not a valid mac address", self.mac_address));
        }
        let ipam = EndpointIpam {
            ipv4_address: self.ipv4.clone(),
            ipv6_address: self.ipv6.clone(),
            link_local_ips: self.link_local_ips.clone(),
        };
        Ok(EndpointSettings {
            ipam_config: Some(ipam).filter(|ipam| *ipam != EndpointIpam::default()),
            links: self.links.clone(),
            aliases: self.aliases.clone(),
            mac_address: self.mac_address.clone(),
            driver_opts: self.driver_opts.clone(),
            gw_priority: self.gateway_priority,
            ..EndpointSettings::default()
        })
    }
}

fn is_hardware_address(text: &str) -> bool {
    let is_byte = |part: &str| part.len() == 2 && u8::from_str_radix(part, 16).is_ok();
    [':', '-'].iter().any(|separator| {
        let parts: Vec<&str> = text.split(*separator).collect();
        [6, 8, 20].contains(&parts.len()) && parts.into_iter().all(is_byte)
    })
}

/// Reads a network's name, or `name=,alias=,driver-opt=,ip=,ip6=,link-local-ip=,mac-address=,gw-priority=`.
fn parse(value: &str) -> Result<Network> {
    let mut network = Network::default();
    let is_long = value.split_once('=').is_some_and(|(key, value)| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !key.is_empty() && key.chars().all(is_word) && !value.is_empty()
    });
    if !is_long {
        network.name = value.to_owned();
        return Ok(network);
    }
    for field in commas(value)? {
        let Some((key, value)) = field.split_once('=') else {
            return refuse(format!("invalid field {field}"));
        };
        let value = value.trim().to_owned();
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => network.name = value,
            "alias" => network.aliases.push(value),
            "driver-opt" if value.contains('=') => network.driver_opts.extend([pair(&value)]),
            "driver-opt" => return refuse("invalid key value pair format in driver options"),
            "ip" => network.ipv4 = value,
            "ip6" => network.ipv6 = value,
            "link-local-ip" => network.link_local_ips.push(value),
            "mac-address" => network.mac_address = value,
            "gw-priority" => {
                network.gateway_priority = value.parse().map_err(|_| {
                    Invalid::because(format!("invalid gw-priority ({value}): it must be a number"))
                })?;
            }
            key => return refuse(format!("invalid field key {key}")),
        }
    }
    if network.name.is_empty() {
        return refuse("network name/id is not specified");
    }
    Ok(network)
}
