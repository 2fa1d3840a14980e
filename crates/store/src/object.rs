//! What the tables hold, and what it is found by.

use std::fmt;
use std::sync::Arc;

use model::{
    Cluster, ClusterId, Meta, Network, NetworkId, Node, NodeId, Service, ServiceId, Spec, SpecId, Task,
    TaskId,
};

/// An object of the cluster, shared between all views that hold it.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    /// The cluster itself.
    Cluster(Arc<Cluster>),
    /// A host.
    Node(Arc<Node>),
    /// A service.
    Service(Arc<Service>),
    /// A version of a service's task template.
    Spec(Arc<Spec>),
    /// A replica.
    Task(Arc<Task>),
    /// A network.
    Network(Arc<Network>),
}

/// Names one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The cluster itself.
    Cluster(ClusterId),
    /// A host.
    Node(NodeId),
    /// A service.
    Service(ServiceId),
    /// A version of a service's task template.
    Spec(SpecId),
    /// A replica.
    Task(TaskId),
    /// A network.
    Network(NetworkId),
}

impl Object {
    /// Returns what names the object.
    pub fn key(&self) -> Key {
        match self {
            Self::Cluster(cluster) => Key::Cluster(cluster.id),
            Self::Node(node) => Key::Node(node.id),
            Self::Service(service) => Key::Service(service.id),
            Self::Spec(spec) => Key::Spec(spec.id),
            Self::Task(task) => Key::Task(task.id),
            Self::Network(network) => Key::Network(network.id),
        }
    }

    /// Returns the object's version and times.
    pub fn meta(&self) -> Meta {
        match self {
            Self::Cluster(cluster) => cluster.meta,
            Self::Node(node) => node.meta,
            Self::Service(service) => service.meta,
            Self::Spec(spec) => spec.meta,
            Self::Task(task) => task.meta,
            Self::Network(network) => network.meta,
        }
    }

    /// Returns the object with another version and other times; it is copied only if they differ and it is shared.
    pub fn with_meta(mut self, meta: Meta) -> Self {
        if self.meta() == meta {
            return self;
        }
        match &mut self {
            Self::Cluster(cluster) => Arc::make_mut(cluster).meta = meta,
            Self::Node(node) => Arc::make_mut(node).meta = meta,
            Self::Service(service) => Arc::make_mut(service).meta = meta,
            Self::Spec(spec) => Arc::make_mut(spec).meta = meta,
            Self::Task(task) => Arc::make_mut(task).meta = meta,
            Self::Network(network) => Arc::make_mut(network).meta = meta,
        }
        self
    }
}

impl Key {
    /// Returns the word for this kind of object.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "cluster",
            Self::Node(_) => "node",
            Self::Service(_) => "service",
            Self::Spec(_) => "spec",
            Self::Task(_) => "task",
            Self::Network(_) => "network",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::Cluster(id) => write!(f, "{id}"),
            Self::Node(id) => write!(f, "{id}"),
            Self::Service(id) => write!(f, "{id}"),
            Self::Spec(id) => write!(f, "{} of service {}", id.version.0, id.service),
            Self::Task(id) => write!(f, "{id}"),
            Self::Network(id) => write!(f, "{id}"),
        }
    }
}

macro_rules! from {
    ($($kind:ident),*) => {$(
        impl From<$kind> for Object {
            fn from(object: $kind) -> Self {
                Self::$kind(Arc::new(object))
            }
        }

        impl From<Arc<$kind>> for Object {
            fn from(object: Arc<$kind>) -> Self {
                Self::$kind(object)
            }
        }
    )*};
}

from!(Cluster, Node, Service, Spec, Task, Network);

macro_rules! key_from {
    ($($kind:ident($id:ident)),*) => {$(
        impl From<$id> for Key {
            fn from(id: $id) -> Self {
                Self::$kind(id)
            }
        }
    )*};
}

key_from!(
    Cluster(ClusterId),
    Node(NodeId),
    Service(ServiceId),
    Spec(SpecId),
    Task(TaskId),
    Network(NetworkId)
);
