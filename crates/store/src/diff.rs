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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Change;
    use crate::samples::{any_wishes, extend, task, view_with};

    /// Does to `view` what the differences say, with the objects as they are.
    fn follow(view: &mut View, differences: &[Difference]) {
        for difference in differences {
            match difference {
                Difference::Added(after) | Difference::Changed { after, .. } => {
                    view.draft(&Change::Put(after.clone()));
                }
                Difference::Removed(before) => {
                    view.draft(&Change::Delete(before.key(), before.meta().version));
                }
            }
        }
        view.advance_to(u64::MAX);
    }

    fn ended(mut view: View) -> View {
        view.advance_to(u64::MAX);
        view
    }

    proptest! {
        #[test]
        fn following_the_differences_leads_from_one_view_to_the_other(
            wishes in any_wishes(), more in any_wishes(),
        ) {
            let before = view_with(&wishes);
            let mut after = before.clone();
            extend(&mut after, &more);
            let (mut forth, mut back) = (before.clone(), after.clone());

            follow(&mut forth, &differences(&before, &after));
            follow(&mut back, &differences(&after, &before));

            prop_assert_eq!(forth, ended(after));
            prop_assert_eq!(back, ended(before));
        }

        #[test]
        fn differences_of_large_tables_are_exact(
            removed in prop::collection::btree_set(0..3000u128, 0..400),
            added in prop::collection::btree_set(3000..4000u128, 0..400),
            changed in prop::collection::btree_set(0..3000u128, 0..400),
        ) {
            let objects = (0..3000u128).map(|id| Object::from(task(id * 7919 % 3001, id % 10)));
            let before = View::restore(1, objects).unwrap();
            let mut after = before.clone();
            for id in &changed {
                after.put(task(*id, 77).into());
            }
            for id in added.iter() {
                after.put(task(*id + 5000, 1).into());
            }
            for id in &removed {
                after.remove(Key::Task(model::TaskId::from_bits(*id)));
            }

            let mut follower = before.clone();
            let found = differences(&before, &after);
            follow(&mut follower, &found);

            prop_assert_eq!(follower, ended(after));
            prop_assert!(found.len() <= removed.len() + added.len() + changed.len());
        }
    }

    #[test]
    fn equal_rows_in_other_places_of_memory_do_not_differ() {
        let one = View::restore(1, [task(1, 1).into()]).unwrap();
        let other = View::restore(1, [task(1, 1).into()]).unwrap();

        assert_eq!(differences(&one, &other), []);
    }
}
