//! A change, and why it is refused.

use model::Version;
use store::{Change, Conflict, Key};

use crate::field::{inside, nested, required};
use crate::{Error, pb};

impl From<&Change> for pb::Change {
    fn from(change: &Change) -> Self {
        use pb::change::Kind;
        let kind = match change {
            Change::Put(object) => Kind::Put(object.into()),
            Change::Delete(key, version) => {
                Kind::Delete(pb::Deletion { key: Some((*key).into()), version: version.0 })
            }
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::Change> for Change {
    type Error = Error;

    fn try_from(change: pb::Change) -> Result<Self, Error> {
        use pb::change::Kind;
        let pb::Change { kind } = change;
        Ok(match required(kind, "kind")? {
            Kind::Put(object) => Self::Put(inside(object, "put")?),
            Kind::Delete(pb::Deletion { key, version }) => {
                Self::Delete(nested(key, "delete.key")?, Version(version))
            }
        })
    }
}

impl From<&Conflict> for pb::Conflict {
    fn from(conflict: &Conflict) -> Self {
        use pb::conflict::{Kind, NameTaken, Stale};
        let kind = match conflict {
            Conflict::Stale { key, based_on, current } => Kind::Stale(Stale {
                key: Some((*key).into()),
                based_on: based_on.0,
                current: current.map(|version| version.0),
            }),
            // The kind is that of the holder.
            Conflict::NameTaken { kind: _, name, holder } => {
                Kind::NameTaken(NameTaken { name: name.clone(), holder: Some((*holder).into()) })
            }
            Conflict::AlreadyExists(key) => Kind::AlreadyExists((*key).into()),
            Conflict::Missing(key) => Kind::Missing((*key).into()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::Conflict> for Conflict {
    type Error = Error;

    fn try_from(conflict: pb::Conflict) -> Result<Self, Error> {
        use pb::conflict::{Kind, NameTaken, Stale};
        let pb::Conflict { kind } = conflict;
        Ok(match required(kind, "kind")? {
            Kind::Stale(Stale { key, based_on, current }) => Self::Stale {
                key: nested(key, "stale.key")?,
                based_on: Version(based_on),
                current: current.map(Version),
            },
            Kind::NameTaken(NameTaken { name, holder }) => {
                let holder: Key = nested(holder, "name_taken.holder")?;
                Self::NameTaken { kind: holder.kind(), name, holder }
            }
            Kind::AlreadyExists(key) => Self::AlreadyExists(inside(key, "already_exists")?),
            Kind::Missing(key) => Self::Missing(inside(key, "missing")?),
        })
    }
}
