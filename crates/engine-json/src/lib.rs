//! The Docker Engine's JSON: its shapes as types, and their conversion to and from `model`.
//!
//! * [`decode`] reads a body as Go's decoder does: any case, nulls welcome, unknown fields ignored.
//! * [`ServiceSpec`] with `TryFrom` and `From` for [`model::ServiceSpec`]: what a client wrote comes back as written.
//! * [`Service`], [`Task`], [`Node`], [`Network`], [`Swarm`]: what the API shows, made from objects of the model.
//! * [`Filters`], [`RegistryAuth`], [`Frame`]: what travels beside the bodies.
//!
//! It never does IO and knows no HTTP; paths, status codes and headers belong to its users.

mod api_version;
mod auth;
mod container_spec;
mod decode;
mod driver;
mod endpoint;
mod error;
mod event;
mod filters;
mod gate;
mod image;
mod meta;
mod mount;
mod network;
mod network_create;
mod network_use;
mod node;
mod omit;
mod progress;
mod resources;
mod service;
mod stream;
mod swarm;
mod swarm_spec;
mod system;
mod task;
mod task_spec;
mod time;
mod update;
mod when;

pub use api_version::{ApiVersion, InvalidVersion};
pub use auth::{InvalidAuth, LoginAnswer, RegistryAuth};
pub use container_spec::{
    AppArmor, ConfigReference, ContainerSpec, DnsConfig, Healthcheck, Privileges, Seccomp, SecretReference,
    Ulimit,
};
pub use decode::{Lenient, Malformed, decode};
pub use driver::Driver;
pub use endpoint::{Endpoint, EndpointSpec, PortConfig, VirtualIp};
pub use error::ErrorBody;
pub use event::{Actor, Event};
pub use filters::{Filters, InvalidFilter};
pub use gate::gate;
pub use image::{
    DeletedImage, Descriptor, Distribution, ImageConfig, ImageHistory, ImageInspect, ImageSummary,
    ImagesPruned, OciPlatform, RootFs,
};
pub use meta::{Labels, ObjectVersion};
pub use model::port_label;
pub use mount::{BindOptions, ImageOptions, Mount, TmpfsOptions, VolumeOptions};
pub use network::{
    ConfigFrom, IpamConfig, IpamOptions, Network, NetworkAttachment, NetworkAttachmentConfig, NetworkInspect,
    NetworkIpam, NetworkIpamConfig, NetworkSpec,
};
pub use network_create::{NetworkCreate, NetworkCreated};
pub use network_use::{NetworkContainer, NetworkPeer, NetworkService, NetworkTask};
pub use node::{
    EngineDescription, ManagerStatus, Node, NodeDescription, NodeResources, NodeSpec, NodeStatus, Plugin,
    TlsInfo,
};
pub use progress::{ErrorDetail, Progress, ProgressDetail, Pushed};
pub use resources::{
    DiscreteResource, GenericResource, Limits, NamedResource, Platform, Reservations, Resources,
};
pub use service::{
    JobStatus, Mode, Nothing, Replicated, ReplicatedJob, Service, ServiceCreated, ServiceSpec, ServiceStatus,
    ServiceUpdated,
};
pub use stream::{BrokenFrame, Channel, Frame};
pub use swarm::{ClusterInfo, InitRequest, JoinRequest, JoinTokens, Swarm, UnlockKey};
pub use swarm_spec::{
    CaConfig, DispatcherConfig, EncryptionConfig, ExternalCa, OrchestrationConfig, RaftConfig, SwarmSpec,
    TaskDefaults,
};
pub use system::{
    Commit, Component, Info, Peer, PlatformName, Plugins, RegistryConfig, Runtime, SwarmInfo, Version, ping,
};
pub use task::{ContainerStatus, PortStatus, Task, TaskStatus};
pub use task_spec::{Placement, Preference, RestartPolicy, SpreadOver, TaskSpec};
pub use time::{NotATime, Time};
pub use update::{UpdateConfig, UpdateStatus};
pub use when::NotAMoment;
