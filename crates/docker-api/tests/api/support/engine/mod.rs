//! A host that is not there.

mod cluster;
mod container;
mod image;
mod network;
mod system;
mod volume;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use container_json::{ExecInspect, Inspect, Summary, Volume};
use control::Control;
use docker_api::engine::{ByteStream, LogLine};
use docker_api::{ApiError, LocalState, Membership};
use engine_json as json;
use futures_util::StreamExt;
use model::{NodeId, TaskId};
use tokio::sync::{OwnedMutexGuard, mpsc, watch};

/// Answers with what it was given and notes what it was asked.
pub struct FakeEngine {
    inner: Mutex<Inner>,
    may_join: Arc<tokio::sync::Mutex<()>>,
}

struct Inner {
    membership: Membership,
    /// What `swarm init` makes this host a manager of.
    to_found: Option<(NodeId, Control)>,
    calls: Vec<String>,
    images: Vec<json::ImageSummary>,
    containers: Vec<Summary>,
    inspects: Vec<Inspect>,
    exec: ExecInspect,
    /// What every file of a container is packed as.
    archive: Vec<u8>,
    volumes: Vec<Volume>,
    /// Those beside the ones that every host has.
    networks: Vec<json::NetworkInspect>,
    /// The exit code of whatever container is waited for.
    life: watch::Sender<Option<i64>>,
    events: Vec<json::Event>,
    listeners: Vec<mpsc::UnboundedSender<json::Event>>,
    lines: Vec<LogLine>,
    /// Keeps followed logs open.
    followed: Vec<mpsc::Sender<LogLine>>,
}

impl FakeEngine {
    pub fn new(state: LocalState, node: Option<(NodeId, Control)>) -> Self {
        let membership = Membership {
            state,
            node: node.as_ref().map(|(id, _)| *id),
            address: "10.1.1.1".into(),
            managers: Vec::new(),
            error: String::new(),
            control: node.map(|(_, control)| control),
        };
        let inner = Inner {
            membership,
            to_found: None,
            calls: Vec::new(),
            images: Vec::new(),
            containers: Vec::new(),
            inspects: Vec::new(),
            exec: ExecInspect::default(),
            archive: Vec::new(),
            volumes: Vec::new(),
            networks: Vec::new(),
            life: watch::Sender::new(None),
            events: Vec::new(),
            listeners: Vec::new(),
            lines: Vec::new(),
            followed: Vec::new(),
        };
        Self { inner: Mutex::new(inner), may_join: Arc::default() }
    }

    pub fn founding(self, node: NodeId, control: Control) -> Self {
        self.inner.lock().unwrap().to_found = Some((node, control));
        self
    }

    pub fn has_image(&self, tag: &str, created: i64) {
        self.inner.lock().unwrap().images.push(json::ImageSummary {
            id: format!("sha256:{created:064x}"),
            repo_tags: vec![tag.into()],
            created,
            size: 1_000_000,
            shared_size: -1,
            containers: -1,
            ..json::ImageSummary::default()
        });
    }

    pub fn has_container(&self, container: Summary) {
        self.inner.lock().unwrap().containers.push(container);
    }

    /// Knows a container in full.
    pub fn knows(&self, container: Inspect) {
        self.inner.lock().unwrap().inspects.push(container);
    }

    pub fn has_volume(&self, volume: Volume) {
        self.inner.lock().unwrap().volumes.push(volume);
    }

    pub fn packs(&self, archive: Vec<u8>) {
        self.inner.lock().unwrap().archive = archive;
    }

    /// Ends whatever container is waited for.
    pub fn end(&self, exit_code: i64) {
        self.inner.lock().unwrap().life.send_replace(Some(exit_code));
    }

    /// Tells everyone who listens, and those who ask later.
    pub fn happens(&self, event: json::Event) {
        let mut inner = self.inner.lock().unwrap();
        inner.listeners.retain(|listener| listener.send(event.clone()).is_ok());
        inner.events.push(event);
    }

    /// Returns how many listen to events.
    pub fn listeners(&self) -> usize {
        self.inner.lock().unwrap().listeners.len()
    }

    pub fn has_line(&self, line: LogLine) {
        self.inner.lock().unwrap().lines.push(line);
    }

    /// Sends a line to everyone who follows.
    pub async fn say(&self, line: LogLine) {
        let followed = self.inner.lock().unwrap().followed.clone();
        for sender in followed {
            drop(sender.send(line.clone()).await);
        }
    }

    /// Lets nobody join until what it returns is dropped.
    pub fn hold(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.may_join).try_lock_owned().unwrap()
    }

    pub fn calls(&self) -> Vec<String> {
        self.inner.lock().unwrap().calls.clone()
    }

    fn note(&self, call: String) {
        self.inner.lock().unwrap().calls.push(call);
    }

    fn found_image(&self, name: &str) -> Result<json::ImageSummary, ApiError> {
        let inner = self.inner.lock().unwrap();
        let found = inner.images.iter().find(|image| image.repo_tags.iter().any(|tag| tag == name));
        found.cloned().ok_or_else(|| ApiError::not_found(format!("No such image: {name}")))
    }
}

/// Reads a stream to its end.
async fn drain(mut bytes: ByteStream) -> Result<Vec<u8>, ApiError> {
    let mut all = Vec::new();
    while let Some(piece) = bytes.next().await {
        all.extend_from_slice(&piece.map_err(|error| ApiError::internal(error.to_string()))?);
    }
    Ok(all)
}

/// Returns a line as a task would write it.
pub fn line(task: Option<TaskId>, channel: json::Channel, text: &str) -> LogLine {
    let at = model::Timestamp(1_500_000_000);
    LogLine { task, channel, at, line: Bytes::from(text.to_owned()) }
}

/// Returns a container that runs.
pub fn container(name: &str) -> Inspect {
    let mut container = Inspect { id: "aaaa".into(), name: format!("/{name}"), ..Inspect::default() };
    container.state.status = "running".into();
    container.state.running = true;
    container
}
