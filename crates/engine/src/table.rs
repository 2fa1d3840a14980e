//! All containers by id and by name.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use container_config::health::Health;
use container_config::names;
use container_config::restart::ByHand;
use tokio::sync::{Notify, watch};

use crate::Error;
use crate::life::Life;
use crate::record::Record;

/// One container, for all who have to do with it.
pub(crate) struct Entry {
    /// Its id, which never changes.
    pub id: String,
    record: Mutex<Record>,
    /// Where it is in its life; written by `life` alone.
    pub life: watch::Sender<Life>,
    /// Held by whoever starts, ends or removes it; others wait. Never held while a running container is waited for.
    pub turn: tokio::sync::Mutex<()>,
    /// What people did to the present run.
    by_hand: Mutex<ByHand>,
    /// Whether it stays after its end although it is to be removed then: it is being started anew.
    pub is_kept: AtomicBool,
    /// Wakes who waits to restart it: somebody stopped, started or removes it.
    pub hand: Notify,
    /// How it is; written by its keeper.
    pub health: watch::Sender<Health>,
}

impl Entry {
    pub(crate) fn new(record: Record, life: Life) -> Entry {
        Entry {
            id: record.id.clone(),
            record: Mutex::new(record),
            life: watch::Sender::new(life),
            turn: tokio::sync::Mutex::default(),
            by_hand: Mutex::default(),
            is_kept: AtomicBool::new(false),
            hand: Notify::new(),
            health: watch::Sender::new(Health::unchecked()),
        }
    }

    /// Gives access to the record; for moments, and never across a wait.
    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what people did to the present run.
    pub(crate) fn by_hand(&self) -> ByHand {
        *self.by_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what people did to the present run.
    pub(crate) fn set_by_hand(&self, by_hand: ByHand) {
        *self.by_hand.lock().unwrap_or_else(PoisonError::into_inner) = by_hand;
    }

    /// Returns its name, without a slash.
    pub(crate) fn name(&self) -> String {
        self.record().name.clone()
    }

    /// Returns where it is in its life.
    pub(crate) fn life(&self) -> Life {
        self.life.borrow().clone()
    }
}

/// Keeps every container under its id, and every name for one container.
#[derive(Default)]
pub(crate) struct Table {
    by_id: BTreeMap<String, Arc<Entry>>,
    /// Who has a name; held from before the container is made until after it is gone.
    owners: BTreeMap<String, String>,
}

impl Table {
    /// Takes a name, or a random one, for an id.
    pub(crate) fn claim(&mut self, name: Option<&str>, id: &str) -> Result<String, Error> {
        let name = match name {
            None => names::random(&mut rand::rng(), |name| !self.owners.contains_key(name)),
            Some(name) => {
                let name = names::checked(name)?;
                if let Some(owner) = self.owners.get(name) {
                    return Err(Error::conflict(format!(
                        "Conflict. The container name \"/{name}\" is already in use by container \"{owner}\". \
                         You have to remove (or rename) that container to be able to reuse that name."
                    )));
                }
                name.to_owned()
            }
        };
        self.owners.insert(name.clone(), id.to_owned());
        Ok(name)
    }

    /// Gives a name back.
    pub(crate) fn release(&mut self, name: &str) {
        self.owners.remove(name);
    }

    /// Puts a container in, whose name was taken before.
    pub(crate) fn insert(&mut self, entry: Arc<Entry>) {
        self.by_id.insert(entry.id.clone(), entry);
    }

    /// Takes a container out, and its name back.
    pub(crate) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
        self.owners.retain(|_, owner| owner != id);
    }

    /// Finds a container by id, by name with or without a slash, or by the beginning of its id.
    pub(crate) fn find(&self, wanted: &str) -> Result<Arc<Entry>, Error> {
        let name = wanted.strip_prefix('/').unwrap_or(wanted);
        let named = || self.owners.get(name).and_then(|id| self.by_id.get(id));
        if let Some(entry) = self.by_id.get(wanted).or_else(named) {
            return Ok(entry.clone());
        }
        let mut beginning = self
            .by_id
            .range(wanted.to_owned()..)
            .take_while(|(id, _)| !wanted.is_empty() && id.starts_with(wanted))
            .map(|(_, entry)| entry);
        match (beginning.next(), beginning.next()) {
            (Some(entry), None) => Ok(entry.clone()),
            (Some(_), Some(_)) => {
                Err(Error::invalid(format!("Multiple IDs found with provided prefix: {wanted}")))
            }
            (None, _) => Err(Error::not_found(format!("No such container: {wanted}"))),
        }
    }

    /// Returns all containers, in the order of their ids.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.by_id.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn table(containers: &[(&str, &str)]) -> Table {
        let mut table = Table::default();
        for (id, name) in containers {
            let name = table.claim(Some(name), id).unwrap();
            let record = Record::sample(id, &name);
            table.insert(Arc::new(Entry::new(record, Life::default())));
        }
        table
    }

    #[test]
    fn containers_are_found_as_in_docker() {
        let table = table(&[("aa11", "web"), ("aa22", "db"), ("bb33", "aa22x"), ("cc44", "bb")]);
        for (wanted, found) in [
            ("aa11", Ok("aa11")),
            ("web", Ok("aa11")),
            ("/web", Ok("aa11")),
            ("aa1", Ok("aa11")),
            ("bb", Ok("cc44")),
            ("b", Ok("bb33")),
            ("aa", Err((Kind::Invalid, "Multiple IDs found with provided prefix: aa"))),
            ("x", Err((Kind::NotFound, "No such container: x"))),
            ("", Err((Kind::NotFound, "No such container: "))),
        ] {
            let entry = table.find(wanted);

            match (&entry, found) {
                (Ok(entry), Ok(id)) => assert_eq!(entry.id, id, "{wanted}"),
                (Err(error), Err((kind, text))) => assert_eq!((error.kind(), error.text()), (kind, text)),
                (_, expected) => panic!("{wanted}: expected {expected:?}"),
            }
        }
    }

    #[test]
    fn a_name_is_for_one_container_until_it_is_gone() {
        let mut table = table(&[("aa11", "web")]);

        let refusal = table.claim(Some("/web"), "bb22").unwrap_err();
        table.remove("aa11");

        assert_eq!(refusal.kind(), Kind::Conflict);
        assert_eq!(
            refusal.text(),
            "Conflict. The container name \"/web\" is already in use by container \"aa11\". You have to remove \
             (or rename) that container to be able to reuse that name."
        );
        assert_eq!(table.claim(Some("web"), "bb22").unwrap(), "web");
    }
}
