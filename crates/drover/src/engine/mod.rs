//! This host for the Engine API: [`docker_api::Engine`] over the daemon's parts.

mod containers;
mod images;
mod not_yet;

use std::sync::Arc;

use async_trait::async_trait;
use container::Containers;
use dispatcher::Dispatcher;
use docker_api::engine::{
    ByteStream, ContainerLogs, EventStream, Import, LogLine, LogsWanted, Membership, Output, ProgressStream,
    Removal, UsageOf,
};
use docker_api::{ApiError, Status};
use engine_json as json;
use identity::{JoinToken, RootCa};
use image::Images;
use model::{NodeId, TaskId, Timestamp};
use tokio::sync::mpsc;

use crate::host::{Host, VERSION};
use crate::member::Member;

/// How many lines of logs wait for their reader.
const LINES_WAITING: usize = 256;

/// This host for the Engine API.
pub struct Engine {
    /// Facts about this host.
    pub host: Host,
    /// Where everything is kept, for `info`.
    pub data_root: String,
    /// The images.
    pub images: Images,
    /// The containers.
    pub containers: Containers,
    /// This host's place in a cluster.
    pub member: Arc<Member>,
}

#[async_trait]
impl docker_api::engine::System for Engine {
    fn version(&self) -> json::Version {
        let api = (json::ApiVersion::CURRENT.to_string(), json::ApiVersion::MIN.to_string());
        // Docker's client reads the server's side from these details, not from the fields beside them.
        let details = [
            ("ApiVersion", api.0.as_str()),
            ("MinAPIVersion", api.1.as_str()),
            ("Os", "linux"),
            ("Arch", architecture()),
            ("KernelVersion", self.host.kernel.as_str()),
            ("Experimental", "false"),
        ];
        let own = json::Component {
            name: "Engine".into(),
            version: VERSION.into(),
            details: details.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        };
        json::Version {
            platform: json::PlatformName { name: format!("Drover {VERSION}") },
            components: vec![own],
            version: VERSION.into(),
            api_version: api.0,
            min_api_version: api.1,
            os: "linux".into(),
            arch: architecture().into(),
            kernel_version: self.host.kernel.clone(),
            ..json::Version::default()
        }
    }

    async fn info(&self) -> json::Info {
        let containers = self.containers.list();
        let running =
            containers.iter().filter(|status| matches!(status.phase, container::Phase::Running(_))).count();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        json::Info {
            id: self.host.hostname.clone(),
            containers: containers.len() as u64,
            containers_running: running as u64,
            containers_stopped: (containers.len() - running) as u64,
            images: self.images.list().len() as u64,
            driver: "overlay2".into(),
            plugins: json::Plugins {
                volume: words(&["local"]),
                network: words(&["bridge", "host", "none", "overlay"]),
                authorization: None,
                log: words(&["json-file"]),
            },
            memory_limit: true,
            cpu_cfs_period: true,
            cpu_cfs_quota: true,
            cpu_shares: true,
            pids_limit: true,
            ipv4_forwarding: true,
            system_time: json::Time::from(crate::clock::now()).to_string(),
            logging_driver: "json-file".into(),
            cgroup_driver: "cgroupfs".into(),
            cgroup_version: if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
                "2"
            } else {
                "1"
            }
            .into(),
            kernel_version: self.host.kernel.clone(),
            operating_system: self.host.operating_system.clone(),
            os_type: "linux".into(),
            architecture: std::env::consts::ARCH.into(),
            n_cpu: self.host.cpus,
            mem_total: self.host.memory_bytes,
            docker_root_dir: self.data_root.clone(),
            name: self.host.hostname.clone(),
            labels: self.host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect(),
            server_version: VERSION.into(),
            default_runtime: "drover".into(),
            live_restore_enabled: true,
            security_options: words(&["name=seccomp,profile=builtin"]),
            ..json::Info::default()
        }
    }

    fn events(&self, _since: Option<json::Time>) -> EventStream {
        Box::pin(futures_util::stream::pending())
    }

    async fn disk_usage(&self, _of: UsageOf) -> Result<container_json::DiskUsage, ApiError> {
        Err(ApiError::not_supported("measuring disk usage is not supported"))
    }

    async fn login(&self, _auth: json::RegistryAuth) -> Result<json::LoginAnswer, ApiError> {
        Err(ApiError::not_supported("logging in to registries is not supported"))
    }
}

#[async_trait]
impl docker_api::engine::Swarm for Engine {
    fn membership(&self) -> Membership {
        self.member.membership()
    }

    async fn swarm_init(&self, request: json::InitRequest) -> Result<NodeId, ApiError> {
        self.member.init(request).await
    }

    async fn swarm_join(&self, request: json::JoinRequest) -> Result<(), ApiError> {
        self.member.join(request).await
    }

