//! How changes get into a view.

use std::sync::Arc;

use model::{Meta, Timestamp, Version};

use crate::{Change, Conflict, Key, Object, View};

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
