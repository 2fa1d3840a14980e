//! A node.

use std::net::IpAddr;

use bytes::Bytes;
use model::{Description, Engine, Node, NodeSpec, NodeStatus};

use crate::field::{all, choice, each, nested, optional};
use crate::{Error, pb};

impl From<&Node> for pb::Node {
    fn from(node: &Node) -> Self {
        let Node { id, meta, spec, role, description, status, number } = node;
        Self {
            id: Some((*id).into()),
            meta: Some(meta.into()),
            spec: Some(spec.into()),
            role: pb::Role::from(*role).into(),
            description: description.as_deref().map(Into::into),
            status: Some(status.into()),
            number: *number,
        }
    }
}

impl TryFrom<pb::Node> for Node {
    type Error = Error;

    fn try_from(node: pb::Node) -> Result<Self, Error> {
        let pb::Node { id, meta, spec, role, description, status, number } = node;
        Ok(Self {
            id: nested(id, "id")?,
            meta: nested(meta, "meta")?,
            spec: nested(spec, "spec")?,
            role: choice(role, "role")?,
            description: optional(description, "description")?.map(Box::new),
            status: nested(status, "status")?,
            number,
        })
    }
}

impl From<&NodeSpec> for pb::NodeSpec {
    fn from(spec: &NodeSpec) -> Self {
        let NodeSpec { name, labels, role, availability } = spec;
        Self {
            name: name.clone(),
            labels: labels.clone(),
            role: pb::Role::from(*role).into(),
            availability: pb::Availability::from(*availability).into(),
        }
    }
}

impl TryFrom<pb::NodeSpec> for NodeSpec {
    type Error = Error;

    fn try_from(spec: pb::NodeSpec) -> Result<Self, Error> {
        let pb::NodeSpec { name, labels, role, availability } = spec;
        Ok(Self {
            name,
            labels,
            role: choice(role, "role")?,
            availability: choice(availability, "availability")?,
        })
    }
}

impl From<&NodeStatus> for pb::NodeStatus {
    fn from(status: &NodeStatus) -> Self {
        let NodeStatus { state, message, address } = status;
        let address = match address {
            None => Bytes::new(),
            Some(IpAddr::V4(address)) => Bytes::copy_from_slice(&address.octets()),
            Some(IpAddr::V6(address)) => Bytes::copy_from_slice(&address.octets()),
        };
        Self { state: pb::NodeState::from(*state).into(), message: message.clone(), address }
    }
}

impl TryFrom<pb::NodeStatus> for NodeStatus {
    type Error = Error;

    fn try_from(status: pb::NodeStatus) -> Result<Self, Error> {
        let pb::NodeStatus { state, message, address } = status;
        let address = if address.is_empty() {
            None
        } else if let Ok(octets) = <[u8; 4]>::try_from(address.as_ref()) {
            Some(IpAddr::from(octets))
        } else if let Ok(octets) = <[u8; 16]>::try_from(address.as_ref()) {
            Some(IpAddr::from(octets))
        } else {
            return Err(Error::field("address", format!("{} bytes are not an address", address.len())));
        };
        Ok(Self { state: choice(state, "state")?, message, address })
    }
}

impl From<&Description> for pb::Description {
    fn from(description: &Description) -> Self {
        let Description { hostname, platform, nano_cpus, memory_bytes, generic, engine } = description;
        Self {
            hostname: hostname.clone(),
            platform: Some(platform.into()),
            nano_cpus: *nano_cpus,
            memory_bytes: *memory_bytes,
            generic: all(generic),
            engine: Some(engine.into()),
        }
    }
}

impl TryFrom<pb::Description> for Description {
    type Error = Error;

    fn try_from(description: pb::Description) -> Result<Self, Error> {
        let pb::Description { hostname, platform, nano_cpus, memory_bytes, generic, engine } = description;
        Ok(Self {
            hostname,
            platform: nested(platform, "platform")?,
            nano_cpus,
            memory_bytes,
            generic: each(generic, "generic")?,
            engine: nested(engine, "engine")?,
        })
    }
}

impl From<&Engine> for pb::Engine {
    fn from(engine: &Engine) -> Self {
        let Engine { version, labels, plugins } = engine;
        Self { version: version.clone(), labels: labels.clone(), plugins: all(plugins) }
    }
}

impl From<pb::Engine> for Engine {
    fn from(engine: pb::Engine) -> Self {
        let pb::Engine { version, labels, plugins } = engine;
        Self { version, labels, plugins: plugins.into_iter().map(Into::into).collect() }
    }
}

same!(Platform { architecture, os });
same!(Plugin { kind, name });