    async fn swarm_leave(&self, force: bool) -> Result<(), ApiError> {
        self.member.leave(force).await
    }

    fn new_join_token(&self, root_certificate_pem: &str) -> Result<String, ApiError> {
        let root = RootCa::from_pem(root_certificate_pem, None);
        let root =
            root.map_err(|error| ApiError::internal(format!("the cluster's root certificate: {error}")))?;
        Ok(JoinToken::generate(&root).to_string())
    }
}

#[async_trait]
impl docker_api::engine::Logs for Engine {
    fn task_logs(&self, tasks: Vec<TaskId>, wanted: LogsWanted) -> mpsc::Receiver<LogLine> {
        let (lines, receiver) = mpsc::channel(LINES_WAITING);
        if let Some(dispatcher) = self.member.dispatcher() {
            // It ends with its reader, or when every node has delivered.
            drop(tokio::spawn(pass_logs(dispatcher, tasks, wanted, lines)));
        }
        receiver
    }

    async fn container_logs(&self, _name: &str, _wanted: ContainerLogs) -> Result<Output, ApiError> {
        Err(ApiError::not_supported("logs of single containers are not supported"))
    }
}

#[async_trait]
impl docker_api::engine::Images for Engine {
    async fn images(&self) -> Result<Vec<json::ImageSummary>, ApiError> {
        Ok(images::list(&self.images))
    }

    async fn image(&self, name: &str) -> Result<json::ImageInspect, ApiError> {
        images::inspect(&self.images, name)
    }

    async fn image_history(&self, name: &str) -> Result<Vec<json::ImageHistory>, ApiError> {
        images::history(&self.images, name)
    }

    async fn pull_image(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
        platform: &str,
    ) -> Result<ProgressStream, ApiError> {
        images::pull(self.images.clone(), reference, auth, platform).await
    }

    async fn load_images(&self, archive: ByteStream, quiet: bool) -> Result<ProgressStream, ApiError> {
        Ok(images::load(self.images.clone(), archive, quiet))
    }

    async fn push_image(
        &self,
        _reference: &str,
        _auth: json::RegistryAuth,
        _platform: &str,
    ) -> Result<ProgressStream, ApiError> {
        Err(ApiError::not_supported("pushing images is not supported"))
    }

    async fn save_images(&self, _names: Vec<String>, _platform: &str) -> Result<ByteStream, ApiError> {
        Err(ApiError::not_supported("saving images is not supported"))
    }

    async fn import_image(&self, _import: Import, _tree: ByteStream) -> Result<ProgressStream, ApiError> {
        Err(ApiError::not_supported("importing images is not supported"))
    }

    async fn prune_images(&self, _filters: json::Filters) -> Result<json::ImagesPruned, ApiError> {
        Err(ApiError::not_supported("removing unused images at once is not supported"))
    }

    async fn tag_image(&self, source: &str, target: &str) -> Result<(), ApiError> {
        images::tag(&self.images, source, target).await
    }

    async fn remove_image(&self, name: &str, removal: Removal) -> Result<Vec<json::DeletedImage>, ApiError> {
        images::remove(&self.images, &self.containers, name, removal).await
    }

    async fn distribution(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
    ) -> Result<json::Distribution, ApiError> {
        images::distribution(&self.images, reference, auth).await
    }
}

/// Returns the processor in Go's words, as Docker prints it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

async fn pass_logs(
    dispatcher: Dispatcher,
    tasks: Vec<TaskId>,
    wanted: LogsWanted,
    lines: mpsc::Sender<LogLine>,
) {
    let LogsWanted { follow, stdout, stderr, since, tail } = wanted;
    let id = identity::random_id();
    let mut records =
        dispatcher.logs(id, tasks, dispatcher::LogsWanted { follow, stdout, stderr, since, tail });
    loop {
        let record = tokio::select! {
            record = records.recv() => record,
            () = lines.closed() => return,
        };
        let Some(record) = record else { return };
        let channel = match record.stream {
            // Records of stream 0 only name nodes that answer.
            0 => continue,
            1 => json::Channel::Stdout,
            2 => json::Channel::Stderr,
            _ => json::Channel::SystemError,
        };
        let task = record.task_id.parse().ok();
        let line = LogLine { task, channel, at: Timestamp(record.at_ns), line: record.line };
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

/// Turns an error of the image store into what a client is told.
fn told(error: &image::Error) -> ApiError {
    let status = match error.kind() {
        image::ErrorKind::NotFound => Status::NotFound,
        image::ErrorKind::Conflict => Status::Conflict,
        image::ErrorKind::Invalid => Status::BadRequest,
        image::ErrorKind::Unauthorized => Status::Unauthorized,
        image::ErrorKind::Unavailable | image::ErrorKind::Internal => Status::Internal,
    };
    ApiError::new(status, error.explain())
}
