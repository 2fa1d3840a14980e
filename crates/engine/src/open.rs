//! Finding again what an earlier process left, at whatever step it ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use container::{Phase, Removal, Status};
use container_config::restart::{self, Found};

use crate::engine::blocking;
use crate::life::{Life, Step};
use crate::record::{Origin, Record, Stage};
use crate::table::Entry;
use crate::{Config, Engine, Error, Parts};

impl Engine {
    /// Takes over the containers that are there, finishes what was left half done, and starts those whose policy
    /// says so.
    pub async fn open(config: Config, parts: Parts) -> Result<Engine, Error> {
        let root = config.root.clone();
        let records = blocking(move || Record::read_all(&root)).await;
        let records =
            records.map_err(|error| Error::internal(&error).within("read the records of containers"))?;
        let engine = Engine::new(config, parts);
        engine.remove_unrecorded(&records).await;
        let mut entries = Vec::new();
        for record in records {
            entries.extend(engine.take_over(record).await);
        }
        let volumes = engine.volumes().clone();
        if let Err(error) = blocking(move || volumes.unmount_unused()).await {
            tracing::warn!(%error, "volumes that nobody uses stay mounted");
        }
        for entry in entries {
            engine.go_on(entry).await;
        }
        Ok(engine)
    }

    /// Removes containers that were laid out, never ran, and have no record: their making ended before it was one.
    async fn remove_unrecorded(&self, records: &[Record]) {
        let known: BTreeSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
        for Status { id, phase, .. } in self.containers().list() {
            if known.contains(id.as_str()) {
                continue;
            }
            if phase != Phase::Created {
                tracing::warn!(container = id, "leave a container alone that has no record");
            } else if let Err(error) = self.containers().remove(&id, Removal::Forced).await {
                tracing::warn!(container = id, %error, "a container without a record is not removed");
            }
        }
    }

    /// Puts a container into the table, or finishes its removal.
    async fn take_over(&self, record: Record) -> Option<Arc<Entry>> {
        let status = self.containers().status(&record.id);
        let life = status.as_ref().map_or_else(|_| Life::default(), |status| found(&record, &status.phase));
        let entry = Arc::new(Entry::new(record, life));
        let record = entry.record().clone();
        let with_volumes = match (record.stage, status) {
            (Stage::Whole, Ok(status)) => {
                self.adopt(&entry, &status.phase).await;
                return Some(entry);
            }
            (Stage::Making, _) => true,
            (Stage::Going { with_volumes }, _) => with_volumes,
            (Stage::Whole, Err(_)) => false,
        };
        tracing::info!(container = record.id, stage = ?record.stage, "finish the removal of a container");
        // In the table for a moment, so that the volumes it shares with others are seen to be theirs alone.
        self.discard(&entry, with_volumes).await;
        None
    }

    async fn adopt(&self, entry: &Arc<Entry>, phase: &Phase) {
        let record = entry.record().clone();
        {
            let mut table = self.table();
            if table.claim(Some(&record.name), &record.id).is_err() {
                // Two records cannot have one name unless somebody edited them.
                let name = table.claim(None, &record.id);
                drop(table);
                self.note(entry, |record| record.name = name.unwrap_or_else(|_| record.id.clone()));
                self.table().insert(entry.clone());
            } else {
                table.insert(entry.clone());
            }
        }
        if !matches!(phase, Phase::Running(_) | Phase::Paused(_)) {
            return self.leave(&record).await;
        }
        let engine = self.clone();
        if let Err(error) = blocking(move || engine.acquire_mounts(&record)).await {
            tracing::warn!(container = entry.id, %error, "the volumes of a running container are not all there");
        }
    }

    /// Keeps those that run, removes those that were to go with their end, starts those whose policy says so.
    async fn go_on(&self, entry: Arc<Entry>) {
        let record = entry.record().clone();
        let phase = self.containers().status(&entry.id).map(|status| status.phase);
        match phase {
            Ok(Phase::Running(started) | Phase::Paused(started)) => self.keep(entry, started, None),
            Ok(Phase::Exited(exit)) if record.origin == Origin::User => {
                let found = Found {
                    has_run: true,
                    code: exit.code,
                    stopped_by_hand: record.stopped_by_hand,
                    restarts: record.restart_count,
                };
                if record.host_config.auto_remove {
                    let _turn = entry.turn.lock().await;
                    self.remove_ended(&entry).await;
                } else if restart::starts_with_daemon(record.policy(), &found) {
                    self.note(&entry, |record| record.stopped_by_hand = false);
                    entry.life.send_modify(|life| life.step = Step::Restarting);
                    self.restart_after(entry, std::time::Duration::ZERO);
                }
            }
            Ok(Phase::Exited(_) | Phase::Created) | Err(_) => {}
        }
    }
}

/// Returns where a container is in its life by what is found of it.
fn found(record: &Record, phase: &Phase) -> Life {
    let failed = record.failure.as_ref().map_or(0, |failure| failure.code);
    match phase {
        Phase::Created => Life { step: Step::Created, exit_code: failed, ..Life::default() },
        Phase::Running(_) | Phase::Paused(_) => Life { step: Step::Running, ..Life::default() },
        Phase::Exited(exit) => {
            let exit_code = if record.failure.is_some() { failed } else { exit.code };
            Life { step: Step::Exited, exit_code, ..Life::default() }
        }
    }
}
