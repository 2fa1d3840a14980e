//! What containers look like: in full, and in a list.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use container_config::check::NetworkMode;
use container_config::mounts::{Mount, Source};
use container_config::{complete, ports, spec};
use container_json::{
    EndpointSettings, GraphDriver, Inspect, MountPoint, NetworkSettings, Summary, SummaryHostConfig,
    SummaryNetworks,
};
use image::InUse;
use network::Attached;

use crate::create::seconds;
use crate::engine::now;
use crate::life::Step;
use crate::places::Places;
use crate::record::{Origin, Record};
use crate::table::Entry;
use crate::{Engine, Error, state};

/// The ids of the networks that every host has.
pub const NETWORK_IDS: &[(&str, &str)] = &[
    ("bridge", "b21d9e0000000000000000000000000000000000000000000000000000000001"),
    ("host", "b21d9e0000000000000000000000000000000000000000000000000000000002"),
    ("none", "b21d9e0000000000000000000000000000000000000000000000000000000003"),
];

/// Whether it is measured what containers take on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    /// It is, which takes a while.
    Measured,
    /// It is not.
    Unknown,
}

/// Bytes on disk.
struct Measured {
    /// What the container wrote.
    own: i64,
    /// That, and its image.
    whole: i64,
}

impl Engine {
    /// Lists all containers, those made last first.
    pub async fn list(&self, sizes: Sizes) -> Vec<Summary> {
        let mut attached = self.network().attached();
        let mut entries = self.table().all();
        // By the exact time: what is listed has whole seconds, in which a script makes many.
        entries.sort_by_cached_key(|entry| Reverse(entry.record().created));
        let mut list = Vec::with_capacity(entries.len());
        for entry in entries {
            let measured = self.measured(&entry, sizes).await;
            list.push(self.summary(&entry, attached.remove(&entry.id).as_ref(), measured));
        }
        list
    }

    fn summary(&self, entry: &Entry, attached: Option<&Attached>, measured: Option<Measured>) -> Summary {
        let state = self.state(entry);
        let record = entry.record().clone();
        let given = attached.map(|attached| attached.host_ports.as_slice()).unwrap_or_default();
        let is_alive = state.running && !state.restarting;
        Summary {
            names: vec![format!("/{}", record.name)],
            image: self.shown_image(&record),
            image_id: record.image_id.clone(),
            command: command_line(&spec::args(&record.config)),
            created: seconds(record.created),
            ports: if is_alive { ports::listed(&record.config, given) } else { Vec::new() },
            size_rw: measured.as_ref().map_or(0, |measured| measured.own),
            size_root_fs: measured.map_or(0, |measured| measured.whole),
            labels: record.config.labels.clone(),
            status: state::line(&state, now()),
            state: state.status,
            host_config: SummaryHostConfig {
                network_mode: record.host_config.network_mode.clone(),
                annotations: record.host_config.annotations.clone(),
            },
            network_settings: SummaryNetworks { networks: self.networks(&record, attached) },
            mounts: record.mounts.iter().filter_map(|mount| self.mount_point(&record, mount)).collect(),
            id: record.id,
        }
    }

    /// Describes a container in full.
    pub async fn inspect(&self, name: &str, sizes: Sizes) -> Result<Inspect, Error> {
        let entry = self.entry(name)?;
        let measured = self.measured(&entry, sizes).await;
        let state = self.state(&entry);
        let record = entry.record().clone();
        let attached = self.network().attached().remove(&entry.id);
        let mut args = spec::args(&record.config).into_iter();
        let Places { log, hostname, hosts, resolv_conf } = self.places(&entry.id);
        Ok(Inspect {
            log_path: log,
            hostname_path: hostname,
            hosts_path: hosts,
            resolv_conf_path: resolv_conf,
            created: record.created,
            path: args.next().unwrap_or_default(),
            args: args.collect(),
            image: record.image_id.clone(),
            name: format!("/{}", record.name),
            restart_count: record.restart_count,
            driver: "overlay2".to_owned(),
            platform: "linux".to_owned(),
            app_armor_profile: String::new(),
            exec_ids: self.execs_of(&entry.id),
            graph_driver: self.graph_driver(&record),
            size_rw: measured.as_ref().map(|measured| measured.own),
            size_root_fs: measured.map(|measured| measured.whole),
            mounts: record.mounts.iter().filter_map(|mount| self.mount_point(&record, mount)).collect(),
            network_settings: self.network_settings(&record, attached.as_ref(), state.running),
            host_config: complete::paths(record.host_config),
            config: record.config,
            state,
            id: record.id,
            ..Inspect::default()
        })
    }

    async fn measured(&self, entry: &Entry, sizes: Sizes) -> Option<Measured> {
        if sizes == Sizes::Unknown {
            return None;
        }
        let own = self.containers().writable_bytes(&entry.id).await.unwrap_or_default();
        let image = self.images().find(&entry.record().image_id).map_or(0, |image| image.size_bytes);
        let json = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        Some(Measured { own: json(own), whole: json(own.saturating_add(image)) })
    }

    /// Returns the image as it was asked for, or its id if that name means another one by now.
    fn shown_image(&self, record: &Record) -> String {
        match self.images().find(&record.image) {
            Some(image) if image.id.to_string() == record.image_id => record.image.clone(),
            Some(_) => record.image_id.clone(),
            None => record.image.clone(),
        }
    }

