//! What a task's container is made of: the service's spec over the image's defaults.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use agent::Order;
use container::{LogOptions, Mount, MountKind, Propagation, Resources, Seccomp, Spec, Submounts, Ulimit};
use image::Image;
use model::{ContainerSpec, LogDriver, NodeId};

use super::{TASK_LABEL, files};
use crate::host::Host;

/// What a container is made from.
pub struct Given<'a> {
    /// The task and its spec.
    pub order: &'a Order,
    /// The container's id.
    pub id: &'a str,
    /// The image.
    pub image: &'a Image,
    /// The host it runs on.
    pub host: &'a Host,
    /// The node it runs on.
    pub node: NodeId,
    /// Its networks.
    pub attached: &'a network::Attached,
}

/// Returns the container's spec, or why it cannot be made, in the user's words.
pub fn of(given: &Given<'_>) -> Result<Spec, String> {
    let spec = &given.order.spec.task.container;
    let config = &given.image.config;
    let hostname = if spec.hostname.is_empty() { given.id[..12].to_owned() } else { spec.hostname.clone() };
    let seccomp = seccomp(spec)?;
    let privileges = spec.privileges.clone().unwrap_or_default();
    let signal = if spec.stop_signal.is_empty() { &config.stop_signal } else { &spec.stop_signal };
    let stop_signal = (!signal.is_empty())
        .then(|| signal.parse())
        .transpose()
        .map_err(|error: container::ParseSignalError| error.to_string())?;
    Ok(Spec {
        id: given.id.to_owned(),
        args: args(spec, given.image)?,
        env: env(given, &config.env, &spec.env),
        cwd: if spec.dir.is_empty() { config.working_dir.clone() } else { spec.dir.clone() },
        user: if spec.user.is_empty() { config.user.clone() } else { spec.user.clone() },
        groups: spec.groups.clone(),
        files: files(given, &hostname),
        hostname,
        layers: given.image.layers.clone(),
        read_only: spec.read_only,
        mounts: spec.mounts.iter().map(mount).collect::<Result<_, _>>()?,
        network_namespace: Some(given.attached.namespace.clone()),
        resources: resources(given.order),
        capabilities_add: spec.capability_add.clone(),
        capabilities_drop: spec.capability_drop.clone(),
        privileged: false,
        seccomp,
        no_new_privileges: privileges.no_new_privileges,
        sysctls: spec.sysctls.clone(),
        ulimits: spec.ulimits.iter().map(ulimit).collect(),
        // Said also where it is 0: the daemon may have one of its own, which is not for containers.
        oom_score_adj: i32::try_from(spec.oom_score_adj).ok(),
        init: spec.init.unwrap_or(false),
        tty: spec.tty,
        open_stdin: spec.open_stdin,
        stop_signal,
        log: log(given.order.spec.task.log_driver.as_ref())?,
        labels: labels(given),
        ..Spec::default()
    })
}

/// Returns program and arguments: as in Docker, a command of the service's silences the image's arguments.
fn args(spec: &ContainerSpec, image: &Image) -> Result<Vec<String>, String> {
    let (entrypoint, cmd) = if spec.command.is_empty() {
        let of_image = image.config.cmd.as_deref().unwrap_or_default();
        let cmd = if spec.args.is_empty() { of_image } else { &spec.args };
        (image.config.entrypoint.as_deref().unwrap_or_default(), cmd)
    } else {
        (spec.command.as_slice(), spec.args.as_slice())
    };
    let args: Vec<String> = entrypoint.iter().chain(cmd).cloned().collect();
    if args.is_empty() {
        return Err(format!(
            "no command specified: image {} has none, and the service gives none",
            spec.image
        ));
    }
    Ok(args)
}

/// Returns the environment: the image's, over it the service's, and the names by which a task may know itself.
fn env(given: &Given<'_>, of_image: &[String], of_service: &[String]) -> Vec<String> {
    let task = &given.order.task;
    let own = [
        format!("DROVER_SERVICE_NAME={}", given.order.spec.service_name),
        format!("DROVER_TASK_ID={}", task.id),
        format!("DROVER_TASK_SLOT={}", task.slot),
        format!("DROVER_NODE_ID={}", given.node),
        format!("DROVER_NODE_HOSTNAME={}", given.host.hostname),
    ];
    let mut merged: Vec<String> = Vec::new();
    for entry in own.iter().chain(of_image).chain(of_service) {
        let key = entry.split('=').next().unwrap_or_default();
        merged.retain(|other| other.split('=').next() != Some(key));
        // A key without a value takes the variable away.
        if entry.contains('=') {
            merged.push(entry.clone());
        }
    }
    merged
}

fn files(given: &Given<'_>, hostname: &str) -> Vec<container::FileInRoot> {
    let spec = &given.order.spec.task.container;
    let overlays = given.order.task.addresses.iter().map(|address| IpAddr::V4(address.address));
    let addresses: Vec<IpAddr> =
        given.attached.bridge_address.map(IpAddr::V4).into_iter().chain(overlays).collect();
    let host_resolv_conf = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    files::of(&files::Content {
        hostname,
        addresses: &addresses,
        hosts: &spec.hosts,
        dns: spec.dns.as_ref(),
        host_resolv_conf: &host_resolv_conf,
    })
}

