//! What a snapshot is about, apart from where it is kept.

use raft::eraftpb::Snapshot;

use crate::codec::{Reader, Writer};
use crate::log::Position;
use crate::member::Membership;

/// Describes a snapshot: the last entry in it and the group after that entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Meta {
    pub position: Position,
    pub membership: Membership,
}

impl Meta {
    /// Returns raft's view of it; the membership beyond raft's own travels as the data's first part.
    pub fn to_raft(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        metadata.index = self.position.index;
        metadata.term = self.position.term;
        metadata.set_conf_state(self.membership.conf.clone());
        snapshot
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.position.index);
        out.number(self.position.term);
        self.membership.encode(&mut out);
        out.0
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let position = Position { index: from.number()?, term: from.number()? };
        Some(Self { position, membership: Membership::decode(&mut from)? })
    }

    /// Puts the description in front of the state, as a snapshot travels and rests.
    pub fn envelope(&self, state: &[u8]) -> Vec<u8> {
        let mut out = Writer::default();
        out.0.reserve(state.len() + 256);
        out.bytes(&self.encode());
        out.0.extend_from_slice(state);
        out.0
    }

    /// Splits an envelope into the description and the state.
    pub fn open(envelope: &[u8]) -> Option<(Self, &[u8])> {
        let mut from = Reader(envelope);
        let meta = Self::decode(from.bytes()?)?;
        Some((meta, from.0))
    }
}
