//! The words of Drover: ids, specs, objects and task states, as plain data with their validation.
//!
//! * [`Service`], [`Task`], [`Node`], [`Network`], [`Cluster`]: what a cluster consists of.
//! * [`TaskState`]: the life of a task, which only moves forward.
//!
//! It never does IO, never reads a clock, and knows neither JSON nor a wire format.

mod cluster;
mod container;
mod endpoint;
mod id;
mod image_name;
mod invalid;
mod meta;
mod mount;
mod name;
mod network;
mod node;
mod placement;
mod port_label;
mod resources;
mod restart;
mod service;
mod spec;
mod task;
mod task_state;
mod update;

pub use cluster::{Cluster, ClusterSpec, JoinTokens, RaftSpec, RootCa};
pub use container::{AppArmor, ContainerSpec, Dns, Healthcheck, LogDriver, Privileges, Seccomp, Ulimit};
pub use endpoint::{
    Endpoint, EndpointMode, EndpointSpec, PortSpec, Protocol, PublishMode, PublishedPort, VirtualIp,
};
pub use id::{ClusterId, NetworkId, NodeId, NotAnId, ServiceId, TaskId};
pub use invalid::Invalid;
pub use meta::{Labels, Meta, Timestamp, Version};
pub use mount::{BindOptions, Mount, MountKind, TmpfsOptions, VolumeOptions};
pub use name::check_name;
pub use network::{Ipam, IpamPool, Network, NetworkSpec, Predefined, Subnet};
pub use node::{
    Availability, Description, Engine, Node, NodeSpec, NodeState, NodeStatus, Platform, Plugin, Role,
};
pub use placement::{Constraint, Operator, Placement};
pub use port_label::{PortTraffic, ProxyHeader, port_label};
pub use resources::{GenericResource, Limits, Reservations, Resources};
pub use restart::{RestartCondition, RestartPolicy};
pub use service::{Mode, NetworkAttachment, Service, ServiceSpec, TaskSpec};
pub use spec::{Spec, SpecId, SpecVersion};
pub use task::{ContainerStatus, PortStatus, Task, TaskAddress, TaskStatus};
pub use task_state::TaskState;
pub use update::{FailureAction, UpdateConfig, UpdateOrder, UpdateState, UpdateStatus};
