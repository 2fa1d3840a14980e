//! Changing containers that are there: names and limits.

use container_config::restart::Policy;
use container_config::{change, check, spec};
use container_json::{RestartPolicy, UpdateAnswer, UpdateBody};

use crate::events::Action;
use crate::life::Step;
use crate::record::{Origin, Record};
use crate::table::Entry;
use crate::{Engine, Error};

impl Engine {
    /// Gives a container another name.
    pub async fn rename(&self, name: &str, new: &str) -> Result<(), Error> {
        if name.is_empty() || new.is_empty() {
            return Err(Error::invalid("Neither old nor new names may be empty"));
        }
        let entry = self.entry(name)?;
        let _turn = entry.turn.lock().await;
        let old = entry.name();
        if old == new.trim_start_matches('/') {
            return Err(Error::invalid("Renaming a container with the same name as its current name"));
        }
        let new = self.table().claim(Some(new), &entry.id)?;
        self.note(&entry, |record| record.name = new);
        self.table().release(&old);
        self.tell(&entry, Action::Rename, [("oldName", format!("/{old}"))]);
        Ok(())
    }

    /// Changes limits and the restart policy, of a running container at once.
    pub async fn update(&self, name: &str, body: UpdateBody) -> Result<UpdateAnswer, Error> {
        let entry = self.entry(name)?;
        let _turn = entry.turn.lock().await;
        let updated = self.update_held(&entry, body).await;
        updated.map_err(|error| error.within(format!("Cannot update container {}", entry.id)))?;
        self.tell(&entry, Action::Update, []);
        Ok(UpdateAnswer::default())
    }

    async fn update_held(&self, entry: &Entry, body: UpdateBody) -> Result<(), Error> {
        let record = entry.record().clone();
        if matches!(entry.life().step, Step::Removing | Step::Removed) {
            return Err(Error::conflict("Container is marked for removal and cannot be \"update\"."));
        }
        let policy = policy(&record, body.restart_policy)?;
        let limits = change::limits(&record.host_config.resources, body.resources)?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        check::limits(&limits, processors)?;
        if limits != record.host_config.resources {
            self.containers().update(&entry.id, spec::resources(&limits)).await?;
        }
        self.note(entry, |record| {
            record.host_config.resources = limits;
            if let Some(policy) = policy {
                record.host_config.restart_policy = policy;
            }
        });
        Ok(())
    }
}

fn policy(record: &Record, wanted: RestartPolicy) -> Result<Option<RestartPolicy>, Error> {
    if wanted.name.is_empty() {
        return Ok(None);
    }
    let policy = Policy::parse(&wanted.name, wanted.maximum_retry_count);
    policy.map_err(|error| Error::invalid(error.to_string()))?;
    if record.host_config.auto_remove {
        return Err(Error::conflict(
            "Restart policy cannot be updated because AutoRemove is enabled for the container",
        ));
    }
    if record.origin == Origin::Task {
        return Err(Error::conflict("a task of a service is restarted by its service alone"));
    }
    Ok(Some(wanted))
}
