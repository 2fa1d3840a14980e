//! Tasks as real containers: the agent's [`agent::Runtime`] over images, networks and shims.

mod container_spec;
mod names;
mod networks;
mod volumes;

use std::sync::Arc;
use std::time::Duration;

use agent::{Exit, LogLine, LogStream, LogsWanted, NetworkState, Order, Phase, RuntimeError, Seen, Started};
use async_trait::async_trait;
use engine::{Engine, HealthStatus};
use image::{Images, Reference, Reporter};
use model::{Description, PublishMode, PublishedPort, TaskId};
use network::{Attachment, HostPort, OverlayAddress, mac_of};
use sha2::{Digest, Sha256};

use crate::causes;
use crate::clock;
use crate::collector::Collector;
use crate::embedded;
use crate::host::Host;

pub use names::Names;
pub use networks::Networks;

/// The label by which a container names its task.
pub const TASK_LABEL: &str = "com.docker.swarm.task.id";

/// Tasks as containers of this host.
pub struct Runtime {
    /// This node.
    pub node: model::NodeId,
    /// Facts about this host.
    pub host: Host,
    /// The images.
    pub images: Images,
    /// What keeps them from filling the disk.
    pub collector: Arc<Collector>,
    /// The containers.
    pub engine: Engine,
    /// The networks and published ports.
    pub networks: Networks,
}

/// Returns the id of a task's container: it follows from the task, so that no table has to be kept.
pub fn container_id(task: TaskId) -> String {
    hex::encode(Sha256::digest(task.to_string()))
}

#[async_trait]
impl agent::Runtime for Runtime {
    async fn prepare(&self, order: &Order) -> Result<String, RuntimeError> {
        let id = container_id(order.task.id);
        let image = self.image(&order.spec.task.container.image).await?;
        self.collector.note_service(&order.task.service.to_string(), image.id).await;
        let attached =
            if container_spec::is_on_host(order) { None } else { Some(self.attach(&id, order).await?) };
        let task = container_spec::of(container_spec::Given {
            order,
            id: &id,
            image,
            host: &self.host,
            node: self.node,
            attached,
        });
        if let Err(error) = self.engine.prepare_task(task).await {
            self.release(order.task.id).await;
            return Err(explain(&error));
        }
        Ok(id)
    }

    async fn start(&self, task: TaskId) -> Result<Started, RuntimeError> {
        let id = container_id(task);
        let started = self.engine.start_task(&id).await.map_err(|error| explain(&error))?;
        let attached = self.networks.attached(&id);
        let ports =
            attached.map(|attached| attached.host_ports.iter().map(published).collect()).unwrap_or_default();
        Ok(Started { pid: u32::try_from(started.pid).unwrap_or(0), ports })
    }

    async fn until_ready(&self, task: TaskId) -> Result<(), RuntimeError> {
        tokio::select! {
            well = self.well(task, &[HealthStatus::None, HealthStatus::Healthy]) => well,
            _ended = self.ended(task) => Ok(()),
        }
    }

    async fn wait(&self, task: TaskId) -> Result<Exit, RuntimeError> {
        tokio::select! {
            exit = self.ended(task) => exit_of(exit?),
            unwell = self.well(task, &[]) => match unwell {
                Err(error) => Err(error),
                Ok(()) => exit_of(self.ended(task).await?),
            },
        }
    }

    async fn stop(&self, order: &Order) -> Result<Exit, RuntimeError> {
        let id = container_id(order.task.id);
        let containers = self.engine.containers();
        if containers.status(&id).is_err() {
            return Ok(Exit { code: 0, out_of_memory: false });
        }
        let spec = &order.spec.task.container;
        let grace = spec.stop_grace_period.unwrap_or(model::ContainerSpec::STOP_GRACE_DEFAULT);
        // The signal is part of the container, where prepare put it.
        let exit = containers.stop(&id, None, grace).await.map_err(|error| explain(&error))?;
        Ok(Exit { code: exit.code, out_of_memory: exit.oom_killed })
    }

    async fn release(&self, task: TaskId) {
        self.networks.detach(&container_id(task)).await;
    }

    async fn remove(&self, task: TaskId) -> Result<(), RuntimeError> {
        self.engine.remove_task(&container_id(task)).await.map_err(|error| explain(&error))
    }

    async fn seen(&self) -> Result<Vec<Seen>, RuntimeError> {
        let found = self.engine.containers().list().into_iter().filter_map(|status| {
            // Anybody may give a container such a label; the id is that of the task only here.
            let task = status.labels.get(TASK_LABEL)?.parse().ok()?;
            if container_id(task) != status.id {
                return None;
            }
            let phase = match status.phase {
                container::Phase::Created => Phase::Created,
                container::Phase::Running(started) | container::Phase::Paused(started) => {
                    Phase::Running(u32::try_from(started.pid).unwrap_or(0))
                }
                container::Phase::Exited(exit) => {
                    Phase::Exited(Exit { code: exit.code, out_of_memory: exit.oom_killed })
                }
            };
            Some(Seen { task, container_id: status.id, phase })
        });
        Ok(found.collect())
    }

    async fn logs(&self, task: TaskId, wanted: LogsWanted) -> Result<LogStream, RuntimeError> {
        let LogsWanted { follow, stdout, stderr, since, tail } = wanted;
        let since = since.map(clock::system_time);
        let query = container::LogQuery { follow, tail, since, stdout, stderr };
        let lines =
            self.engine.containers().logs(&container_id(task), query).map_err(|error| explain(&error))?;
        let lines = futures_util::stream::unfold(lines, |mut lines| async move {
            let line = lines.recv().await?;
            let stream = match line.stream {
                container::LogStream::Stdout => 1,
                container::LogStream::Stderr => 2,
            };
            let line = LogLine { stream, at: clock::timestamp(line.at), line: line.line.into() };
            Some((Ok(line), lines))
        });
        Ok(Box::pin(lines))
    }

