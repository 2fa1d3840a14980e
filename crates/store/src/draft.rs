//! What a stage writes through.

use std::collections::BTreeMap;

use model::{Meta, Timestamp, Version};

use crate::{Change, Key, Object, Plan, View};

/// A view and the changes made on it. The last change of an object wins and keeps the version that the object had
/// in the view the draft began with.
#[derive(Debug, Clone)]
pub struct Draft {
    base: View,
    view: View,
    /// In the order in which objects were first changed; `None` where nothing came of it.
    changes: Vec<Option<Change>>,
    places: BTreeMap<Key, usize>,
    look_again_at: Option<Timestamp>,
    notes: Vec<String>,
}

impl Draft {
    /// Begins with a view and no changes.
    pub fn new(view: View) -> Self {
        Self {
            base: view.clone(),
            view,
            changes: Vec::new(),
            places: BTreeMap::new(),
            look_again_at: None,
            notes: Vec::new(),
        }
    }

    /// Returns the view with the changes in it.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Returns the view that the draft began with.
    pub fn base(&self) -> &View {
        &self.base
    }

    /// Claims that nothing was changed.
    pub fn is_unchanged(&self) -> bool {
        self.changes.iter().all(Option::is_none)
    }

    /// Writes an object. Writing what is there already changes nothing.
    pub fn put(&mut self, object: impl Into<Object>) {
        let object = object.into();
        let key = object.key();
        let base = self.base.get(key);
        let version = base.as_ref().map_or(Version(0), |base| base.meta().version);
        let object = {
            let meta = Meta { version, ..object.meta() };
            object.with_meta(meta)
        };
        if base.as_ref() == Some(&object) {
            self.forget(key);
        } else {
            self.record(key, Change::Put(object.clone()));
        }
        self.view.put(object);
    }

    /// Removes an object, if it is there.
    pub fn delete(&mut self, key: impl Into<Key>) {
        let key = key.into();
        match self.base.get(key) {
            Some(base) => self.record(key, Change::Delete(key, base.meta().version)),
            None => self.forget(key),
        }
        self.view.remove(key);
    }

    /// Asks for another look at this time, or at an earlier one if that was asked for.
    pub fn look_again_at(&mut self, time: Timestamp) {
        self.look_again_at = Some(self.look_again_at.map_or(time, |earlier| earlier.min(time)));
    }

    /// Notes something for people to read.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Takes over what another stage planned on this draft's view.
    pub fn absorb(&mut self, plan: Plan) {
        let Plan { changes, look_again_at, notes } = plan;
        for change in changes {
            match change {
                Change::Put(object) => self.put(object),
                Change::Delete(key, _) => self.delete(key),
            }
        }
        if let Some(time) = look_again_at {
            self.look_again_at(time);
        }
        self.notes.extend(notes);
    }

    /// Returns the changes, one per object, in the order in which objects were first changed.
    pub fn into_plan(self) -> Plan {
        let changes = self.changes.into_iter().flatten().collect();
        Plan { changes, look_again_at: self.look_again_at, notes: self.notes }
    }

    fn record(&mut self, key: Key, change: Change) {
        let place = *self.places.entry(key).or_insert(self.changes.len());
        if place == self.changes.len() {
            self.changes.push(None);
        }
        self.changes[place] = Some(change);
    }

    fn forget(&mut self, key: Key) {
        if let Some(place) = self.places.remove(&key) {
            self.changes[place] = None;
        }
    }
}
