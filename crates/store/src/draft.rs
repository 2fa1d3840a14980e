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

#[cfg(test)]
mod tests {
    use model::{ServiceId, TaskId, TaskState};
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{Wish, any_wishes, service, task, view_with};

    fn with_one_task() -> View {
        let mut view = View::default();
        view.apply(5, Timestamp(50), &[Change::Put(task(1, 1).into())]).unwrap();
        view
    }

    fn key() -> Key {
        Key::Task(TaskId::from_bits(1))
    }

    #[test]
    fn the_last_change_wins_and_keeps_the_first_base() {
        let mut draft = Draft::new(with_one_task());
        let mut wanted = (**draft.view().task(TaskId::from_bits(1)).unwrap()).clone();
        wanted.slot = 2;
        draft.put(wanted.clone());
        wanted.slot = 3;
        wanted.meta.version = Version(0);
        draft.put(wanted.clone());
        wanted.meta.version = Version(5);

        let plan = draft.into_plan();

        assert_eq!(plan.changes, [Change::Put(wanted.into())]);
    }

    #[test]
    fn writing_what_is_there_is_no_change() {
        let mut draft = Draft::new(with_one_task());
        let there = (**draft.view().task(TaskId::from_bits(1)).unwrap()).clone();

        draft.put(there.clone());
        assert!(draft.is_unchanged());
        draft.put(model::Task { slot: 9, ..there.clone() });
        assert!(!draft.is_unchanged());
        draft.put(there);

        assert!(draft.into_plan().is_empty());
    }

    #[test]
    fn making_and_removing_comes_to_nothing() {
        let mut draft = Draft::new(View::default());
        draft.put(service(1, "web"));
        draft.put(task(1, 1));
        draft.delete(ServiceId::from_bits(1));
        draft.delete(ServiceId::from_bits(2));

        assert_eq!(draft.view().service_by_name("web"), None);
        assert_eq!(draft.into_plan().changes, [Change::Put(task(1, 1).into())]);
    }

    #[test]
    fn removing_and_making_again_is_a_write_of_what_was() {
        let mut draft = Draft::new(with_one_task());
        draft.delete(key());
        assert_eq!(draft.clone().into_plan().changes, [Change::Delete(key(), Version(5))]);

        draft.put(model::Task { desired: TaskState::Shutdown, ..task(1, 1) });

        let plan = draft.into_plan();
        assert_eq!(plan.changes.len(), 1);
        assert_eq!(plan.changes[0].based_on(), Version(5));
    }

    #[test]
    fn stages_after_each_other_make_one_plan() {
        let mut whole = Draft::new(with_one_task());
        let mut first = Draft::new(whole.view().clone());
        first.put(task(2, 1));
        first.look_again_at(Timestamp(9));
        first.look_again_at(Timestamp(8));
        first.note("made");
        whole.absorb(first.into_plan());
        let mut second = Draft::new(whole.view().clone());
        second.put(model::Task { slot: 4, ..task(2, 1) });
        second.look_again_at(Timestamp(10));
        whole.absorb(second.into_plan());

        let plan = whole.into_plan();

        assert_eq!(plan.changes, [Change::Put(model::Task { slot: 4, ..task(2, 1) }.into())]);
        assert_eq!((plan.look_again_at, plan.notes), (Some(Timestamp(8)), vec!["made".to_owned()]));
    }

    proptest! {
        #[test]
        fn a_plan_holds_each_object_once_and_leads_to_the_drafted_view(
            wishes in any_wishes(), more in any_wishes(),
        ) {
            let base = view_with(&wishes);
            let mut draft = Draft::new(base.clone());
            for wish in &more {
                match wish {
                    Wish::Put(object) | Wish::PutStale(object) => draft.put(object.clone()),
                    Wish::Delete(key) | Wish::DeleteStale(key) => draft.delete(*key),
                }
            }
            let drafted = draft.view().clone();

            let plan = draft.into_plan();

            let mut view = base.clone();
            let mut keys = std::collections::BTreeSet::new();
            for change in &plan.changes {
                prop_assert!(keys.insert(change.key()));
                let version = base.get(change.key()).map_or(Version(0), |object| object.meta().version);
                prop_assert_eq!(change.based_on(), version);
                view.draft(change);
            }
            prop_assert_eq!(view, drafted);
        }
    }
}
