//! A network of the cluster, as tasks show it and as the network routes show it.

use std::net::Ipv4Addr;

use model::Subnet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::omit::empty;
use crate::{Driver, Labels, NetworkContainer, NetworkPeer, NetworkService, ObjectVersion, Time};

/// A network as a task's attachment shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Network {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its version.
    pub version: ObjectVersion,
    /// When it was made.
    pub created_at: Time,
    /// When it was last written.
    pub updated_at: Time,
    /// What the user asked for.
    pub spec: NetworkSpec,
    /// The driver as it was set up.
    pub driver_state: Driver,
    /// Addresses as allocated.
    #[serde(rename = "IPAMOptions", skip_serializing_if = "empty")]
    pub ipam_options: Option<IpamOptions>,
}

/// What a user asks of a network.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSpec {
    /// Unique in the cluster.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
    /// Labels.
    pub labels: Labels,
    /// The driver and its options.
    #[serde(skip_serializing_if = "empty")]
    pub driver_configuration: Option<Driver>,
    /// Whether tasks on it have no way out.
    #[serde(skip_serializing_if = "empty")]
    pub internal: bool,
    /// Whether containers outside services may join.
    #[serde(skip_serializing_if = "empty")]
    pub attachable: bool,
    /// Whether it carries published ports.
    #[serde(skip_serializing_if = "empty")]
    pub ingress: bool,
    /// Address management as asked for.
    #[serde(rename = "IPAMOptions", skip_serializing_if = "empty")]
    pub ipam_options: Option<IpamOptions>,
    /// Always `swarm`.
    #[serde(skip_serializing_if = "empty")]
    pub scope: String,
}

/// Address management.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IpamOptions {
    /// The driver.
    pub driver: Driver,
    /// Pools.
    #[serde(skip_serializing_if = "empty")]
    pub configs: Vec<IpamConfig>,
}

/// A pool of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IpamConfig {
    /// The subnet.
    #[serde(skip_serializing_if = "empty")]
    pub subnet: String,
    /// The part of it that is given out.
    #[serde(skip_serializing_if = "empty")]
    pub range: String,
    /// The gateway.
    #[serde(skip_serializing_if = "empty")]
    pub gateway: String,
}

/// A task's place on a network.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkAttachment {
    /// The network.
    pub network: Network,
    /// Addresses with prefix length.
    #[serde(skip_serializing_if = "empty")]
    pub addresses: Vec<String>,
}

/// A wish to be attached to a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkAttachmentConfig {
    /// The network's id or name.
    #[serde(skip_serializing_if = "empty")]
    pub target: String,
    /// Further names on that network.
    #[serde(skip_serializing_if = "empty")]
    pub aliases: Vec<String>,
    /// Options for the driver.
    #[serde(skip_serializing_if = "empty")]
    pub driver_opts: Labels,
}

impl From<NetworkAttachmentConfig> for model::NetworkAttachment {
    fn from(NetworkAttachmentConfig { target, aliases, driver_opts }: NetworkAttachmentConfig) -> Self {
        Self { target, aliases, driver_opts }
    }
}

impl From<&model::NetworkAttachment> for NetworkAttachmentConfig {
    fn from(attachment: &model::NetworkAttachment) -> Self {
        let model::NetworkAttachment { target, aliases, driver_opts } = attachment.clone();
        Self { target, aliases, driver_opts }
    }
}

/// A network as `GET /networks` shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkInspect {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Time,
    /// `swarm` or `local`.
    pub scope: String,
    /// Its driver.
    pub driver: String,
    /// Whether it has IPv4.
    #[serde(rename = "EnableIPv4")]
    pub enable_ipv4: bool,
    /// Whether it has IPv6.
    #[serde(rename = "EnableIPv6")]
    pub enable_ipv6: bool,
    /// Address management.
    #[serde(rename = "IPAM")]
    pub ipam: NetworkIpam,
    /// Whether it has no way out.
    pub internal: bool,
    /// Whether containers outside services may join.
    pub attachable: bool,
    /// Whether it carries published ports.
    pub ingress: bool,
    /// A network whose settings it takes.
    pub config_from: ConfigFrom,
    /// Whether it only holds settings.
    pub config_only: bool,
    /// Containers of this host on it, by id.
    pub containers: BTreeMap<String, NetworkContainer>,
    /// Options of the driver.
    pub options: Labels,
    /// Labels.
    pub labels: Labels,
    /// The nodes that take part in it; only if they were asked for.
    #[serde(skip_serializing_if = "empty")]
    pub peers: Vec<NetworkPeer>,
    /// The services on it, by name; only if they were asked for.
    #[serde(skip_serializing_if = "empty")]
    pub services: BTreeMap<String, NetworkService>,
}

/// A network whose settings another takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfigFrom {
    /// Its name.
    pub network: String,
}

/// Address management as `GET /networks` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkIpam {
    /// The driver.
    pub driver: String,
    /// Its options.
    pub options: Option<Labels>,
    /// Pools.
    pub config: Vec<NetworkIpamConfig>,
}

/// A pool as `GET /networks` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkIpamConfig {
    /// The subnet.
    #[serde(skip_serializing_if = "empty")]
    pub subnet: String,
    /// The part of it that is given out.
    #[serde(rename = "IPRange", skip_serializing_if = "empty")]
    pub ip_range: String,
    /// The gateway.
    #[serde(skip_serializing_if = "empty")]
    pub gateway: String,
    /// Addresses that are never given out, by name.
    #[serde(skip_serializing_if = "empty")]
    pub auxiliary_addresses: Labels,
}

