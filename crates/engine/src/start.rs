//! Starting containers, and what each run needs of the host.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use container::{Phase, Started};
use container_config::address::mac_wanted;
use container_config::check::{NetworkMode, peer};
use container_config::mounts::Source;
use container_config::ports;
use container_config::restart::ByHand;
use container_config::spec::{self, Given, HostFiles, Reach};
use network::{Attached, Attachment, Bridge, Uplink};

use crate::create::make_source;
use crate::engine::{blocking, json_time, now};
use crate::events::Action;
use crate::life::Step;
use crate::record::{Failure, Origin, Record};
use crate::table::Entry;
use crate::taken::Run;
use crate::{Engine, Error, Kind};

/// What a container exits with that could not be started for any other reason than its program.
const NOT_STARTED: i32 = 128;

impl Engine {
    /// Starts a container that does not run.
    pub async fn start(&self, name: &str) -> Result<(), Error> {
        let entry = self.entry(name)?;
        self.whole(|engine| async move { engine.start_whole(&entry).await }).await
    }

    pub(crate) async fn start_whole(&self, entry: &Arc<Entry>) -> Result<(), Error> {
        let _turn = entry.turn.lock().await;
        let name = entry.name();
        match entry.life().step {
            Step::Running if self.is_paused(&entry.id) => {
                return Err(Error::conflict("cannot start a paused container, try unpause instead"));
            }
            Step::Running => {
                return Err(Error::not_modified(format!("container {name} is already started")));
            }
            Step::Removing | Step::Removed => {
                return Err(Error::conflict("container is marked for removal and cannot be started"));
            }
            Step::Created | Step::Restarting | Step::Exited => {}
        }
        if entry.record().origin == Origin::Task {
            return Err(Error::conflict(format!(
                "container {name} is a task of a service, which starts its tasks itself"
            )));
        }
        entry.set_by_hand(ByHand::Untouched);
        let result = self.begin(entry, None).await;
        match &result {
            Ok(()) => self.note(entry, |record| {
                record.stopped_by_hand = false;
                record.restart_count = 0;
            }),
            Err(_) if entry.record().host_config.auto_remove => self.remove_ended(entry).await,
            Err(_) => {}
        }
        // Whoever waits to restart it has nothing left to do.
        entry.hand.notify_one();
        result
    }

    /// Begins a run; the caller holds the turn. `waited` is how long the last restart was waited for.
    pub(crate) async fn begin(
        &self,
        entry: &Arc<Entry>,
        waited: Option<std::time::Duration>,
    ) -> Result<(), Error> {
        let record = entry.record().clone();
        match self.run(&record).await {
            Ok(started) => {
                self.note(entry, |record| {
                    record.failure = None;
                    record.started_at = json_time(started.at);
                });
                entry.life.send_modify(|life| life.step = Step::Running);
                self.keep(entry.clone(), started, waited);
                self.tell_taken(&record, Run::Begins);
                self.tell(entry, Action::Start, []);
                Ok(())
            }
            Err((error, code)) => {
                self.leave(&record).await;
                let failure = Failure { code, text: error.text().to_owned(), at: now() };
                self.note(entry, |record| record.failure = Some(failure));
                entry.life.send_modify(|life| life.exit_code = code);
                Err(error)
            }
        }
    }

    /// Takes what the run needs of the host and starts the program; on failure also says with which code.
    async fn run(&self, record: &Record) -> Result<Started, (Error, i32)> {
        let spec = self.spec_of_run(record).await.map_err(|error| (error, NOT_STARTED))?;
        let containers = self.containers();
        let started = match containers.redefine(&spec).await {
            Ok(()) => containers.start(&record.id).await,
            Err(error) => Err(error),
        };
        started.map_err(|error| match error {
            container::Error::Command { message, code } => {
                let text = format!("failed to create task for container: {message}");
                (Error::invalid(text), code)
            }
            other => (Error::new(Kind::Internal, Error::from(other).text()), NOT_STARTED),
        })
    }

    async fn spec_of_run(&self, record: &Record) -> Result<container::Spec, Error> {
        let config = &record.host_config;
        let image = self.image(&record.image_id)?;
        let (engine, of_run) = (self.clone(), record.clone());
        let (volumes, host) =
            blocking(move || Ok::<_, Error>((engine.acquire_mounts(&of_run)?, host_files()))).await?;
        let given = Given {
            id: &record.id,
            config: &record.config,
            host_config: config,
            mounts: &record.mounts,
            layers: image.layers,
            volumes: &volumes,
            pid_peer: peer(&config.pid_mode).map(|name| self.peer_pid(name)).transpose()?,
            ipc_peer: peer(&config.ipc_mode).map(|name| self.peer_pid(name)).transpose()?,
            reach: self.reach(record).await?,
            host: &host,
        };
        Ok(spec::decide(&given)?)
    }

    /// Takes all volumes into use; returns where they are.
    pub(crate) fn acquire_mounts(&self, record: &Record) -> Result<BTreeMap<String, PathBuf>, Error> {
        let mut points = BTreeMap::new();
        for mount in &record.mounts {
            match &mount.source {
                Source::Volume { name, .. } => {
                    points.insert(name.clone(), self.volumes().acquire(name, &record.id)?);
                }
                Source::Bind { path, is_made, .. } => make_source(path, *is_made)?,
                Source::Tmpfs { .. } => {}
            }
        }
        Ok(points)
    }

