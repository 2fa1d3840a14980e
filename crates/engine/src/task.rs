//! The containers of tasks: kept like any other, but decided on and connected by their services.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use container::{Exit, Started};
use container_config::mounts::{self, Mount, Source};
use container_config::spec::{self, Given, Reach};
use container_json::{Config, EndpointSettings, HostConfig, NetworkingConfig};
use engine_json::Time;
use image::Image;
use network::Attached;

use crate::create::named;
use crate::engine::{blocking, json_time, now};
use crate::events::Action;
use crate::life::{Life, Step};
use crate::record::{Origin, Record, Stage};
use crate::remove::Removing;
use crate::start::host_files;
use crate::table::Entry;
use crate::{Engine, Error};

/// What the container of a task is made from.
#[derive(Debug, Clone)]
pub struct Task {
    /// The container's id, which follows from the task.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image.
    pub image: Image,
    /// What runs in it; what is left open is the image's.
    pub config: Config,
    /// What it has of its host.
    pub host_config: HostConfig,
    /// The network namespace that was made for it, which its caller takes away after it has ended; none if it shares the
    /// host's.
    pub attached: Option<Attached>,
    /// All its addresses; the first is its name's.
    pub addresses: Vec<Ipv4Addr>,
    /// Its networks by name, for inspect.
    pub networks: BTreeMap<String, EndpointSettings>,
}

impl Engine {
    /// Makes the container of a task, ready to be started.
    pub async fn prepare_task(&self, task: Task) -> Result<(), Error> {
        self.whole(|engine| async move { engine.prepare_whole(task).await }).await
    }

    async fn prepare_whole(&self, task: Task) -> Result<(), Error> {
        let Task { id, name, image, config, host_config, attached, addresses, networks } = task;
        let written = config.image.clone();
        let mut config = spec::merge(config, &image.config)?;
        if config.hostname.is_empty() && attached.is_some() {
            config.hostname = id.chars().take(12).collect();
        }
        let wanted = mounts::wanted(&config, &host_config, &[])?;
        self.table().claim(Some(&name), &id)?;
        let record = Record {
            mounts: named(wanted),
            id,
            name,
            created: now(),
            image: written,
            image_id: image.id.to_string(),
            config,
            host_config,
            networking: NetworkingConfig { endpoints_config: networks },
            restart_count: 0,
            stopped_by_hand: false,
            origin: Origin::Task,
            stage: Stage::Whole,
            started_at: Time::default(),
            failure: None,
        };
        let entry = Arc::new(Entry::new(record, Life::default()));
        let reach = match attached {
            Some(Attached { namespace, interface, .. }) => {
                let gateway = interface.map_or_else(|| self.gateway(), |interface| interface.gateway);
                Reach::Own { namespace, addresses, gateway }
            }
            None => Reach::Host,
        };
        match self.prepare_parts(&entry, image.layers, reach).await {
            Ok(()) => {
                self.table().insert(entry.clone());
                self.tell(&entry, Action::Create, []);
                Ok(())
            }
            Err(error) => {
                self.discard(&entry, true).await;
                Err(error)
            }
        }
    }

    /// Makes what was decided. The record is written last: a container without one never ran, and is not missed; only
    /// volumes without names would be.
    async fn prepare_parts(&self, entry: &Entry, layers: Vec<PathBuf>, reach: Reach) -> Result<(), Error> {
        let record = entry.record().clone();
        let write =
            |record: &Record| record.write(&self.inner.config.root).map_err(|error| Error::internal(&error));
        if !record.mounts.is_empty() {
            write(&Record { stage: Stage::Making, ..record.clone() })?;
        }
        // In use from here on, as the first process is made at once.
        let points = self.make_mounts(record.mounts.clone(), record.id.clone()).await?;
        let host = blocking(host_files).await;
        let decide = |mounts: &[Mount], reach: Reach| {
            spec::decide(&Given {
                id: &record.id,
                config: &record.config,
                host_config: &record.host_config,
                mounts,
                layers: layers.clone(),
                volumes: &points,
                reach,
                pid_peer: None,
                ipc_peer: None,
                host: &host,
            })
        };
        if record.mounts.iter().any(|mount| matches!(mount.source, Source::Volume { is_filled: true, .. })) {
            self.containers().lay_out(&decide(&[], Reach::Nowhere)?).await?;
            self.fill(&record).await?;
            self.containers().redefine(&decide(&record.mounts, reach)?).await?;
        } else {
            self.containers().create(&decide(&record.mounts, reach)?).await?;
        }
        write(&record)
    }

    /// Starts the container of a task.
    pub async fn start_task(&self, id: &str) -> Result<Started, Error> {
        let entry = self.entry(id)?;
        let _turn = entry.turn.lock().await;
        let started = self.containers().start(id).await?;
        if entry.life().step == Step::Created {
            // Not written: a service's task is started once, and its process knows since when it runs.
            entry.record().started_at = json_time(started.at);
            entry.life.send_modify(|life| life.step = Step::Running);
            self.keep(entry.clone(), started, None);
            self.tell(&entry, Action::Start, []);
        }
        Ok(started)
    }

    /// Waits until the container of a task has ended.
    pub async fn wait_task(&self, id: &str) -> Result<Exit, Error> {
        Ok(self.containers().wait(id).await?)
    }

    /// Removes the container of a task with its volumes without names; nothing happens if there is none.
    pub async fn remove_task(&self, id: &str) -> Result<(), Error> {
        match self.remove(id, Removing { force: true, volumes: true, link: false }).await {
            Err(error) if error.kind() == crate::Kind::NotFound => Ok(()),
            removed => removed,
        }
    }
}