impl Network {
    /// Shows a network that every node has, as tasks on it show it.
    pub fn predefined(network: model::Predefined) -> Self {
        let driver = Driver { name: network.name().into(), options: Labels::new() };
        let at = Time::from(model::Timestamp(0));
        Self {
            id: network.id().to_string(),
            created_at: at,
            updated_at: at,
            spec: NetworkSpec {
                name: network.name().into(),
                labels: [("com.docker.swarm.predefined".to_owned(), "true".to_owned())].into(),
                driver_configuration: Some(driver.clone()),
                scope: "swarm".into(),
                ..NetworkSpec::default()
            },
            driver_state: driver,
            ..Self::default()
        }
    }

    /// Shows a network.
    pub fn new(network: &model::Network) -> Self {
        Self {
            id: network.id.to_string(),
            version: network.meta.version.into(),
            created_at: network.meta.created_at.into(),
            updated_at: network.meta.updated_at.into(),
            spec: NetworkSpec::from(&network.spec),
            driver_state: driver_state(network),
            ipam_options: network.subnet.map(|subnet| IpamOptions {
                driver: Driver {
                    name: ipam_driver(&network.spec.ipam),
                    options: network.spec.ipam.options.clone(),
                },
                configs: vec![allocated(network, subnet)],
            }),
        }
    }
}

impl NetworkInspect {
    /// Shows a network of the cluster.
    pub fn new(network: &model::Network) -> Self {
        let model::NetworkSpec {
            name,
            labels,
            driver: _,
            driver_opts: _,
            internal,
            attachable,
            ingress,
            ipam,
        } = &network.spec;
        let state = driver_state(network);
        let config = network.subnet.map(|subnet| {
            let IpamConfig { subnet, range, gateway } = allocated(network, subnet);
            let auxiliary_addresses = ipam.pools.first().map(auxiliary).unwrap_or_default();
            NetworkIpamConfig { subnet, ip_range: range, gateway, auxiliary_addresses }
        });
        Self {
            name: name.clone(),
            id: network.id.to_string(),
            created: network.meta.created_at.into(),
            scope: "swarm".into(),
            driver: state.name,
            enable_ipv4: true,
            enable_ipv6: false,
            ipam: NetworkIpam {
                driver: ipam_driver(ipam),
                options: (!ipam.options.is_empty()).then(|| ipam.options.clone()),
                config: config.into_iter().collect(),
            },
            internal: *internal,
            attachable: *attachable,
            ingress: *ingress,
            config_from: ConfigFrom::default(),
            config_only: false,
            containers: BTreeMap::new(),
            options: state.options,
            labels: labels.clone(),
            peers: Vec::new(),
            services: BTreeMap::new(),
        }
    }

    /// Shows a network that every node has, as services may name it.
    pub fn predefined(network: model::Predefined) -> Self {
        Self {
            name: network.name().into(),
            id: network.id().to_string(),
            created: model::Timestamp(0).into(),
            scope: "swarm".into(),
            driver: network.name().into(),
            enable_ipv4: true,
            ipam: NetworkIpam { driver: "default".into(), ..NetworkIpam::default() },
            labels: [("com.docker.swarm.predefined".to_owned(), "true".to_owned())].into(),
            ..Self::default()
        }
    }
}

fn driver_state(network: &model::Network) -> Driver {
    let mut options = network.spec.driver_opts.clone();
    if let Some(vni) = network.vni {
        options.insert("com.docker.network.driver.overlay.vxlanid_list".into(), vni.to_string());
    }
    let name = if network.spec.driver.is_empty() { "overlay" } else { network.spec.driver.as_str() };
    Driver { name: name.into(), options }
}

fn ipam_driver(ipam: &model::Ipam) -> String {
    if ipam.driver.is_empty() { "default".into() } else { ipam.driver.clone() }
}

fn auxiliary(pool: &model::IpamPool) -> Labels {
    pool.auxiliary.iter().map(|(name, address)| (name.clone(), address.to_string())).collect()
}

fn allocated(network: &model::Network, subnet: Subnet) -> IpamConfig {
    let range = network.spec.ipam.pools.first().and_then(|pool| pool.range);
    IpamConfig {
        subnet: subnet.to_string(),
        range: range.map(|range| range.to_string()).unwrap_or_default(),
        gateway: network.gateway().map(|gateway: Ipv4Addr| gateway.to_string()).unwrap_or_default(),
    }
}

impl From<&model::NetworkSpec> for NetworkSpec {
    fn from(spec: &model::NetworkSpec) -> Self {
        let model::NetworkSpec { name, labels, driver, driver_opts, internal, attachable, ingress, ipam } =
            spec;
        let has_driver = !driver.is_empty() || !driver_opts.is_empty();
        let has_ipam = *ipam != model::Ipam::default();
        Self {
            name: name.clone(),
            labels: labels.clone(),
            driver_configuration: has_driver
                .then(|| Driver { name: driver.clone(), options: driver_opts.clone() }),
            internal: *internal,
            attachable: *attachable,
            ingress: *ingress,
            ipam_options: has_ipam.then(|| IpamOptions {
                driver: Driver { name: ipam.driver.clone(), options: ipam.options.clone() },
                configs: ipam.pools.iter().map(IpamConfig::from).collect(),
            }),
            scope: "swarm".into(),
        }
    }
}

impl From<&model::IpamPool> for IpamConfig {
    fn from(model::IpamPool { subnet, range, gateway, auxiliary: _ }: &model::IpamPool) -> Self {
        Self {
            subnet: subnet.map(|subnet| subnet.to_string()).unwrap_or_default(),
            range: range.map(|range| range.to_string()).unwrap_or_default(),
            gateway: gateway.map(|gateway| gateway.to_string()).unwrap_or_default(),
        }
    }
}
