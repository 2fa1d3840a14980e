//! What a task's container is made of, in the words in which a user of Docker asks for a container.

use std::collections::BTreeMap;

use agent::Order;
use container_json::{Config, EndpointSettings, HostConfig, LogConfig, Resources};
use engine_json::ContainerSpec;
use image::Image;
use model::{NodeId, Predefined};

use super::TASK_LABEL;
use super::names::short_id;
use crate::host::Host;

/// What a container is made from.
pub struct Given<'a> {
    /// The task and its spec.
    pub order: &'a Order,
    /// The container's id.
    pub id: &'a str,
    /// The image.
    pub image: Image,
    /// The host it runs on.
    pub host: &'a Host,
    /// The node it runs on.
    pub node: NodeId,
    /// Its networks; none if it has the host's own.
    pub attached: Option<network::Attached>,
}

/// Claims that a task has the host's own network.
pub fn is_on_host(order: &Order) -> bool {
    let mut wishes = order.spec.task.networks.iter();
    wishes.any(|wish| Predefined::find(&wish.target) == Some(Predefined::Host))
}

/// Returns the container.
pub fn of(given: Given<'_>) -> engine::Task {
    let Given { order, id, image, host, node, attached } = given;
    let overlays = order.task.addresses.iter().map(|address| address.address);
    let on_bridge = attached.as_ref().and_then(|attached| attached.bridge_address);
    let is_led = attached.as_ref().is_some_and(|attached| attached.resolver.is_some());
    engine::Task {
        id: id.to_owned(),
        name: order.container_name(),
        config: config(order, host, node),
        host_config: host_config(order, is_led),
        addresses: on_bridge.into_iter().chain(overlays).collect(),
        networks: networks(order),
        image,
        attached,
    }
}

fn config(order: &Order, host: &Host, node: NodeId) -> Config {
    let spec = ContainerSpec::from(&order.spec.task.container);
    let words = |words: Vec<String>| (!words.is_empty()).then_some(words);
    Config {
        hostname: spec.hostname,
        user: spec.user,
        tty: spec.tty,
        open_stdin: spec.open_stdin,
        env: [own_names(order, host, node), spec.env].concat(),
        entrypoint: words(spec.command),
        cmd: words(spec.args),
        healthcheck: spec.healthcheck,
        image: spec.image,
        working_dir: spec.dir,
        labels: labels(order, node, spec.labels),
        stop_signal: spec.stop_signal,
        ..Config::default()
    }
}

/// Returns the variables by which a task may know itself.
fn own_names(order: &Order, host: &Host, node: NodeId) -> Vec<String> {
    vec![
        format!("DROVER_SERVICE_NAME={}", order.spec.service_name),
        format!("DROVER_TASK_ID={}", order.task.id),
        format!("DROVER_TASK_SLOT={}", order.task.slot),
        format!("DROVER_NODE_ID={node}"),
        format!("DROVER_NODE_HOSTNAME={}", host.hostname),
    ]
}

/// Returns the labels by which Docker's tools know a task's container.
fn labels(order: &Order, node: NodeId, of_user: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let (task, spec) = (&order.task, &order.spec);
    let own = [
        ("com.docker.swarm.task", String::new()),
        (TASK_LABEL, task.id.to_string()),
        ("com.docker.swarm.task.name", order.container_name()),
        ("com.docker.swarm.node.id", node.to_string()),
        ("com.docker.swarm.service.id", task.service.to_string()),
        ("com.docker.swarm.service.name", spec.service_name.clone()),
    ];
    let mut labels = of_user;
    labels.extend(own.map(|(key, value)| (key.to_owned(), value)));
    labels
}

