//! How changes get into a view.

use std::sync::Arc;

use model::{Meta, Timestamp, Version};

use crate::{Change, Conflict, Key, Object, View, reference};

impl View {
    /// Takes a batch that was committed at `index`, wholly or not at all.
    ///
    /// A written object gets `index` as its version and `time` as its time of update, and of
    /// creation if it is made. The outcome depends on nothing but the view and the arguments.
    pub fn apply(&mut self, index: u64, time: Timestamp, changes: &[Change]) -> Result<(), Conflict> {
        let mut after = self.clone();
        for change in changes {
            let current = after.check(change)?;
            match change {
                Change::Put(object) => {
                    let created_at = current.map_or(time, |meta| meta.created_at);
                    let meta = Meta { version: Version(index), created_at, updated_at: time };
                    after.put(object.clone().with_meta(meta));
                }
                Change::Delete(key, _) => after.remove(*key),
            }
        }
        after.index = index;
        *self = after;
        Ok(())
    }

    /// Records that the log went on to `index` without a change, as it does over entries that were refused.
    pub fn advance_to(&mut self, index: u64) {
        self.index = self.index.max(index);
    }

    /// Writes without any check, as a draft of what may be proposed. Objects keep the version and times they carry.
    pub fn draft(&mut self, change: &Change) {
        match change {
            Change::Put(object) => self.put(object.clone()),
            Change::Delete(key, _) => self.remove(*key),
        }
    }

    /// Builds the view that a snapshot described; objects keep the version and times they carry.
    pub fn restore(index: u64, objects: impl IntoIterator<Item = Object>) -> Result<Self, Conflict> {
        let mut view = Self { index, ..Self::default() };
        for object in objects {
            if let Some(holder) = view.get(object.key()) {
                return Err(Conflict::AlreadyExists(holder.key()));
            }
            view.check_unique(&object)?;
            view.put(object);
        }
        Ok(view)
    }

    /// Returns the version and times of the object to be changed, if it is there, or why the change is refused.
    fn check(&self, change: &Change) -> Result<Option<Meta>, Conflict> {
        let (key, based_on) = (change.key(), change.based_on());
        let current = self.get(key).map(|object| object.meta());
        match (change, current) {
            (Change::Put(_), None) if based_on == Version(0) => {}
            (Change::Put(_), Some(_)) if based_on == Version(0) => return Err(Conflict::AlreadyExists(key)),
            (Change::Put(_) | Change::Delete(..), None) => return Err(Conflict::Missing(key)),
            (Change::Put(_) | Change::Delete(..), Some(current)) if current.version != based_on => {
                return Err(Conflict::Stale { key, based_on, current: Some(current.version) });
            }
            (Change::Put(_) | Change::Delete(..), Some(_)) => {}
        }
        if let Change::Put(object) = change {
            self.check_unique(object)?;
        }
        reference::check(self, change)?;
        Ok(current)
    }

    /// Refuses an object that takes what another has: a name, being the cluster, being the ingress network.
    fn check_unique(&self, object: &Object) -> Result<(), Conflict> {
        let key = object.key();
        let (kind, holder) = match object {
            Object::Cluster(_) => ("cluster", self.cluster().map(|held| (key_of(held.id), &held.spec.name))),
            Object::Service(service) => (
                "service",
                self.service_by_name(&service.spec.name).map(|held| (key_of(held.id), &held.spec.name)),
            ),
            Object::Network(network) => {
                let same_name = self.network_by_name(&network.spec.name);
                let ingress = || self.ingress_network().filter(|_| network.spec.ingress);
                let others = [same_name, ingress()];
                let held = others.into_iter().flatten().find(|held| held.id != network.id);
                ("network", held.map(|held| (key_of(held.id), &held.spec.name)))
            }
            Object::Node(_) | Object::Spec(_) | Object::Task(_) => return Ok(()),
        };
        match holder {
            Some((holder, name)) if holder != key => {
                Err(Conflict::NameTaken { kind, name: name.clone(), holder })
            }
            _ => Ok(()),
        }
    }

