//! Persistent tables: a copy shares everything with the original, a write copies one path.
//!
//! They are B-trees with up to 16 entries per leaf: a write to a shared table of a million rows
//! copies five nodes, and two tables are compared by skipping the nodes they share.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use imbl::{OrdMap, OrdSet};

/// Objects by key, ordered by key.
pub(crate) struct Table<K, V>(OrdMap<K, Shared<V>>);

/// An ordered set of keys, from which an index is made.
pub(crate) struct Set<K>(OrdSet<K>);

/// A row. Two rows are equal at once when they are the same allocation.
pub(crate) struct Shared<V>(Arc<V>);

impl<V> Clone for Shared<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: PartialEq> PartialEq for Shared<V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

/// How a row differs between two tables.
pub(crate) enum RowDifference<'a, V> {
    Added(&'a Arc<V>),
    Changed { before: &'a Arc<V>, after: &'a Arc<V> },
    Removed(&'a Arc<V>),
}

impl<K: Ord + Clone, V> Table<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&Arc<V>> {
        self.0.get(key).map(|row| &row.0)
    }

    pub(crate) fn insert(&mut self, key: K, row: Arc<V>) -> Option<Arc<V>> {
        self.0.insert(key, Shared(row)).map(|row| row.0)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<Arc<V>> {
        self.0.remove(key).map(|row| row.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn first(&self) -> Option<&Arc<V>> {
        self.0.get_min().map(|(_, row)| &row.0)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Arc<V>> {
        self.0.values().map(|row| &row.0)
    }

    pub(crate) fn range(&self, keys: RangeInclusive<K>) -> impl Iterator<Item = &Arc<V>> {
        self.0.range(keys).map(|(_, row)| &row.0)
    }
}

impl<K: Ord + Clone, V: PartialEq> Table<K, V> {
    /// Returns the rows that differ, ordered by key, without visiting what both share.
    pub(crate) fn differences<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = RowDifference<'a, V>> {
        self.0.diff(&after.0).map(|item| match item {
            DiffItem::Add(_, row) => RowDifference::Added(&row.0),
            DiffItem::Update { old: (_, before), new: (_, after) } => {
                RowDifference::Changed { before: &before.0, after: &after.0 }
            }
            DiffItem::Remove(_, row) => RowDifference::Removed(&row.0),
        })
    }
}

impl<K: Ord + Clone> Set<K> {
    pub(crate) fn insert(&mut self, key: K) {
        self.0.insert(key);
    }

    /// Removes the key and returns whether it was there.
    pub(crate) fn remove(&mut self, key: &K) -> bool {
        self.0.remove(key).is_some()
    }

    pub(crate) fn first(&self) -> Option<&K> {
        self.0.get_min()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &K> {
        self.0.iter()
    }

    pub(crate) fn range(&self, keys: RangeInclusive<K>) -> impl Iterator<Item = &K> {
        self.0.range(keys)
    }
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(OrdMap::default())
    }
}

impl<K: Ord + Clone, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.differences(other).next().is_none()
    }
}

impl<K: Ord + Clone, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.len())
    }
}

impl<K> Clone for Set<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Default for Set<K> {
    fn default() -> Self {
        Self(OrdSet::default())
    }
}

impl<K: Ord + Clone> PartialEq for Set<K> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.0.diff(&other.0).next().is_none()
    }
}

impl<K: Ord + Clone> fmt::Debug for Set<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.len())
    }
}