fn host_config(order: &Order, has_resolver: bool) -> HostConfig {
    let spec = ContainerSpec::from(&order.spec.task.container);
    let mut dns = spec.dns_config.unwrap_or_default();
    if has_resolver {
        // Whoever answers there knows which servers the user wants asked.
        dns.nameservers = vec![network::RESOLVER.to_string()];
        if !dns.options.iter().any(|option| option.starts_with("ndots:")) {
            dns.options.push("ndots:0".to_owned());
        }
    }
    HostConfig {
        network_mode: if is_on_host(order) { "host" } else { "default" }.to_owned(),
        log_config: log_config(order),
        cap_add: spec.capability_add,
        cap_drop: spec.capability_drop,
        dns: dns.nameservers,
        dns_search: dns.search,
        dns_options: dns.options,
        extra_hosts: spec.hosts.iter().flat_map(|line| extra_hosts(line)).collect(),
        group_add: spec.groups,
        oom_score_adj: spec.oom_score_adj,
        readonly_rootfs: spec.read_only,
        security_opt: security(order),
        sysctls: spec.sysctls,
        mounts: spec.mounts,
        init: spec.init,
        resources: Resources { ulimits: spec.ulimits, ..resources(order) },
        ..HostConfig::default()
    }
}

/// Turns a line of `/etc/hosts` into the form of `--add-host`.
fn extra_hosts(line: &str) -> Vec<String> {
    let mut words = line.split_whitespace();
    let address = words.next().unwrap_or_default();
    words.map(|name| format!("{name}:{address}")).collect()
}

fn resources(order: &Order) -> Resources {
    let wanted = order.spec.task.resources.clone().unwrap_or_default();
    let limits = wanted.limits.unwrap_or_default();
    let shown = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Resources {
        memory: shown(limits.memory_bytes),
        memory_reservation: wanted.reservations.map_or(0, |kept| shown(kept.memory_bytes)),
        nano_cpus: shown(limits.nano_cpus),
        pids_limit: (limits.pids != 0).then(|| shown(limits.pids)),
        ..Resources::default()
    }
}

fn security(order: &Order) -> Vec<String> {
    let privileges = order.spec.task.container.privileges.clone().unwrap_or_default();
    let mut options = Vec::new();
    if privileges.no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    match privileges.seccomp {
        None | Some(model::Seccomp::Default) => {}
        Some(model::Seccomp::Unconfined) => options.push("seccomp=unconfined".to_owned()),
        Some(model::Seccomp::Custom(profile)) => {
            options.push(format!("seccomp={}", String::from_utf8_lossy(&profile)));
        }
    }
    if privileges.app_armor == Some(model::AppArmor::Disabled) {
        options.push("apparmor=unconfined".to_owned());
    }
    options
}

fn log_config(order: &Order) -> LogConfig {
    match &order.spec.task.log_driver {
        None => LogConfig::default(),
        Some(driver) => LogConfig { kind: driver.name.clone(), config: driver.options.clone() },
    }
}

/// Returns the task's places on its networks, by the networks' names.
fn networks(order: &Order) -> BTreeMap<String, EndpointSettings> {
    let places = order.task.addresses.iter().zip(&order.networks);
    let settings = places.map(|(address, network)| {
        // A journal of before networks had names here.
        let id = network.id.to_string();
        let name = if network.name.is_empty() { id.clone() } else { network.name.clone() };
        let names = if network.ingress { Vec::new() } else { names_of(order) };
        let place = EndpointSettings {
            dns_names: names,
            network_id: id,
            ip_address: address.address.to_string(),
            ip_prefix_len: network.subnet.prefix,
            mac_address: written(network::mac_of(address.address)),
            ..EndpointSettings::default()
        };
        (name, place)
    });
    let host = engine::NETWORK_IDS.iter().filter(|(name, _)| *name == "host" && is_on_host(order));
    let host = host.map(|(name, id)| {
        let place = EndpointSettings { network_id: (*id).to_owned(), ..EndpointSettings::default() };
        ((*name).to_owned(), place)
    });
    settings.chain(host).collect()
}

/// Returns the names by which other containers find the task's.
fn names_of(order: &Order) -> Vec<String> {
    let hostname = order.spec.task.container.hostname.clone();
    let names = [order.container_name(), short_id(order.task.id), hostname];
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

fn written(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