    /// Writes an object and lets the indexes follow.
    pub(crate) fn put(&mut self, object: Object) {
        match object {
            Object::Cluster(cluster) => {
                self.clusters.insert(cluster.id, cluster);
            }
            Object::Node(node) => {
                self.indexes.loads.add_node(node.id);
                self.nodes.insert(node.id, node);
            }
            Object::Service(service) => {
                let before = self.services.insert(service.id, Arc::clone(&service));
                self.indexes.follow_service(before.as_deref(), Some(&service));
            }
            Object::Spec(spec) => {
                self.specs.insert(spec.id, spec);
            }
            Object::Task(task) => {
                let before = self.tasks.insert(task.id, Arc::clone(&task));
                self.indexes.follow_task(before.as_deref(), Some(&task));
            }
            Object::Network(network) => {
                let before = self.networks.insert(network.id, Arc::clone(&network));
                self.indexes.follow_network(before.as_deref(), Some(&network));
            }
        }
    }

    /// Removes an object, if it is there, and lets the indexes follow.
    pub(crate) fn remove(&mut self, key: Key) {
        match key {
            Key::Cluster(id) => {
                self.clusters.remove(&id);
            }
            Key::Node(id) => {
                self.indexes.loads.remove_node(id);
                self.nodes.remove(&id);
            }
            Key::Service(id) => {
                let before = self.services.remove(&id);
                self.indexes.follow_service(before.as_deref(), None);
            }
            Key::Spec(id) => {
                self.specs.remove(&id);
            }
            Key::Task(id) => {
                let before = self.tasks.remove(&id);
                self.indexes.follow_task(before.as_deref(), None);
            }
            Key::Network(id) => {
                let before = self.networks.remove(&id);
                self.indexes.follow_network(before.as_deref(), None);
            }
        }
    }
}

fn key_of(id: impl Into<Key>) -> Key {
    id.into()
}

#[cfg(test)]
mod tests {
    use model::{NetworkId, NodeId, ServiceId, SpecVersion, Task, TaskId, TaskState};
    use proptest::prelude::*;

    use super::*;
    use crate::differences;
    use crate::samples::{Wish, any_wishes, cluster, extend, network, node, service, spec, task, view_with};

    fn put(object: impl Into<Object>) -> Change {
        Change::Put(object.into())
    }

    fn holding(objects: impl IntoIterator<Item = Object>) -> View {
        let mut view = View::default();
        let changes: Vec<Change> = objects.into_iter().map(Change::Put).collect();
        view.apply(5, Timestamp(50), &changes).unwrap();
        view
    }

    /// Applies at index 9 and expects a refusal in these words, with nothing changed.
    fn check_refused(view: &View, changes: &[Change], words: &str) -> Conflict {
        let mut after = view.clone();

        let refused = after.apply(9, Timestamp(90), changes).unwrap_err();

        assert_eq!(refused.to_string(), words);
        assert_eq!(&after, view);
        refused
    }

    #[test]
    fn written_objects_carry_where_and_when() {
        let mut view = holding([node(1).into()]);
        let made = view.node(NodeId::from_bits(1)).unwrap().meta;
        let mut changed = (**view.node(NodeId::from_bits(1)).unwrap()).clone();
        changed.number = Some(3);

        view.apply(9, Timestamp(90), &[put(changed)]).unwrap();

        let written = view.node(NodeId::from_bits(1)).unwrap().meta;
        let expected = |version, updated| Meta {
            version: Version(version),
            created_at: Timestamp(50),
            updated_at: Timestamp(updated),
        };
        assert_eq!((made, written), (expected(5, 50), expected(9, 90)));
        assert_eq!(view.index(), 9);
    }

