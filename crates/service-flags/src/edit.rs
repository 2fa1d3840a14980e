//! Lists that `service update` edits: first what goes, then what comes.

use std::collections::BTreeMap;

use clap::Args;
use engine_json::{
    ContainerSpec, GenericResource, Mount, NetworkAttachmentConfig, Placement, PortConfig, Preference,
    ServiceSpec, SpreadOver, Ulimit,
};
use flags::text::{capability, pair};

use crate::pairs::Environment;
use crate::port::Ports;
use crate::{mount, pairs};

/// Edits of lists.
#[derive(Debug, Args)]
pub struct Edits {
    /// Add a capability
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Drop a capability
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Add a constraint
    #[arg(long, value_name = "CONSTRAINT")]
    constraint_add: Vec<String>,
    /// Take a constraint away
    #[arg(long, value_name = "CONSTRAINT")]
    constraint_rm: Vec<String>,
    /// Add or replace a label of the containers
    #[arg(long, value_name = "KEY=VALUE")]
    container_label_add: Vec<String>,
    /// Take a label of the containers away
    #[arg(long, value_name = "KEY")]
    container_label_rm: Vec<String>,
    /// Add a resolver
    #[arg(long, value_name = "ADDRESS")]
    dns_add: Vec<String>,
    /// Take a resolver away
    #[arg(long, value_name = "ADDRESS")]
    dns_rm: Vec<String>,
    /// Add an option of the resolver
    #[arg(long, value_name = "OPTION")]
    dns_option_add: Vec<String>,
    /// Take an option of the resolver away
    #[arg(long, value_name = "OPTION")]
    dns_option_rm: Vec<String>,
    /// Add a search domain
    #[arg(long, value_name = "DOMAIN")]
    dns_search_add: Vec<String>,
    /// Take a search domain away
    #[arg(long, value_name = "DOMAIN")]
    dns_search_rm: Vec<String>,
    /// Add or replace an environment variable
    #[arg(long, value_name = "KEY=VALUE", value_parser = pairs::variable)]
    env_add: Vec<String>,
    /// Take an environment variable away
    #[arg(long, value_name = "KEY")]
    env_rm: Vec<String>,
    /// Add or replace a counted resource
    #[arg(long, value_name = "KIND=COUNT", value_parser = pairs::generic_resource)]
    generic_resource_add: Vec<GenericResource>,
    /// Take a counted resource away
    #[arg(long, value_name = "KIND")]
    generic_resource_rm: Vec<String>,
    /// Add a group of the user
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Take a group of the user away
    #[arg(long, value_name = "GROUP")]
    group_rm: Vec<String>,
    /// Add a line of `/etc/hosts`
    #[arg(long, value_name = "HOST:ADDRESS", value_parser = pairs::host)]
    host_add: Vec<String>,
    /// Take a host out of `/etc/hosts`
    #[arg(long, value_name = "HOST[:ADDRESS]")]
    host_rm: Vec<String>,
    /// Add or replace a label of the service
    #[arg(long, value_name = "KEY=VALUE")]
    label_add: Vec<String>,
    /// Take a label of the service away
    #[arg(long, value_name = "KEY")]
    label_rm: Vec<String>,
    /// Add or replace something mounted
    #[arg(long, value_name = "MOUNT", value_parser = mount::parse)]
    mount_add: Vec<Mount>,
    /// Take away what is mounted at a path
    #[arg(long, value_name = "TARGET")]
    mount_rm: Vec<String>,
    /// Add a network
    #[arg(long, value_name = "NETWORK", value_parser = pairs::network)]
    pub(crate) network_add: Vec<NetworkAttachmentConfig>,
    /// Take a network away
    #[arg(long, value_name = "NETWORK")]
    pub(crate) network_rm: Vec<String>,
    /// Add a placement preference
    #[arg(long, value_name = "PREFERENCE", value_parser = pairs::spread)]
    placement_pref_add: Vec<String>,
    /// Take a placement preference away
    #[arg(long, value_name = "PREFERENCE", value_parser = pairs::spread)]
    placement_pref_rm: Vec<String>,
    /// Publish a port
    #[arg(long, value_name = "PORT", value_parser = Ports::parse)]
    publish_add: Vec<Ports>,
    /// Stop publishing a target port
    #[arg(long, value_name = "TARGET", value_parser = Ports::parse)]
    publish_rm: Vec<Ports>,
    /// Add or replace a kernel parameter
    #[arg(long, value_name = "KEY=VALUE")]
    sysctl_add: Vec<String>,
    /// Take a kernel parameter away
    #[arg(long, value_name = "KEY")]
    sysctl_rm: Vec<String>,
    /// Add or replace a limit of the containers' processes
    #[arg(long, value_name = "LIMIT", value_parser = pairs::ulimit)]
    ulimit_add: Vec<Ulimit>,
    /// Take a limit of the containers' processes away
    #[arg(long, value_name = "NAME")]
    ulimit_rm: Vec<String>,
}

impl Edits {
    /// Edits a spec; networks are named by id there, and edited by the caller.
    pub(crate) fn apply(&self, spec: &mut ServiceSpec, environment: Environment<'_>) {
        map(&mut spec.labels, &self.label_rm, &self.label_add);
        self.port_labels(&mut spec.labels);
        within(&mut spec.endpoint_spec, |endpoint| self.ports(&mut endpoint.ports));
        let task = &mut spec.task_template;
        within(&mut task.placement, |placement| self.placement(placement));
        within(&mut task.resources, |resources| {
            within(&mut resources.reservations, |kept| {
                let kinds = &mut kept.generic_resources;
                keyed(kinds, &self.generic_resource_rm, &self.generic_resource_add, pairs::kind_of);
            });
        });
        within(&mut task.container_spec, |container| self.container(container, environment));
    }

