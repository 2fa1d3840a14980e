//! A host of the cluster.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::{GenericResource, Labels, Meta, NodeId};

/// A host of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id, which its certificate carries. Written by: `control`, when the node is admitted.
    pub id: NodeId,
    /// Version and times.
    pub meta: Meta,
    /// What the user asks of it. Written by: `control`.
    pub spec: NodeSpec,
    /// The role its certificate shows. Written by: `control`.
    pub role: Role,
    /// What it says of itself. Written by: its agent through `dispatcher`.
    pub description: Option<Box<Description>>,
    /// Whether it is there. Written by: `dispatcher`.
    pub status: NodeStatus,
    /// A small number, unique in the cluster, from which its address for published ports follows. Written by: `allocator`.
    pub number: Option<u32>,
}

/// What a user asks of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// A free name beside the hostname.
    pub name: String,
    /// Labels for constraints and spread.
    pub labels: Labels,
    /// The role it should have.
    pub role: Role,
    /// Whether it takes tasks.
    pub availability: Availability,
}

/// What a node is in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It runs tasks.
    Worker,
    /// It also takes part in deciding.
    Manager,
}

impl Role {
    /// Returns the word of the Engine API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Manager => "manager",
        }
    }
}

/// Whether a node takes tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Availability {
    /// It takes new tasks.
    Active,
    /// It keeps its tasks and takes no new ones.
    Pause,
    /// Its tasks go elsewhere.
    Drain,
}

impl Availability {
    /// Returns the word of the Engine API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pause => "pause",
            Self::Drain => "drain",
        }
    }
}

/// Whether a node is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// The state.
    pub state: NodeState,
    /// Why, in Swarm's words.
    pub message: String,
    /// The address at which its containers are reached by other nodes.
    pub address: Option<IpAddr>,
}

/// Whether a node is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeState {
    /// Nobody has heard from it under this leader.
    Unknown,
    /// It was silent for too long.
    Down,
    /// It sends heartbeats.
    Ready,
    /// Its manager ended the session on purpose.
    Disconnected,
}

impl NodeState {
    /// Returns the word of the Engine API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Down => "down",
            Self::Ready => "ready",
            Self::Disconnected => "disconnected",
        }
    }
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The hostname.
    pub hostname: String,
    /// Operating system and processor.
    pub platform: Platform,
    /// Billionths of a CPU.
    pub nano_cpus: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Resources declared in its configuration.
    pub generic: Vec<GenericResource>,
    /// The engine.
    pub engine: Engine,
}

/// A platform as in Swarm: `linux`, `x86_64`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Platform {
    /// The processor; empty means any.
    pub architecture: String,
    /// The operating system; empty means any.
    pub os: String,
}

/// The engine of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Engine {
    /// Drover's version.
    pub version: String,
    /// Labels of the daemon's configuration.
    pub labels: BTreeMap<String, String>,
    /// Drivers it has.
    pub plugins: Vec<Plugin>,
}

/// A driver of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// `Network`, `Volume` or `Log`.
    pub kind: String,
    /// Its name.
    pub name: String,
}
