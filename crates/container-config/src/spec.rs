//! What a container is made of: decided here, from its configuration and what there is on the host.

mod command;
mod files;
mod log;
mod resources;
mod security;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use container::{
    CgroupNamespace, Device, FileInRoot, Ipc, MountKind, PidSpace, Propagation, Size, Spec, Uts,
};
use container_json::{Config, HostConfig};

use crate::Error;
use crate::mounts::{Mount, Source, Submounts};

pub use command::{args, merge};
pub(crate) use files::extra_host;
pub use log::LOG_DRIVERS;
pub use resources::resources;

/// One container, and what there is on the host for it.
pub struct Given<'a> {
    /// Its id.
    pub id: &'a str,
    /// What runs in it, the image's word included.
    pub config: &'a Config,
    /// What it has of its host.
    pub host_config: &'a HostConfig,
    /// What is mounted in it.
    pub mounts: &'a [Mount],
    /// The layers of its image, topmost first.
    pub layers: Vec<PathBuf>,
    /// Where its volumes are, by name.
    pub volumes: &'a BTreeMap<String, PathBuf>,
    /// How it is reached.
    pub reach: Reach,
    /// The first process of the container whose processes it sees, if it sees those.
    pub pid_peer: Option<i32>,
    /// The first process of the container whose shared memory it sees, if it sees that.
    pub ipc_peer: Option<i32>,
    /// The host's own files and name.
    pub host: &'a HostFiles,
}

/// How a container is reached.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Not yet: it does not run.
    Nowhere,
    /// By a network namespace of its own.
    Own {
        /// The namespace.
        namespace: PathBuf,
        /// Its addresses; the first is its name's.
        addresses: Vec<Ipv4Addr>,
        /// The host's address towards it.
        gateway: Ipv4Addr,
    },
    /// As the host.
    Host,
    /// As another container, whose names it shares.
    Joined {
        /// The namespace.
        namespace: PathBuf,
        /// The other's host name.
        hostname: String,
        /// The other's `/etc/hosts` and what else names hosts.
        files: Vec<FileInRoot>,
    },
}

/// What the host has that containers take over.
#[derive(Debug, Clone, Default)]
pub struct HostFiles {
    /// Its name.
    pub hostname: String,
    /// Its `/etc/hosts`.
    pub hosts: String,
    /// Its `/etc/resolv.conf`.
    pub resolv_conf: String,
}

/// Returns what the container is made of.
pub fn decide(given: &Given<'_>) -> Result<Spec, Error> {
    let Given { id, config, host_config, mounts, .. } = *given;
    let security = security::of(host_config)?;
    let hostname = match &given.reach {
        Reach::Joined { hostname, .. } => hostname.clone(),
        Reach::Host if config.hostname.is_empty() => given.host.hostname.clone(),
        Reach::Nowhere | Reach::Own { .. } | Reach::Host => config.hostname.clone(),
    };
    let network_namespace = match &given.reach {
        Reach::Own { namespace, .. } | Reach::Joined { namespace, .. } => Some(namespace.clone()),
        Reach::Nowhere | Reach::Host => None,
    };
    Ok(Spec {
        id: id.to_owned(),
        args: args(config),
        env: command::env(config),
        cwd: config.working_dir.clone(),
        user: config.user.clone(),
        groups: host_config.group_add.clone(),
        files: without_mounted(files::of(given, &hostname)?, mounts),
        hostname,
        domainname: config.domainname.clone(),
        layers: given.layers.clone(),
        read_only: host_config.readonly_rootfs,
        mounts: mounts.iter().map(|mount| mounted(mount, given.volumes)).collect::<Result<_, _>>()?,
        network_namespace,
        ipc: ipc(&host_config.ipc_mode, given.ipc_peer),
        pid: pid(&host_config.pid_mode, given.pid_peer),
        uts: if host_config.uts_mode == "host" { Uts::Host } else { Uts::Private },
        cgroup_namespace: match host_config.cgroupns_mode.as_str() {
            "private" => CgroupNamespace::Private,
            "host" => CgroupNamespace::Host,
            _ => CgroupNamespace::Usual,
        },
        shm_bytes: u64::try_from(host_config.shm_size).ok().filter(|size| *size != 0),
        devices: host_config.resources.devices.iter().map(device).collect(),
        device_rules: host_config.resources.device_cgroup_rules.clone(),
        resources: resources(&host_config.resources),
        capabilities_add: host_config.cap_add.clone(),
        capabilities_drop: host_config.cap_drop.clone(),
        privileged: host_config.privileged,
        seccomp: security.seccomp,
        no_new_privileges: security.no_new_privileges,
        apparmor: security.apparmor,
        masked_paths: host_config.masked_paths.clone(),
        read_only_paths: host_config.readonly_paths.clone(),
        sysctls: sysctls(host_config, &given.reach),
        ulimits: resources::ulimits(&host_config.resources),
        // Said also where it is 0: the daemon may have one of its own, which is not for containers.
        oom_score_adj: i32::try_from(host_config.oom_score_adj).ok(),
        init: host_config.init.unwrap_or(false),
        tty: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        console: Some(host_config.console_size).filter(|size| *size != [0, 0]).map(size),
        stop_signal: command::stop_signal(config)?,
        log: log::options(&host_config.log_config)?,
        discard_log: log::is_discarded(&host_config.log_config),
        labels: config.labels.clone(),
    })
}

