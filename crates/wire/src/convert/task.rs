//! A task.

use std::net::Ipv4Addr;

use model::{SpecVersion, Task, TaskAddress, TaskStatus, Timestamp};

use crate::field::{all, choice, each, nested, optional};
use crate::{Error, pb};

impl From<&Task> for pb::Task {
    fn from(task: &Task) -> Self {
        let Task { id, meta, service, spec_version, slot, desired, node, addresses, status } = task;
        Self {
            id: Some((*id).into()),
            meta: Some(meta.into()),
            service: Some((*service).into()),
            spec_version: spec_version.0,
            slot: *slot,
            desired: pb::TaskState::from(*desired).into(),
            node: node.map(Into::into),
            addresses: all(addresses),
            status: Some(status.into()),
        }
    }
}

impl TryFrom<pb::Task> for Task {
    type Error = Error;

    fn try_from(task: pb::Task) -> Result<Self, Error> {
        let pb::Task { id, meta, service, spec_version, slot, desired, node, addresses, status } = task;
        Ok(Self {
            id: nested(id, "id")?,
            meta: nested(meta, "meta")?,
            service: nested(service, "service")?,
            spec_version: SpecVersion(spec_version),
            slot,
            desired: choice(desired, "desired")?,
            node: optional(node, "node")?,
            addresses: each(addresses, "addresses")?,
            status: nested(status, "status")?,
        })
    }
}

impl From<&TaskAddress> for pb::TaskAddress {
    fn from(address: &TaskAddress) -> Self {
        let TaskAddress { network, address } = address;
        Self { network: Some((*network).into()), address: address.to_bits() }
    }
}

impl TryFrom<pb::TaskAddress> for TaskAddress {
    type Error = Error;

    fn try_from(address: pb::TaskAddress) -> Result<Self, Error> {
        let pb::TaskAddress { network, address } = address;
        Ok(Self { network: nested(network, "network")?, address: Ipv4Addr::from_bits(address) })
    }
}

impl From<&TaskStatus> for pb::TaskStatus {
    fn from(status: &TaskStatus) -> Self {
        let TaskStatus { state, at, message, err, container, ports } = status;
        Self {
            state: pb::TaskState::from(*state).into(),
            at: at.0,
            message: message.clone(),
            err: err.clone(),
            container: container.as_deref().map(Into::into),
            ports: all(ports),
        }
    }
}

impl TryFrom<pb::TaskStatus> for TaskStatus {
    type Error = Error;

    fn try_from(status: pb::TaskStatus) -> Result<Self, Error> {
        let pb::TaskStatus { state, at, message, err, container, ports } = status;
        Ok(Self {
            state: choice(state, "state")?,
            at: Timestamp(at),
            message,
            err,
            container: optional(container, "container")?.map(Box::new),
            ports: each(ports, "ports")?,
        })
    }
}

same!(ContainerStatus { container_id, pid, exit_code });