fn mount(mount: &model::Mount) -> Result<Mount, String> {
    let kind = match &mount.kind {
        model::MountKind::Bind(options) => {
            if options.create_mountpoint {
                std::fs::create_dir_all(&mount.source).map_err(|error| {
                    format!("invalid mount config for type \"bind\": make {}: {error}", mount.source)
                })?;
            }
            if !std::path::Path::new(&mount.source).exists() {
                return Err(format!(
                    "invalid mount config for type \"bind\": bind source path does not exist: {}",
                    mount.source
                ));
            }
            let propagation = match options.propagation.as_str() {
                "" | "private" | "rprivate" => Propagation::Private,
                "slave" | "rslave" => Propagation::Slave,
                "shared" | "rshared" => Propagation::Shared,
                other => {
                    return Err(format!(
                        "invalid mount config for type \"bind\": invalid propagation mode: {other}"
                    ));
                }
            };
            MountKind::Bind {
                source: PathBuf::from(&mount.source),
                subpath: None,
                propagation,
                submounts: Submounts::default(),
            }
        }
        model::MountKind::Tmpfs(options) => MountKind::Tmpfs {
            size_bytes: (options.size_bytes != 0).then_some(options.size_bytes),
            mode: (options.mode != 0).then_some(options.mode),
            options: Vec::new(),
        },
        model::MountKind::Volume(_) | model::MountKind::Image { .. } => {
            return Err(format!(
                "invalid mount config for {}: services can mount type=bind and type=tmpfs",
                mount.target
            ));
        }
    };
    Ok(Mount { target: PathBuf::from(&mount.target), kind, read_only: mount.read_only })
}

fn resources(order: &Order) -> Resources {
    let wanted = order.spec.task.resources.clone().unwrap_or_default();
    let limits = wanted.limits.unwrap_or_default();
    let some = |value: u64| (value != 0).then_some(value);
    Resources {
        memory_bytes: some(limits.memory_bytes),
        memory_reservation_bytes: wanted.reservations.and_then(|kept| some(kept.memory_bytes)),
        nano_cpus: some(limits.nano_cpus),
        pids: some(limits.pids),
        ..Resources::default()
    }
}

fn seccomp(spec: &ContainerSpec) -> Result<Seccomp, String> {
    match spec.privileges.as_ref().and_then(|privileges| privileges.seccomp.as_ref()) {
        None | Some(model::Seccomp::Default) => Ok(Seccomp::Default),
        Some(model::Seccomp::Unconfined) => Ok(Seccomp::Unconfined),
        Some(model::Seccomp::Custom(_)) => {
            Err("a seccomp profile of one's own is not supported: use the default one or unconfined".into())
        }
    }
}

fn ulimit(limit: &model::Ulimit) -> Ulimit {
    let value = |limit: i64| u64::try_from(limit).unwrap_or(u64::MAX);
    Ulimit { name: limit.name.clone(), soft: value(limit.soft), hard: value(limit.hard) }
}

fn log(driver: Option<&LogDriver>) -> Result<LogOptions, String> {
    let Some(driver) = driver else { return Ok(LogOptions::default()) };
    if !matches!(driver.name.as_str(), "" | "json-file" | "local") {
        return Err(format!("log driver {:?} is not supported: use json-file", driver.name));
    }
    let mut options = LogOptions::default();
    for (key, value) in &driver.options {
        match key.as_str() {
            "max-size" => options.max_size_bytes = Some(bytes(value)?),
            "max-file" => {
                let count =
                    value.parse().map_err(|_| format!("log option max-file={value} is not a number"))?;
                options.max_files = Some(count);
            }
            other => return Err(format!("unknown log opt '{other}' for {} log driver", driver.name)),
        }
    }
    Ok(options)
}

/// Reads a size such as `10m`.
fn bytes(text: &str) -> Result<u64, String> {
    let refuse = || format!("log option max-size={text} is not a size such as 10m");
    let lower = text.to_ascii_lowercase();
    let number = lower.trim_end_matches('b');
    let (digits, shift) = match number.chars().last() {
        Some('k') => (&number[..number.len() - 1], 10),
        Some('m') => (&number[..number.len() - 1], 20),
        Some('g') => (&number[..number.len() - 1], 30),
        Some(_) | None => (number, 0),
    };
    digits.parse::<u64>().ok().and_then(|value| value.checked_mul(1 << shift)).ok_or_else(refuse)
}

/// Returns the labels by which Docker's tools know a task's container.
fn labels(given: &Given<'_>) -> BTreeMap<String, String> {
    let (task, spec) = (&given.order.task, &given.order.spec);
    let name = format!("{}.{}.{}", spec.service_name, task.slot, task.id);
    let mut labels = given.image.config.labels.clone();
    labels.extend(spec.task.container.labels.clone());
    let own = [
        ("com.docker.swarm.task", String::new()),
        (TASK_LABEL, task.id.to_string()),
        ("com.docker.swarm.task.name", name),
        ("com.docker.swarm.node.id", given.node.to_string()),
        ("com.docker.swarm.service.id", task.service.to_string()),
        ("com.docker.swarm.service.name", spec.service_name.clone()),
        ("drover.image", spec.task.container.image.clone()),
        ("drover.image.id", given.image.id.to_string()),
    ];
    labels.extend(own.map(|(key, value)| (key.to_owned(), value)));
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_docker_units() {
        assert_eq!(bytes("10m"), Ok(10 << 20));
        assert_eq!(bytes("1KB"), Ok(1 << 10));
        assert_eq!(bytes("512"), Ok(512));
        assert!(bytes("10x").is_err() && bytes("").is_err() && bytes("99999999999g").is_err());
    }

    #[test]
    fn only_known_log_options_are_taken() {
        let driver = |name: &str, key: &str, value: &str| LogDriver {
            name: name.into(),
            options: [(key.to_owned(), value.to_owned())].into(),
        };

        assert_eq!(log(Some(&driver("json-file", "max-file", "3"))).map(|log| log.max_files), Ok(Some(3)));
        assert!(log(Some(&driver("json-file", "max-fil", "3"))).is_err());
        assert!(log(Some(&driver("syslog", "tag", "x"))).is_err());
    }
}
