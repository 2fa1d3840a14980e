//! Changing containers that are there: names and limits.

use container_config::restart::Policy;
use container_config::{check, spec};
use container_json::{Resources, RestartPolicy, UpdateAnswer, UpdateBody};

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
        let limits = merged(&record.host_config.resources, body.resources)?;
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

/// Returns the limits with those that are said in place of those before.
fn merged(before: &Resources, said: Resources) -> Result<Resources, Error> {
    let mut limits = before.clone();
    let number = |limit: &mut i64, said: i64| {
        if said != 0 {
            *limit = said;
        }
    };
    if said.memory > 0 && said.memory_swap == 0 && before.memory_swap > 0 && said.memory > before.memory_swap
    {
        return Err(Error::conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ));
    }
    // A processor share is said in one way or the other.
    if said.nano_cpus > 0 && (before.cpu_period > 0 || before.cpu_quota > 0) {
        let which = if before.cpu_period > 0 { "CPU Period" } else { "CPU Quota" };
        return Err(Error::conflict(format!(
            "Conflicting options: Nano CPUs cannot be updated as {which} has already been set"
        )));
    }
    if before.nano_cpus > 0 && (said.cpu_period > 0 || said.cpu_quota > 0) {
        let which = if said.cpu_period > 0 { "CPU Period" } else { "CPU Quota" };
        return Err(Error::conflict(format!(
            "Conflicting options: {which} cannot be updated as NanoCPUs has already been set"
        )));
    }
    number(&mut limits.cpu_shares, said.cpu_shares);
    number(&mut limits.memory, said.memory);
    number(&mut limits.nano_cpus, said.nano_cpus);
    number(&mut limits.cpu_period, said.cpu_period);
    number(&mut limits.cpu_quota, said.cpu_quota);
    number(&mut limits.memory_reservation, said.memory_reservation);
    number(&mut limits.memory_swap, said.memory_swap);
    if said.blkio_weight != 0 {
        limits.blkio_weight = said.blkio_weight;
    }
    if !said.cpuset_cpus.is_empty() {
        limits.cpuset_cpus = said.cpuset_cpus;
    }
    if !said.cpuset_mems.is_empty() {
        limits.cpuset_mems = said.cpuset_mems;
    }
    if said.pids_limit.is_some() {
        limits.pids_limit = said.pids_limit;
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays() {
        let before =
            Resources { memory: 64 << 20, memory_swap: 128 << 20, cpu_shares: 5, ..Resources::default() };
        let said = Resources { cpu_shares: 7, pids_limit: Some(9), ..Resources::default() };

        let limits = merged(&before, said).unwrap();

        assert_eq!((limits.memory, limits.cpu_shares, limits.pids_limit), (64 << 20, 7, Some(9)));
    }

    #[test]
    fn contradictions_to_what_is_set_are_refused() {
        let before = Resources { memory_swap: 128 << 20, nano_cpus: 1, ..Resources::default() };
        for (said, text) in [
            (
                Resources { memory: 256 << 20, ..Resources::default() },
                "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same \
                 time",
            ),
            (
                Resources { cpu_quota: 5000, ..Resources::default() },
                "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
            ),
        ] {
            assert_eq!(merged(&before, said).unwrap_err().text(), text);
        }
    }
}
