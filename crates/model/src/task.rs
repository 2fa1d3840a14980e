//! One replica of a service.

use std::net::Ipv4Addr;

use crate::{
    Meta, NetworkId, NodeId, PublishedPort, ServiceId, SpecId, SpecVersion, TaskId, TaskState, Timestamp,
};

/// One replica. It refers to its spec by version and carries no copy of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id. Written by: `orchestrator`.
    pub id: TaskId,
    /// Version and times.
    pub meta: Meta,
    /// The service it belongs to. Written by: `orchestrator`.
    pub service: ServiceId,
    /// The version of the service's spec it was made from. Written by: `orchestrator`.
    pub spec_version: SpecVersion,
    /// Its place among the replicas, from 1; 0 where the mode has no slots. Written by: `orchestrator`.
    pub slot: u32,
    /// What it should become. Written by: `orchestrator`.
    pub desired: TaskState,
    /// The node it runs on, once placed. Written by: `scheduler`.
    pub node: Option<NodeId>,
    /// Its addresses, one per network. Written by: `allocator`.
    pub addresses: Vec<TaskAddress>,
    /// How far it is. Written by: the core up to assigned, then its agent through `dispatcher`.
    pub status: TaskStatus,
}

impl Task {
    /// Returns the key of the spec it was made from.
    pub fn spec_id(&self) -> SpecId {
        SpecId { service: self.service, version: self.spec_version }
    }

    /// Claims that it is meant to live and has not ended.
    pub fn is_live(&self) -> bool {
        self.desired <= TaskState::Running && !self.status.state.is_terminal()
    }
}

/// An address of a task on one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskAddress {
    /// The network.
    pub network: NetworkId,
    /// The address inside the network's subnet.
    pub address: Ipv4Addr,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// The observed state; it only grows.
    pub state: TaskState,
    /// When it was reached.
    pub at: Timestamp,
    /// What happened, in Swarm's words.
    pub message: String,
    /// Why it waits or failed; empty if it does not.
    pub err: String,
    /// The container, once there is one.
    pub container: Option<Box<ContainerStatus>>,
    /// Host-mode ports as they were given out on the node.
    pub ports: PortStatus,
}

/// Host-mode ports of a task as its node gave them out.
pub type PortStatus = Vec<PublishedPort>;

/// The container of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStatus {
    /// 64 hexadecimal characters.
    pub container_id: String,
    /// The process id on its node; 0 when it does not run.
    pub pid: u32,
    /// Its exit code, once it ended.
    pub exit_code: i32,
}