    #[test]
    fn stale_and_missing_and_existing_are_refused() {
        let view = holding([node(1).into(), service(2, "web").into()]);
        let at = |version| Meta { version: Version(version), ..Meta::default() };
        let key = Key::Node(NodeId::from_bits(1));

        let stale =
            check_refused(&view, &[put(model::Node { meta: at(4), ..node(1) })], "update out of sequence");
        check_refused(&view, &[Change::Delete(key, Version(6))], "update out of sequence");
        let missing = "node 0000000000000000000000007 does not exist";
        check_refused(&view, &[put(model::Node { meta: at(4), ..node(7) })], missing);
        check_refused(&view, &[Change::Delete(Key::Node(NodeId::from_bits(7)), Version(5))], missing);
        check_refused(&view, &[put(node(1))], "node 0000000000000000000000001 already exists");
        check_refused(&view, &[put(node(8)), put(node(8))], "node 0000000000000000000000008 already exists");

        assert_eq!(stale, Conflict::Stale { key, based_on: Version(4), current: Some(Version(5)) });
    }

    #[test]
    fn names_are_unique_without_regard_to_case() {
        let view = holding([service(1, "web").into(), network(1, "net").into()]);

        check_refused(
            &view,
            &[put(service(2, "WEB"))],
            "name conflicts with an existing object: service web already exists",
        );
        check_refused(
            &view,
            &[put(service(3, "db")), put(service(4, "db"))],
            "name conflicts with an existing object: service db already exists",
        );
        check_refused(
            &view,
            &[put(network(2, "net"))],
            "name conflicts with an existing object: network net already exists",
        );
        let mut both = view.clone();
        both.apply(6, Timestamp(60), &[put(network(2, "web"))]).unwrap();
        assert_eq!(both.network_by_name("Web").unwrap().id, NetworkId::from_bits(2));
        assert_eq!(both.service_by_name("wEb").unwrap().id, ServiceId::from_bits(1));
    }

    #[test]
    fn there_is_one_cluster_and_one_ingress_network() {
        let mut ingress = network(1, "ingress");
        ingress.spec.ingress = true;
        let mut other = network(2, "other");
        other.spec.ingress = true;
        let view = holding([cluster(1).into(), ingress.into()]);

        check_refused(
            &view,
            &[put(cluster(2))],
            "name conflicts with an existing object: cluster default already exists",
        );
        check_refused(
            &view,
            &[put(other)],
            "name conflicts with an existing object: network ingress already exists",
        );
        assert_eq!(view.ingress_network().unwrap().spec.name, "ingress");
    }

    #[test]
    fn a_name_is_free_again_in_the_batch_that_frees_it() {
        let mut view = holding([service(1, "web").into()]);
        let gone = Change::Delete(Key::Service(ServiceId::from_bits(1)), Version(5));

        view.apply(6, Timestamp(60), &[gone, put(service(2, "web"))]).unwrap();

        assert_eq!(view.service_by_name("web").unwrap().id, ServiceId::from_bits(2));
    }

    #[test]
    fn a_batch_is_taken_wholly_or_not_at_all() {
        let view = holding([service(1, "web").into()]);
        let good = [put(task(1, 1)), put(node(2)), put(spec(1, 1)), put(network(3, "net"))];
        let mut batch = good.to_vec();
        batch.push(put(service(2, "web")));

        check_refused(&view, &batch, "name conflicts with an existing object: service web already exists");
    }

