//! What an agent keeps on its disk: what it was told, and what it saw.

use std::collections::BTreeMap;

use model::{TaskId, TaskStatus};
use prost::Message;

use crate::assignment::{Item, Items};
use crate::field::{each, nested};
use crate::{Error, pb};

/// Returns the bytes of a journal.
pub fn encode(items: &Items, statuses: &BTreeMap<TaskId, TaskStatus>) -> Vec<u8> {
    let statuses = statuses
        .iter()
        .map(|(task, status)| pb::StatusReport { task: Some((*task).into()), status: Some(status.into()) });
    pb::Journal { items: items.values().map(pb::Item::from).collect(), statuses: statuses.collect() }
        .encode_to_vec()
}

/// Returns what these bytes of a journal hold.
pub fn decode(bytes: &[u8]) -> Result<(Items, BTreeMap<TaskId, TaskStatus>), Error> {
    let journal = pb::Journal::decode(bytes).map_err(|source| Error::Garbled { what: "journal", source })?;
    let pb::Journal { items, statuses } = journal;
    let items: Vec<Item> = each(items, "items")?;
    let statuses = statuses.into_iter().map(|report| {
        let pb::StatusReport { task, status } = report;
        Ok((nested(task, "statuses.task")?, nested(status, "statuses.status")?))
    });
    Ok((items.into_iter().map(|item| (item.key(), item)).collect(), statuses.collect::<Result<_, Error>>()?))
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_journal_comes_back_as_it_was(
            items in vec(samples::item(), 0..8),
            statuses in btree_map(samples::task_id(), samples::task_status(), 0..4),
        ) {
            let items: Items = items.into_iter().map(|item| (item.key(), item)).collect();

            prop_assert_eq!(decode(&encode(&items, &statuses)).unwrap(), (items, statuses));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
        }
    }
}