/// Reads height and width of a terminal as clients write them.
pub fn size([rows, columns]: [u32; 2]) -> Size {
    let fitting = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    Size { rows: fitting(rows), columns: fitting(columns) }
}

/// The user's own mount at the path of such a file wins.
fn without_mounted(files: Vec<FileInRoot>, mounts: &[Mount]) -> Vec<FileInRoot> {
    let is_free =
        |file: &FileInRoot| mounts.iter().all(|mount| file.target.as_os_str() != mount.target.as_str());
    files.into_iter().filter(is_free).collect()
}

fn mounted(mount: &Mount, volumes: &BTreeMap<String, PathBuf>) -> Result<container::Mount, Error> {
    let kind = match &mount.source {
        Source::Bind { path, propagation, submounts, is_made: _ } => MountKind::Bind {
            source: PathBuf::from(path),
            subpath: None,
            propagation: match propagation.as_str() {
                "shared" | "rshared" => Propagation::Shared,
                "slave" | "rslave" => Propagation::Slave,
                _ => Propagation::Private,
            },
            submounts: match submounts {
                Submounts::Included => container::Submounts::Included,
                Submounts::Writable => container::Submounts::Writable,
                Submounts::Excluded => container::Submounts::Excluded,
            },
        },
        Source::Volume { name, subpath, .. } => MountKind::Bind {
            source: volumes
                .get(name)
                .cloned()
                .ok_or_else(|| Error::not_found(format!("get {name}: no such volume")))?,
            subpath: (!subpath.is_empty()).then(|| PathBuf::from(subpath)),
            propagation: Propagation::Private,
            submounts: container::Submounts::Included,
        },
        Source::Tmpfs { size_bytes, mode, options } => {
            MountKind::Tmpfs { size_bytes: *size_bytes, mode: *mode, options: options.clone() }
        }
    };
    Ok(container::Mount { target: PathBuf::from(&mount.target), kind, read_only: mount.read_only })
}

fn ipc(mode: &str, peer: Option<i32>) -> Ipc {
    match (mode, peer) {
        (_, Some(pid)) => Ipc::Joined(PathBuf::from(format!("/proc/{pid}/ns/ipc"))),
        ("host", None) => Ipc::Host,
        ("shareable", None) => Ipc::Shareable,
        ("none", None) => Ipc::WithoutShm,
        (_, None) => Ipc::Private,
    }
}

fn pid(mode: &str, peer: Option<i32>) -> PidSpace {
    match (mode, peer) {
        (_, Some(pid)) => PidSpace::Joined(PathBuf::from(format!("/proc/{pid}/ns/pid"))),
        ("host", None) => PidSpace::Host,
        (_, None) => PidSpace::Private,
    }
}