    async fn export_volume(&self, name: &str) -> Result<agent::Archive, agent::Refusal> {
        volumes::export(&self.engine, name).await
    }

    async fn import_volume(
        &self,
        name: &str,
        onto: agent::Onto,
        archive: agent::Archive,
    ) -> Result<(), agent::Refusal> {
        volumes::import(&self.engine, name, onto, archive).await
    }

    async fn apply_networks(&self, state: NetworkState) -> Result<(), RuntimeError> {
        self.networks.apply(state).await.map_err(RuntimeError::new)
    }

    fn description(&self) -> Description {
        self.host.description()
    }
}

impl Runtime {
    async fn ended(&self, task: TaskId) -> Result<container::Exit, RuntimeError> {
        self.engine.wait_task(&container_id(task)).await.map_err(|error| explain(&error))
    }

    /// Waits until a container's health is one of those given; an error if it is not well.
    async fn well(&self, task: TaskId, enough: &[HealthStatus]) -> Result<(), RuntimeError> {
        let id = container_id(task);
        let mut health = self.engine.watch_health(&id).map_err(|error| explain(&error))?;
        let is_told = |status: HealthStatus| status == HealthStatus::Unhealthy || enough.contains(&status);
        let told = health.wait_for(|health| is_told(health.status)).await.map(|health| health.status);
        match told {
            Ok(HealthStatus::Unhealthy) => Err(RuntimeError::new("unhealthy container")),
            // Without a health any more, the container's end is what there is to wait for.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Finds an image, or fetches it.
    async fn image(&self, name: &str) -> Result<image::Image, RuntimeError> {
        if let Some(image) = self.images.find(name) {
            return Ok(image);
        }
        let reference: Reference =
            name.parse().map_err(|error| RuntimeError::new(format!("invalid image {name:?}: {error}")))?;
        if let Some(digest) = reference.digest() {
            // What never was in a registry is pinned to its own id.
            if let Ok(image) = self.images.inspect(&digest.to_string()) {
                return Ok(image);
            }
            // Nodes of another version have another embedded image, under the same name.
            if reference.familiar_name() == embedded::REPOSITORY
                && let Some(image) = self.images.find(embedded::NAME)
            {
                return Ok(image);
            }
        }
        let pulled = self.images.pull(&reference, None, None, &Reporter::none()).await;
        self.collector.look_soon();
        pulled.map_err(|error| RuntimeError::new(format!("No such image: {name}: {}", error.explain())))
    }

    /// Gives a container its networks, once those are in force on this node.
    async fn attach(&self, id: &str, order: &Order) -> Result<network::Attached, RuntimeError> {
        /// How long networks may take to be in force, as in Swarm.
        const NETWORKS_DEADLINE: Duration = Duration::from_secs(30);
        let mut overlays = Vec::new();
        for (address, network) in order.task.addresses.iter().zip(&order.networks) {
            let network_id = network.id.to_string();
            self.networks.in_force(&network_id, NETWORKS_DEADLINE).await.map_err(RuntimeError::new)?;
            overlays.push(OverlayAddress {
                network_id,
                address: address.address,
                prefix: network.subnet.prefix,
                mac: mac_of(address.address),
            });
        }
        let host_ports = order.spec.endpoint.host_ports().map(host_port).collect::<Result<_, _>>()?;
        let isolated = !order.networks.is_empty() && order.networks.iter().all(|network| network.internal);
        let dns = order.spec.task.container.dns.clone().unwrap_or_default();
        let resolver = (!overlays.is_empty()).then(|| names::resolver(&dns.nameservers));
        let attachment = Attachment { overlays, egress: !isolated, host_ports };
        self.networks.attach(id, &attachment, resolver).await.map_err(RuntimeError::new)
    }
}

fn host_port(port: &model::PortSpec) -> Result<HostPort, RuntimeError> {
    let protocol = match port.protocol {
        model::Protocol::Tcp => network::Protocol::Tcp,
        model::Protocol::Udp => network::Protocol::Udp,
        model::Protocol::Sctp => {
            return Err(RuntimeError::new(format!(
                "port {}/sctp cannot be published: use tcp or udp",
                port.target
            )));
        }
    };
    Ok(HostPort {
        host_ip: std::net::Ipv4Addr::UNSPECIFIED,
        published: port.published,
        target: port.target,
        protocol,
    })
}

fn published(port: &HostPort) -> PublishedPort {
    let protocol = match port.protocol {
        network::Protocol::Tcp => model::Protocol::Tcp,
        network::Protocol::Udp => model::Protocol::Udp,
    };
    PublishedPort {
        name: String::new(),
        protocol,
        target: port.target,
        published: port.published,
        mode: PublishMode::Host,
    }
}

/// A container that ended without having run its program has a reason that its code does not tell.
fn exit_of(exit: container::Exit) -> Result<Exit, RuntimeError> {
    match exit.error {
        Some(reason) if exit.code == 0 => Err(RuntimeError::new(reason)),
        Some(reason) => Err(RuntimeError::new(format!("task: non-zero exit ({}): {reason}", exit.code))),
        None => Ok(Exit { code: exit.code, out_of_memory: exit.oom_killed }),
    }
}

fn explain(error: &dyn std::error::Error) -> RuntimeError {
    RuntimeError::new(causes::written(error))
}
