//! An entry of the log: a batch of changes and the proposer's clock.

use model::Timestamp;
use prost::Message;
use store::Change;

use crate::field::{all, each};
use crate::{Error, pb};

/// A batch of changes that every member applies in the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The proposer's clock; every member writes this time.
    pub at: Timestamp,
    /// The changes, which are applied wholly or not at all.
    pub changes: Vec<Change>,
}

/// Returns the bytes of an entry.
pub fn encode(entry: &Entry) -> Vec<u8> {
    pb::LogEntry::from(entry).encode_to_vec()
}

/// Returns how many bytes a change takes in an entry.
pub fn size_of(change: &Change) -> usize {
    // A field's tag and its length come before the message.
    pb::Change::from(change).encoded_len() + 8
}

/// Returns the entry that these bytes hold.
pub fn decode(bytes: &[u8]) -> Result<Entry, Error> {
    let entry = pb::LogEntry::decode(bytes).map_err(|source| Error::Garbled { what: "log entry", source })?;
    entry.try_into()
}

impl From<&Entry> for pb::LogEntry {
    fn from(entry: &Entry) -> Self {
        let Entry { at, changes } = entry;
        Self { at: at.0, changes: all(changes) }
    }
}

impl TryFrom<pb::LogEntry> for Entry {
    type Error = Error;

    fn try_from(entry: pb::LogEntry) -> Result<Self, Error> {
        let pb::LogEntry { at, changes } = entry;
        Ok(Self { at: Timestamp(at), changes: each(changes, "changes")? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::samples;

    /// Field 1000 with the number 1, which no message has.
    const UNKNOWN_FIELD: [u8; 3] = [0xc0, 0x3e, 0x01];

    fn one_task() -> pb::Task {
        let task = samples::task().new_tree(&mut TestRunner::deterministic()).unwrap().current();
        pb::Task::from(&task)
    }

    /// Decodes an entry that puts this task and expects these words.
    fn check_refused(task: pb::Task, words: &str) {
        let object = pb::Object { kind: Some(pb::object::Kind::Task(task)) };
        let change = pb::Change { kind: Some(pb::change::Kind::Put(object)) };
        let entry = pb::LogEntry { at: 1, changes: vec![change] };

        let refused = decode(&entry.encode_to_vec()).unwrap_err();

        assert_eq!(refused.to_string(), words);
    }

    #[test]
    fn what_this_version_does_not_know_is_refused_by_name() {
        let at = "changes[0].put.task";
        check_refused(
            pb::Task { desired: 7, ..one_task() },
            &format!("{at}.desired: the value 7 is unknown"),
        );
        let port = pb::PortSpec { target: 70_000, protocol: 1, mode: 1, ..pb::PortSpec::default() };
        let status = |ports| Some(pb::TaskStatus { ports, ..one_task().status.unwrap() });
        check_refused(
            pb::Task { status: status(vec![port.clone()]), ..one_task() },
            &format!("{at}.status.ports[0].target: 70000 is too large"),
        );
        check_refused(
            pb::Task { status: status(vec![pb::PortSpec { protocol: 0, ..port }]), ..one_task() },
            &format!("{at}.status.ports[0].protocol: the value 0 is unknown"),
        );
        let missing = "is missing, or is of a kind that this version does not know";
        check_refused(pb::Task { service: None, ..one_task() }, &format!("{at}.service: {missing}"));
        let entry = pb::LogEntry { at: 1, changes: vec![pb::Change { kind: None }] };
        assert_eq!(
            decode(&entry.encode_to_vec()).unwrap_err().to_string(),
            format!("changes[0].kind: {missing}")
        );
    }

    #[test]
    fn spans_and_subnets_are_checked() {
        let span = std::time::Duration::try_from(pb::Duration { seconds: 1, nanoseconds: 1_000_000_000 });
        let subnet = model::Subnet::try_from(pb::Subnet { base: 0, prefix: 33 });
        let address = model::NodeStatus::try_from(pb::NodeStatus {
            state: 1,
            message: String::new(),
            address: vec![1, 2, 3].into(),
        });

        assert_eq!(span.unwrap_err().to_string(), "nanoseconds: 1000000000 is a second or more");
        assert_eq!(subnet.unwrap_err().to_string(), "prefix: 33 is more than 32");
        assert_eq!(address.unwrap_err().to_string(), "address: 3 bytes are not an address");
    }

    #[test]
    fn secrets_are_not_printed() {
        let root = pb::RootCa { certificate_pem: "public".into(), key_pem: "hidden".into() };
        let tokens = pb::JoinTokens { worker: "hidden".into(), manager: "hidden".into() };

        let printed = format!("{root:?} {tokens:?}");

        assert!(printed.contains("public") && !printed.contains("hidden"), "{printed}");
    }

    proptest! {
        #[test]
        fn every_entry_comes_back_as_it_was(entry in samples::entry()) {
            let bytes = encode(&entry);

            prop_assert_eq!(encode(&decode(&bytes).unwrap()), bytes.clone());
            prop_assert_eq!(decode(&bytes).unwrap(), entry);
        }

        #[test]
        fn fields_of_later_versions_are_passed_over(task in samples::task()) {
            let mut object = pb::Object::from(&store::Object::from(task.clone())).encode_to_vec();
            object.extend(UNKNOWN_FIELD);
            let mut inner = pb::Task::from(&task).encode_to_vec();
            inner.extend(UNKNOWN_FIELD);

            let decoded = pb::Object::decode(object.as_slice()).unwrap();
            let decoded_inner = pb::Task::decode(inner.as_slice()).unwrap();

            prop_assert_eq!(store::Object::try_from(decoded).unwrap(), task.clone().into());
            prop_assert_eq!(model::Task::try_from(decoded_inner).unwrap(), task);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
        }

        #[test]
        fn damaged_bytes_do_not_make_it_panic(
            entry in samples::entry(), place in any::<prop::sample::Index>(), damage in any::<u8>(),
        ) {
            let mut bytes = encode(&entry);
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] ^= damage;
                let _ = decode(&bytes);
                let _ = decode(&bytes[..place]);
            }
        }
    }
}