    fn graph_driver(&self, record: &Record) -> GraphDriver {
        let layers = self.containers().spec(&record.id).map(|spec| spec.layers).unwrap_or_default();
        let lower: Vec<_> = layers.iter().map(|layer| layer.display().to_string()).collect();
        let data = [("LowerDir".to_owned(), lower.join(":"))].into();
        GraphDriver { data, name: "overlay2".to_owned() }
    }

    /// Describes a mount; the short form of tmpfs is not among those that Docker shows.
    fn mount_point(&self, record: &Record, mount: &Mount) -> Option<MountPoint> {
        let shown = MountPoint {
            destination: mount.target.clone(),
            mode: mount.mode.clone(),
            rw: !mount.read_only,
            ..MountPoint::default()
        };
        Some(match &mount.source {
            Source::Bind { path, propagation, .. } => MountPoint {
                kind: "bind".to_owned(),
                source: path.clone(),
                propagation: if propagation.is_empty() { "rprivate".to_owned() } else { propagation.clone() },
                ..shown
            },
            Source::Volume { name, .. } => MountPoint {
                kind: "volume".to_owned(),
                name: name.clone(),
                source: self
                    .volumes()
                    .mount_point(name)
                    .map(|path| path.display().to_string())
                    .unwrap_or_default(),
                driver: volume::DRIVER.to_owned(),
                ..shown
            },
            Source::Tmpfs { .. } if record.host_config.tmpfs.contains_key(&mount.target) => return None,
            Source::Tmpfs { .. } => MountPoint { kind: "tmpfs".to_owned(), ..shown },
        })
    }

    fn network_settings(
        &self,
        record: &Record,
        attached: Option<&Attached>,
        is_alive: bool,
    ) -> NetworkSettings {
        let networks = self.networks(record, attached);
        let given = attached.map(|attached| attached.host_ports.as_slice()).unwrap_or_default();
        let own = networks.get("bridge").cloned().unwrap_or_default();
        NetworkSettings {
            sandbox_id: if attached.is_some() { record.id.clone() } else { String::new() },
            sandbox_key: attached.map(|a| a.namespace.display().to_string()).unwrap_or_default(),
            ports: if is_alive { ports::inspected(&record.config, given) } else { BTreeMap::new() },
            endpoint_id: own.endpoint_id,
            gateway: own.gateway,
            ip_address: own.ip_address,
            ip_prefix_len: own.ip_prefix_len,
            mac_address: own.mac_address,
            networks,
            ..NetworkSettings::default()
        }
    }

    fn networks(&self, record: &Record, attached: Option<&Attached>) -> BTreeMap<String, EndpointSettings> {
        if record.origin == Origin::Task {
            return record.networking.endpoints_config.clone();
        }
        let name = match NetworkMode::parse(&record.host_config.network_mode) {
            Ok(NetworkMode::Bridge) => "bridge",
            Ok(NetworkMode::Host) => "host",
            Ok(NetworkMode::None) => "none",
            Ok(NetworkMode::Container(_)) | Err(_) => return BTreeMap::new(),
        };
        let id = NETWORK_IDS.iter().find(|(known, _)| *known == name).map_or("", |(_, id)| id);
        let written = record.networking.endpoints_config.get(name).cloned().unwrap_or_default();
        let mut settings = EndpointSettings { network_id: id.to_owned(), ..written };
        if let Some(interface) = attached.and_then(|attached| attached.interface.as_ref()) {
            settings.endpoint_id.clone_from(&record.id);
            settings.gateway = interface.gateway.to_string();
            settings.ip_address = interface.address.to_string();
            settings.ip_prefix_len = interface.prefix;
            settings.mac_address = interface.mac.map(|byte| format!("{byte:02x}")).join(":");
        }
        [(name.to_owned(), settings)].into()
    }

    /// Returns which images containers need, for those who remove images.
    pub fn images_in_use(&self) -> Vec<InUse> {
        let entries = self.table().all();
        let needed = entries.iter().filter_map(|entry| {
            let image = entry.record().image_id.parse().ok()?;
            Some(InUse { image, container: entry.id.clone(), is_running: entry.life().step.is_alive() })
        });
        needed.collect()
    }

    /// Returns which of all containers use a volume, as ids.
    pub(crate) fn users_of(&self, volume: &str) -> Vec<String> {
        let uses = |entry: &Entry| {
            entry.life().step != Step::Removed
                && entry.record().mounts.iter().any(|mount| mount.volume() == Some(volume))
        };
        self.table().all().iter().filter(|entry| uses(entry)).map(|entry| entry.id.clone()).collect()
    }
}

/// Writes a command as lists show it.
fn command_line(args: &[String]) -> String {
    let quoted = args
        .iter()
        .enumerate()
        .map(|(index, arg)| if index > 0 && arg.contains(' ') { format!("'{arg}'") } else { arg.clone() });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_where_words_would_run_together() {
        let args = ["sh", "-c", "echo hello", "x"].map(str::to_owned);

        assert_eq!(command_line(&args), "sh -c 'echo hello' x");
    }
}