/// Leaves those of a network out as long as there is none that they could be set in.
fn sysctls(host_config: &HostConfig, reach: &Reach) -> BTreeMap<String, String> {
    let is_of_network = |name: &str| name.replace('/', ".").starts_with("net.");
    let mut all = host_config.sysctls.clone();
    all.retain(|name, _| !(matches!(reach, Reach::Nowhere) && is_of_network(name)));
    all
}

fn device(device: &container_json::DeviceMapping) -> Device {
    let target =
        if device.path_in_container.is_empty() { &device.path_on_host } else { &device.path_in_container };
    Device {
        host: PathBuf::from(&device.path_on_host),
        target: PathBuf::from(target),
        permissions: device.cgroup_permissions.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mounts;

    fn decided(change: impl FnOnce(&mut Config, &mut HostConfig)) -> Spec {
        let cmd = Some(vec!["true".into()]);
        let mut config = Config { cmd, hostname: "aa11".into(), ..Config::default() };
        let mut host_config = HostConfig::default();
        change(&mut config, &mut host_config);
        let mounts = mounts::wanted(&config, &host_config, &[]).unwrap();
        let host = HostFiles { hostname: "node".into(), hosts: "host's".into(), resolv_conf: String::new() };
        let volumes = [("db".to_owned(), PathBuf::from("/volumes/db/_data"))].into();
        let reach = match host_config.network_mode.as_str() {
            "host" => Reach::Host,
            _ => Reach::Own {
                namespace: "/run/netns/aa11".into(),
                addresses: vec![Ipv4Addr::new(172, 31, 0, 2)],
                gateway: Ipv4Addr::new(172, 31, 0, 1),
            },
        };
        let given = Given {
            id: "aa11",
            config: &config,
            host_config: &host_config,
            mounts: &mounts,
            layers: vec!["/layer".into()],
            volumes: &volumes,
            reach,
            pid_peer: (host_config.pid_mode == "container:x").then_some(7),
            ipc_peer: None,
            host: &host,
        };
        decide(&given).unwrap()
    }

    #[test]
    fn volumes_are_bound_from_where_they_are() {
        let spec = decided(|_, host_config| {
            host_config.binds = vec!["db:/data:ro".into(), "/srv:/srv:rslave".into()]
        });

        let kinds: Vec<_> = spec.mounts.iter().map(|mount| (&mount.kind, mount.read_only)).collect();
        assert!(
            matches!(kinds[0], (MountKind::Bind { source, .. }, true) if source.ends_with("db/_data")),
            "{kinds:?}"
        );
        assert!(matches!(kinds[1], (MountKind::Bind { propagation: Propagation::Slave, .. }, false)));
    }

    #[test]
    fn namespaces_are_those_of_the_modes() {
        let spec = decided(|_, host_config| {
            host_config.pid_mode = "container:x".into();
            host_config.ipc_mode = "none".into();
            host_config.uts_mode = "host".into();
        });

        assert_eq!(spec.pid, PidSpace::Joined("/proc/7/ns/pid".into()));
        assert_eq!((spec.ipc, spec.uts), (Ipc::WithoutShm, Uts::Host));
        assert_eq!(spec.network_namespace, Some("/run/netns/aa11".into()));
        let spec = decided(|config, host_config| {
            host_config.network_mode = "host".into();
            config.hostname = String::new();
        });
        assert_eq!((spec.network_namespace, spec.hostname.as_str()), (None, "node"));
    }

    #[test]
    fn a_mount_of_the_users_hides_the_file_that_is_made() {
        let spec = decided(|_, host_config| host_config.binds = vec!["/x:/etc/hosts".into()]);

        let files: Vec<_> = spec.files.iter().map(|file| file.target.display().to_string()).collect();
        assert_eq!(files, ["/etc/hostname", "/etc/resolv.conf"]);
    }
}