    fn placement(&self, placement: &mut Placement) {
        list(&mut placement.constraints, &self.constraint_rm, &self.constraint_add);
        let over =
            |label: &String| Preference { spread: Some(SpreadOver { spread_descriptor: label.clone() }) };
        placement
            .preferences
            .retain(|known| !self.placement_pref_rm.iter().any(|label| *known == over(label)));
        placement.preferences.extend(self.placement_pref_add.iter().map(over));
    }

    fn container(&self, container: &mut ContainerSpec, environment: Environment<'_>) {
        map(&mut container.labels, &self.container_label_rm, &self.container_label_add);
        map(&mut container.sysctls, &self.sysctl_rm, &self.sysctl_add);
        let env_add: Vec<String> =
            self.env_add.iter().map(|variable| pairs::completed(variable, environment)).collect();
        keyed(&mut container.env, &self.env_rm, &env_add, |variable| pairs::name_of(variable));
        if !self.mount_rm.is_empty() || !self.mount_add.is_empty() {
            keyed(&mut container.mounts, &self.mount_rm, &self.mount_add, |mount| &mount.target);
            container.mounts.sort_by(|a, b| a.source.cmp(&b.source));
        }
        keyed(&mut container.ulimits, &self.ulimit_rm, &self.ulimit_add, |limit| &limit.name);
        list(&mut container.groups, &self.group_rm, &self.group_add);
        self.hosts(&mut container.hosts);
        within(&mut container.dns_config, |dns| {
            list(&mut dns.nameservers, &self.dns_rm, &self.dns_add);
            list(&mut dns.search, &self.dns_search_rm, &self.dns_search_add);
            list(&mut dns.options, &self.dns_option_rm, &self.dns_option_add);
        });
        capabilities(&mut container.capability_add, &mut container.capability_drop, &self.cap_add);
        capabilities(&mut container.capability_drop, &mut container.capability_add, &self.cap_drop);
    }

    fn hosts(&self, hosts: &mut Vec<String>) {
        for gone in &self.host_rm {
            let (name, address) = gone.split_once([':', '=']).unwrap_or((gone, ""));
            hosts.retain(|line| {
                let mut words = line.split_whitespace();
                let has_address = words.next().is_some_and(|known| address.is_empty() || known == address);
                !(has_address && words.any(|known| known == name))
            });
        }
        list(hosts, &[], &self.host_add);
    }

    /// What says how a port is carried comes and goes with it.
    fn port_labels(&self, labels: &mut BTreeMap<String, String>) {
        for gone in self.publish_rm.iter().flat_map(Ports::label_names) {
            labels.remove(&gone);
        }
        labels.extend(self.publish_add.iter().flat_map(|ports| ports.labels.clone()));
    }

    fn ports(&self, ports: &mut Vec<PortConfig>) {
        let added: Vec<&PortConfig> = self.publish_add.iter().flat_map(|ports| &ports.configs).collect();
        let removed: Vec<&PortConfig> = self.publish_rm.iter().flat_map(|ports| &ports.configs).collect();
        if added.is_empty() && removed.is_empty() {
            return;
        }
        let is_gone = |port: &PortConfig| {
            removed.iter().any(|gone| {
                gone.target_port == port.target_port
                    && gone.protocol == port.protocol
                    && (gone.published_port == 0 || gone.published_port == port.published_port)
            })
        };
        ports.retain(|port| !is_gone(port));
        for port in added {
            if !ports.contains(port) {
                ports.push(port.clone());
            }
        }
        ports.sort_by_key(|port| {
            format!("{}:{}/{}/{}", port.published_port, port.target_port, port.protocol, port.publish_mode)
        });
    }
}

/// Edits what may be absent; what stays empty stays absent, because its appearance would restart tasks.
fn within<T: Default + PartialEq>(slot: &mut Option<T>, edit: impl FnOnce(&mut T)) {
    match slot {
        Some(value) => edit(value),
        None => {
            let mut value = T::default();
            edit(&mut value);
            *slot = (value != T::default()).then_some(value);
        }
    }
}

fn map(map: &mut BTreeMap<String, String>, gone: &[String], added: &[String]) {
    gone.iter().for_each(|key| {
        map.remove(key);
    });
    map.extend(added.iter().map(|text| pair(text)));
}

fn list(list: &mut Vec<String>, gone: &[String], added: &[String]) {
    list.retain(|known| !gone.contains(known));
    for item in added {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

/// Edits a list in which each item has a key of its own; an added item takes the place of its namesake.
fn keyed<T: Clone>(list: &mut Vec<T>, gone: &[String], added: &[T], key: impl Fn(&T) -> &str) {
    list.retain(|item| !gone.iter().any(|gone| gone == key(item)));
    for item in added {
        match list.iter_mut().find(|known| key(known) == key(item)) {
            Some(known) => *known = item.clone(),
            None => list.push(item.clone()),
        }
    }
}

/// Adds capabilities to one list and takes them from its opposite.
fn capabilities(list: &mut Vec<String>, opposite: &mut Vec<String>, added: &[String]) {
    for name in added {
        let name = capability(name);
        opposite.retain(|known| *known != name);
        if !list.contains(&name) {
            list.push(name);
            list.sort();
        }
    }
}
