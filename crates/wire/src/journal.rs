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