    #[test]
    fn tasks_are_found_by_service_node_and_waiting() {
        let placed = |id, service, on| Task { node: Some(NodeId::from_bits(on)), ..task(id, service) };
        let ended = Task { desired: TaskState::Shutdown, ..task(4, 2) };
        let mut view = holding([placed(3, 1, 7).into(), task(1, 1).into(), task(2, 2).into(), ended.into()]);
        let ids = |tasks: Vec<&Arc<Task>>| tasks.into_iter().map(|task| task.id.bits()).collect::<Vec<_>>();

        assert_eq!(ids(view.tasks_of_service(ServiceId::from_bits(1)).collect()), [1, 3]);
        assert_eq!(ids(view.tasks_of_service(ServiceId::from_bits(2)).collect()), [2, 4]);
        assert_eq!(ids(view.tasks_on_node(NodeId::from_bits(7)).collect()), [3]);
        assert_eq!(ids(view.pending_tasks().collect()), [1, 2]);

        let mut moved = placed(1, 1, 8);
        moved.meta.version = Version(5);
        view.apply(
            6,
            Timestamp(60),
            &[put(moved), Change::Delete(Key::Task(TaskId::from_bits(3)), Version(5))],
        )
        .unwrap();

        assert_eq!(ids(view.tasks_of_service(ServiceId::from_bits(1)).collect()), [1]);
        assert_eq!(ids(view.tasks_on_node(NodeId::from_bits(7)).collect()), [0u128; 0]);
        assert_eq!(ids(view.tasks_on_node(NodeId::from_bits(8)).collect()), [1]);
        assert_eq!(ids(view.pending_tasks().collect()), [2]);
        assert_eq!((view.task_count(), view.pending_task_count()), (3, 1));
    }

    #[test]
    fn specs_of_a_service_come_oldest_first() {
        let view = holding([spec(2, 1).into(), spec(1, 2).into(), spec(1, 1).into(), spec(0, 9).into()]);

        let versions: Vec<SpecVersion> =
            view.specs_of_service(ServiceId::from_bits(1)).map(|spec| spec.id.version).collect();

        assert_eq!(versions, [SpecVersion(1), SpecVersion(2)]);
    }

    #[test]
    fn restoring_refuses_two_of_a_kind() {
        let twice = View::restore(3, [node(1).into(), node(1).into()]);
        let same_name = View::restore(3, [service(1, "a").into(), service(2, "A").into()]);

        assert_eq!(twice, Err(Conflict::AlreadyExists(Key::Node(NodeId::from_bits(1)))));
        assert!(matches!(same_name, Err(Conflict::NameTaken { kind: "service", .. })));
    }

    #[test]
    fn an_index_without_changes_only_moves_forward() {
        let mut view = holding([]);

        view.advance_to(8);
        view.advance_to(7);

        assert_eq!(view.index(), 8);
    }

    #[test]
    fn a_view_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<View>();
        shared::<Change>();
    }

    proptest! {
        #[test]
        fn a_restored_view_is_the_same_with_all_indexes(wishes in any_wishes()) {
            let view = view_with(&wishes);

            let restored = View::restore(view.index(), view.objects());

            prop_assert_eq!(restored, Ok(view));
        }

        #[test]
        fn a_refused_batch_changes_nothing_and_a_taken_one_is_its_parts(
            wishes in any_wishes(), batch in prop::collection::vec(crate::samples::any_wish(), 1..12),
        ) {
            let before = view_with(&wishes);
            let changes: Vec<Change> = batch.iter().map(|wish: &Wish| wish.on(&before)).collect();
            let (mut whole, mut parts) = (before.clone(), before.clone());

            let outcome = whole.apply(1000, Timestamp(1000), &changes);

            let each = changes.iter().try_for_each(|change| {
                parts.apply(1000, Timestamp(1000), std::slice::from_ref(change))
            });
            prop_assert_eq!(&outcome, &each);
            if outcome.is_ok() {
                prop_assert_eq!(whole, parts);
            } else {
                prop_assert_eq!(whole, before);
            }
        }

        #[test]
        fn drafting_in_any_state_keeps_the_indexes_right(wishes in any_wishes()) {
            let mut view = View::default();
            for wish in &wishes {
                view.draft(&wish.on(&view));
            }
            let mut again = View::default();
            for object in view.objects() {
                again.put(object);
            }

            prop_assert_eq!(view, again);
        }

        #[test]
        fn a_snapshot_never_changes(wishes in any_wishes(), more in any_wishes()) {
            let mut view = view_with(&wishes);
            let snapshot = view.clone();

            extend(&mut view, &more);

            prop_assert_eq!(&snapshot, &view_with(&wishes));
            prop_assert_eq!(differences(&snapshot, &view).is_empty(), snapshot.objects().eq(view.objects()));
        }
    }
}
