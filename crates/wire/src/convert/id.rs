//! Ids and keys.

use model::{ClusterId, NetworkId, NodeId, ServiceId, SpecId, SpecVersion, TaskId};
use store::Key;

use crate::field::{inside, nested, required};
use crate::{Error, pb};

macro_rules! id {
    ($($name:ident),*) => {$(
        impl From<$name> for pb::Id {
            fn from(id: $name) -> Self {
                let bits = id.bits();
                Self { high: (bits >> 64) as u64, low: bits as u64 }
            }
        }

        impl From<pb::Id> for $name {
            fn from(id: pb::Id) -> Self {
                let pb::Id { high, low } = id;
                Self::from_bits(u128::from(high) << 64 | u128::from(low))
            }
        }
    )*};
}

id!(ClusterId, NetworkId, NodeId, ServiceId, TaskId);

impl From<SpecId> for pb::SpecId {
    fn from(id: SpecId) -> Self {
        let SpecId { service, version } = id;
        Self { service: Some(service.into()), version: version.0 }
    }
}

impl TryFrom<pb::SpecId> for SpecId {
    type Error = Error;

    fn try_from(id: pb::SpecId) -> Result<Self, Error> {
        let pb::SpecId { service, version } = id;
        Ok(Self { service: nested(service, "service")?, version: SpecVersion(version) })
    }
}

impl From<Key> for pb::Key {
    fn from(key: Key) -> Self {
        use pb::key::Kind;
        let kind = match key {
            Key::Cluster(id) => Kind::Cluster(id.into()),
            Key::Node(id) => Kind::Node(id.into()),
            Key::Service(id) => Kind::Service(id.into()),
            Key::Spec(id) => Kind::Spec(id.into()),
            Key::Task(id) => Kind::Task(id.into()),
            Key::Network(id) => Kind::Network(id.into()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::Key> for Key {
    type Error = Error;

    fn try_from(key: pb::Key) -> Result<Self, Error> {
        use pb::key::Kind;
        let pb::Key { kind } = key;
        Ok(match required(kind, "kind")? {
            Kind::Cluster(id) => Self::Cluster(id.into()),
            Kind::Node(id) => Self::Node(id.into()),
            Kind::Service(id) => Self::Service(id.into()),
            Kind::Spec(id) => Self::Spec(inside(id, "spec")?),
            Kind::Task(id) => Self::Task(id.into()),
            Kind::Network(id) => Self::Network(id.into()),
        })
    }
}
