//! What lies between two views.

use std::sync::Arc;

use crate::table::{RowDifference, Table};
use crate::{Key, Object, View};

/// How one object differs between two views.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// It is only in the later one.
    Added(Object),
    /// It is in both and was written between.
    Changed {
        /// What it was.
        before: Object,
        /// What it is.
        after: Object,
    },
    /// It is only in the earlier one.
    Removed(Object),
}

impl Difference {
    /// Returns what names the object.
    pub fn key(&self) -> Key {
        match self {
            Self::Added(object) | Self::Removed(object) => object.key(),
            Self::Changed { after, .. } => after.key(),
        }
    }

    /// Returns the object as it was and as it is.
    pub fn sides(&self) -> (Option<&Object>, Option<&Object>) {
        match self {
            Self::Added(after) => (None, Some(after)),
            Self::Changed { before, after } => (Some(before), Some(after)),
            Self::Removed(before) => (Some(before), None),
        }
    }
}

/// Returns what differs, kind after kind and ordered by id, at the cost of what was written between
/// the two and not of their size.
pub fn differences(before: &View, after: &View) -> Vec<Difference> {
    let mut found = Vec::new();
    collect(&before.clusters, &after.clusters, &mut found);
    collect(&before.nodes, &after.nodes, &mut found);
    collect(&before.services, &after.services, &mut found);
    collect(&before.specs, &after.specs, &mut found);
    collect(&before.tasks, &after.tasks, &mut found);
    collect(&before.networks, &after.networks, &mut found);
    found
}

fn collect<K: Ord + Clone, V: PartialEq>(
    before: &Table<K, V>,
    after: &Table<K, V>,
    found: &mut Vec<Difference>,
) where
    Object: From<Arc<V>>,
{
    let object = |row: &Arc<V>| Object::from(Arc::clone(row));
    found.extend(before.differences(after).map(|difference| match difference {
        RowDifference::Added(after) => Difference::Added(object(after)),
        RowDifference::Changed { before, after } => {
            Difference::Changed { before: object(before), after: object(after) }
        }
        RowDifference::Removed(before) => Difference::Removed(object(before)),
    }));
}