    /// Gives a container its network.
    async fn reach(&self, record: &Record) -> Result<Reach, Error> {
        match NetworkMode::parse(&record.host_config.network_mode)? {
            NetworkMode::Host => Ok(Reach::Host),
            NetworkMode::None => {
                let attached = self.network().attach(&record.id, &Attachment::default()).await?;
                Ok(self.own(&attached))
            }
            NetworkMode::Bridge => Ok(self.own(&self.publish(record).await?)),
            NetworkMode::Container(name) => {
                let pid = self.peer_pid(&name)?;
                let spec = self.containers().spec(&self.entry(&name)?.id)?;
                Ok(Reach::Joined {
                    namespace: PathBuf::from(format!("/proc/{pid}/ns/net")),
                    hostname: spec.hostname,
                    files: spec.files,
                })
            }
        }
    }

    fn own(&self, attached: &Attached) -> Reach {
        Reach::Own {
            namespace: attached.namespace.clone(),
            addresses: attached.bridge_address.into_iter().collect(),
            gateway: self.gateway(),
        }
    }

    /// Attaches a container to the bridge with its ports; where one of several will do, taken ones are passed over.
    async fn publish(&self, record: &Record) -> Result<Attached, Error> {
        let wishes = ports::wishes(&record.config, &record.host_config)?;
        let uplink = Uplink { bridge: Bridge::Open, mac: mac_wanted(&record.config, &record.networking)? };
        let mut attempts = vec![0; wishes.len()];
        loop {
            let asked = wishes.iter().zip(&attempts).map(|(wish, attempt)| wish.host_port(*attempt));
            let host_ports: Vec<_> = asked.flatten().collect();
            let attachment =
                Attachment { overlays: Vec::new(), egress: true, host_ports: host_ports.clone() };
            let error = match self.network().attach_on(uplink, &record.id, &attachment).await {
                Ok(attached) => return Ok(attached),
                Err(error) => error,
            };
            let network::Error::PortInUse { port, .. } = &error else { return Err(error.into()) };
            let taken = host_ports.iter().position(|host_port| host_port.to_string() == *port);
            let next = taken.filter(|at| wishes[*at].host_port(attempts[*at] + 1).is_some());
            let Some(at) = next else {
                return Err(Error::new(Kind::Internal, taken_text(record, port)));
            };
            attempts[at] += 1;
        }
    }

    /// Returns the first process of a running container whose namespaces another shares.
    fn peer_pid(&self, name: &str) -> Result<i32, Error> {
        let entry = self.entry(name)?;
        match self.containers().status(&entry.id)?.phase {
            Phase::Running(started) | Phase::Paused(started) => Ok(started.pid),
            Phase::Created | Phase::Exited(_) => {
                let id = &entry.id;
                Err(Error::conflict(format!("cannot join network of a non running container: {id}")))
            }
        }
    }

    /// Gives back what a run had of the host.
    pub(crate) async fn leave(&self, record: &Record) {
        if record.origin == Origin::User
            && let Err(error) = self.network().detach(&record.id).await
        {
            tracing::warn!(container = record.id, %error, "a container's network is not taken away");
        }
        self.release_volumes(record, record.id.clone()).await;
    }

    /// Says that a user needs the volumes of a container no more.
    pub(crate) async fn release_volumes(&self, record: &Record, user: String) {
        let volumes: Vec<String> =
            record.mounts.iter().filter_map(|mount| mount.volume()).map(str::to_owned).collect();
        if volumes.is_empty() {
            return;
        }
        let engine = self.clone();
        blocking(move || {
            for name in volumes {
                if let Err(error) = engine.volumes().release(&name, &user) {
                    tracing::warn!(user, %error, "a volume is not released");
                }
            }
        })
        .await;
    }

    /// Returns the host's address on the bridge of its own containers.
    pub(crate) fn gateway(&self) -> std::net::Ipv4Addr {
        let subnet = self.network().subnet_of(Bridge::Open);
        std::net::Ipv4Addr::from_bits(subnet.network().address().to_bits() + 1)
    }

    pub(crate) fn is_paused(&self, id: &str) -> bool {
        self.containers().status(id).is_ok_and(|status| matches!(status.phase, Phase::Paused(_)))
    }
}

fn taken_text(record: &Record, port: &str) -> String {
    let Record { id, name, .. } = record;
    let port = port.split('/').next().unwrap_or(port);
    format!(
        "failed to set up container networking: driver failed programming external connectivity on endpoint {name} \
         ({id}): Bind for {port} failed: port is already allocated"
    )
}

/// Reads the host's own files; what is not there is empty.
pub(crate) fn host_files() -> HostFiles {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    HostFiles {
        hostname: read("/proc/sys/kernel/hostname").trim().to_owned(),
        hosts: read("/etc/hosts"),
        resolv_conf: read("/etc/resolv.conf"),
    }
}
