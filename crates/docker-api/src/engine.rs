//! What the API needs of this host.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use control::Control;
use engine_json as json;
use futures_util::Stream;
use model::{NodeId, TaskId, Timestamp};
use tokio::sync::mpsc;

use crate::error::ApiError;

/// What the API needs of this host. Implemented where the daemon is put together.
///
/// A client may hang up at any time, and what runs for it is dropped then, except for the three
/// changes of membership, which the API carries to their end. Whether a change of membership is
/// allowed, and with which words it is refused, is decided here alone.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Returns what this host is in a cluster.
    fn membership(&self) -> Membership;

    /// Describes the engine, for `version`.
    fn version(&self) -> json::Version;

    /// Describes this host, for `info`; what concerns the cluster is filled in by the API.
    async fn info(&self) -> json::Info;

    /// Founds a cluster with this host as its first manager.
    async fn swarm_init(&self, request: json::InitRequest) -> Result<NodeId, ApiError>;

    /// Makes this host part of a cluster.
    async fn swarm_join(&self, request: json::JoinRequest) -> Result<(), ApiError>;

    /// Takes this host out of its cluster.
    async fn swarm_leave(&self, force: bool) -> Result<(), ApiError>;

    /// Makes a join token for a cluster with this root certificate (PEM).
    fn new_join_token(&self, root_certificate_pem: &str) -> Result<String, ApiError>;

    /// Reads the logs of tasks, wherever they run. It ends when the receiver is dropped.
    fn task_logs(&self, tasks: Vec<TaskId>, wanted: LogsWanted) -> mpsc::Receiver<LogLine>;

    /// Lists the images on this host.
    async fn images(&self) -> Result<Vec<json::ImageSummary>, ApiError>;

    /// Describes an image on this host.
    async fn image(&self, name: &str) -> Result<json::ImageInspect, ApiError>;

    /// Tells how an image on this host was made.
    async fn image_history(&self, name: &str) -> Result<Vec<json::ImageHistory>, ApiError>;

    /// Fetches an image. What fails before the first progress is an error; what fails later ends the progress.
    async fn pull_image(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
        platform: &str,
    ) -> Result<ProgressStream, ApiError>;

    /// Loads images from an archive.
    async fn load_images(&self, archive: ByteStream, quiet: bool) -> Result<ProgressStream, ApiError>;

    /// Gives an image on this host one more name.
    async fn tag_image(&self, source: &str, target: &str) -> Result<(), ApiError>;

    /// Removes a name of an image, or the image.
    async fn remove_image(&self, name: &str, removal: Removal) -> Result<Vec<json::DeletedImage>, ApiError>;

    /// Lists the containers on this host, ended ones included.
    async fn containers(&self) -> Result<Vec<container_json::Summary>, ApiError>;

    /// Describes a container on this host, by id, name or the beginning of its id.
    async fn container(&self, name: &str) -> Result<container_json::Inspect, ApiError>;

    /// Asks a registry about an image, without fetching it.
    async fn distribution(
        &self,
        reference: &str,
        auth: json::RegistryAuth,
    ) -> Result<json::Distribution, ApiError>;
}

/// What a host is in a cluster.
#[derive(Clone)]
pub struct Membership {
    /// How far it is.
    pub state: LocalState,
    /// Its node, once it is part of a cluster.
    pub node: Option<NodeId>,
    /// Its own address towards other nodes; empty outside a cluster.
    pub address: String,
    /// Managers it knows: node id and address.
    pub managers: Vec<(String, String)>,
    /// What went wrong, in the state `Error`.
    pub error: String,
    /// The cluster's verbs, on a manager.
    pub control: Option<Control>,
}

/// How far a host is with being part of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalState {
    /// It is alone.
    Inactive,
    /// It is joining.
    Pending,
    /// It is part of one.
    Active,
    /// It was part of one and cannot go on.
    Error,
}

impl LocalState {
    /// Returns the word of the Engine API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Error => "error",
        }
    }
}

/// Which lines of logs are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogsWanted {
    /// Whether to go on with lines to come.
    pub follow: bool,
    /// Whether standard output is wanted.
    pub stdout: bool,
    /// Whether standard error is wanted.
    pub stderr: bool,
    /// The earliest time.
    pub since: Option<Timestamp>,
    /// How many of the last lines per task.
    pub tail: Option<u64>,
}

/// A line of a task's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Where it comes from; none for what the system says about the logs themselves.
    pub task: Option<TaskId>,
    /// Its stream.
    pub channel: json::Channel,
    /// When it was written.
    pub at: Timestamp,
    /// The line, with its end.
    pub line: Bytes,
}

/// How an image is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// Whether it is removed although it has several names.
    pub force: bool,
}

/// The progress of something that takes long; an error is its last record.
pub type ProgressStream = Pin<Box<dyn Stream<Item = json::Progress> + Send>>;
/// Bytes as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, std::io::Error>> + Send>>;
