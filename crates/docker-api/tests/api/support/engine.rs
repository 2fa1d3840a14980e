//! A host that is not there.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use control::Control;
use docker_api::{
    ApiError, ByteStream, Engine, LocalState, LogLine, LogsWanted, Membership, ProgressStream, Removal,
    Status,
};
use engine_json as json;
use futures_util::{StreamExt, stream};
use identity::{JoinToken, RootCa};
use model::{NodeId, TaskId};
use tokio::sync::{OwnedMutexGuard, mpsc};

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
    containers: Vec<container_json::Summary>,
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

    pub fn has_container(&self, container: container_json::Summary) {
        self.inner.lock().unwrap().containers.push(container);
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

#[async_trait]
impl Engine for FakeEngine {
    fn membership(&self) -> Membership {
        self.inner.lock().unwrap().membership.clone()
    }

    fn version(&self) -> json::Version {
        json::Version {
            version: "0.1.0".into(),
            api_version: "1.50".into(),
            min_api_version: "1.24".into(),
            os: "linux".into(),
            arch: "amd64".into(),
            ..json::Version::default()
        }
    }

    async fn info(&self) -> json::Info {
        json::Info { name: "m1".into(), server_version: "0.1.0".into(), ..json::Info::default() }
    }

    async fn swarm_init(&self, request: json::InitRequest) -> Result<NodeId, ApiError> {
        self.note(format!("init {} {}", request.listen_addr, request.data_path_port));
        let mut inner = self.inner.lock().unwrap();
        let Some((node, control)) = inner.to_found.take() else {
            return Err(ApiError::new(Status::Unavailable, "This node is already part of a swarm."));
        };
        inner.membership.state = LocalState::Active;
        inner.membership.node = Some(node);
        inner.membership.control = Some(control);
        Ok(node)
    }

    async fn swarm_join(&self, request: json::JoinRequest) -> Result<(), ApiError> {
        self.note(format!("join {:?} {}", request.remote_addrs, request.join_token));
        drop(self.may_join.lock().await);
        self.inner.lock().unwrap().membership.state = LocalState::Active;
        Ok(())
    }

    async fn swarm_leave(&self, force: bool) -> Result<(), ApiError> {
        self.note(format!("leave {force}"));
        let mut inner = self.inner.lock().unwrap();
        if inner.membership.control.is_some() && !force {
            let why = "You are attempting to leave the swarm as a manager.";
            return Err(ApiError::new(Status::Unavailable, why));
        }
        inner.membership.state = LocalState::Inactive;
        inner.membership.control = None;
        Ok(())
    }

    fn new_join_token(&self, root_certificate_pem: &str) -> Result<String, ApiError> {
        let root = RootCa::from_pem(root_certificate_pem, None).unwrap();
        Ok(JoinToken::generate(&root).to_string())
    }

    fn task_logs(&self, tasks: Vec<TaskId>, wanted: LogsWanted) -> mpsc::Receiver<LogLine> {
        self.note(format!("logs of {} tasks, tail {:?}", tasks.len(), wanted.tail));
        let (sender, receiver) = mpsc::channel(64);
        let mut inner = self.inner.lock().unwrap();
        for line in &inner.lines {
            sender.try_send(line.clone()).unwrap();
        }
        if wanted.follow {
            inner.followed.push(sender);
        }
        receiver
    }

    async fn images(&self) -> Result<Vec<json::ImageSummary>, ApiError> {
        Ok(self.inner.lock().unwrap().images.clone())
    }

    async fn image(&self, name: &str) -> Result<json::ImageInspect, ApiError> {
        let image = self.found_image(name)?;
        Ok(json::ImageInspect { id: image.id, repo_tags: image.repo_tags, ..json::ImageInspect::default() })
    }

    async fn image_history(&self, name: &str) -> Result<Vec<json::ImageHistory>, ApiError> {
        let image = self.found_image(name)?;
        let step = json::ImageHistory { id: image.id, created_by: "COPY / /".into(), ..Default::default() };
        Ok(vec![step])
    }

    async fn pull_image(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
        platform: &str,
    ) -> Result<ProgressStream, ApiError> {
        self.note(format!("pull {reference} {} {platform}", auth.username));
        if reference.contains("nowhere") {
            return Err(ApiError::not_found(format!("manifest for {reference} not found")));
        }
        let progress =
            [json::Progress::of("layer", "Pull complete"), json::Progress::status("Status: Downloaded")];
        Ok(stream::iter(progress).boxed())
    }

    async fn load_images(&self, mut archive: ByteStream, quiet: bool) -> Result<ProgressStream, ApiError> {
        let mut size = 0;
        while let Some(part) = archive.next().await {
            size += part.map_err(|error| ApiError::internal(error.to_string()))?.len();
        }
        self.note(format!("load {size} {quiet}"));
        let progress = [json::Progress::stream("Loaded image: drover/whoami:latest\n")];
        Ok(stream::iter(progress).boxed())
    }

    async fn tag_image(&self, source: &str, target: &str) -> Result<(), ApiError> {
        self.note(format!("tag {source} {target}"));
        self.found_image(source).map(|_| ())
    }

    async fn remove_image(&self, name: &str, removal: Removal) -> Result<Vec<json::DeletedImage>, ApiError> {
        self.note(format!("remove {name} {}", removal.force));
        let image = self.found_image(name)?;
        Ok(vec![
            json::DeletedImage { untagged: name.into(), ..Default::default() },
            json::DeletedImage { deleted: image.id, ..Default::default() },
        ])
    }

    async fn containers(&self) -> Result<Vec<container_json::Summary>, ApiError> {
        Ok(self.inner.lock().unwrap().containers.clone())
    }

    async fn container(&self, name: &str) -> Result<container_json::Inspect, ApiError> {
        let inner = self.inner.lock().unwrap();
        let found = inner.containers.iter().find(|container| container.id.starts_with(name));
        let found = found.ok_or_else(|| ApiError::not_found(format!("No such container: {name}")))?;
        Ok(container_json::Inspect { id: found.id.clone(), ..container_json::Inspect::default() })
    }

    async fn distribution(
        &self,
        reference: &str,
        _: json::RegistryAuth,
    ) -> Result<json::Distribution, ApiError> {
        self.note(format!("distribution {reference}"));
        Err(ApiError::new(Status::Unauthorized, format!("no registry knows {reference}")))
    }
}

/// Returns a line as a task would write it.
pub fn line(task: Option<TaskId>, channel: json::Channel, text: &str) -> LogLine {
    let at = model::Timestamp(1_500_000_000);
    LogLine { task, channel, at, line: Bytes::from(text.to_owned()) }
}
