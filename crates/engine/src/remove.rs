//! Removing containers.

use std::sync::Arc;
use std::time::Duration;

use container::{Removal, Signal};
use container_config::mounts::Source;
use container_config::restart::ByHand;

use crate::engine::blocking;
use crate::events::Action;
use crate::life::Step;
use crate::record::{Record, Stage};
use crate::table::Entry;
use crate::{Engine, Error};

/// How a container is removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removing {
    /// Whether one that runs is killed first.
    pub force: bool,
    /// Whether its volumes without names go too.
    pub volumes: bool,
    /// Whether not the container is meant but a link to it, which there is none of.
    pub link: bool,
}

impl Engine {
    /// Removes a container.
    pub async fn remove(&self, name: &str, how: Removing) -> Result<(), Error> {
        let entry = self.entry(name)?;
        if how.link {
            return Err(Error::invalid(
                "links between containers are not supported: there is none to remove",
            ));
        }
        self.whole(move |engine| async move { engine.remove_whole(&entry, how).await }).await
    }

    pub(crate) async fn remove_whole(&self, entry: &Arc<Entry>, how: Removing) -> Result<(), Error> {
        let run = {
            let _turn = entry.turn.lock().await;
            self.mark_going(entry, how)?
        };
        self.note(entry, |record| record.stage = Stage::Going { with_volumes: how.volumes });
        entry.set_by_hand(ByHand::Stopped);
        entry.hand.notify_one();
        let removed = self.remove_marked(entry, how, run).await;
        if removed.is_err() {
            self.still_there(entry);
        }
        removed
    }

    /// Lets a container be removed again that could not be.
    fn still_there(&self, entry: &Entry) {
        entry.life.send_modify(|life| life.step = Step::Exited);
        self.note(entry, |record| record.stage = Stage::Whole);
    }

    /// Keeps everybody else from the container, or says why it cannot be removed; the caller holds the turn.
    ///
    /// Returns how many runs had ended before the one that is on, if one is.
    fn mark_going(&self, entry: &Entry, how: Removing) -> Result<Option<u64>, Error> {
        let (name, is_paused) = (entry.name(), self.is_paused(&entry.id));
        let (mut refusal, mut run) = (None, None);
        entry.life.send_if_modified(|life| {
            let stop = "stop the container before removing or force remove";
            let why = match life.step {
                Step::Removing | Step::Removed => {
                    refusal = Some(format!("removal of container {name} is already in progress"));
                    return false;
                }
                Step::Running if is_paused => "container is paused and must be unpaused first".to_owned(),
                Step::Running => format!("container is running: {stop}"),
                Step::Restarting => format!("container is restarting: {stop}"),
                Step::Created | Step::Exited => String::new(),
            };
            if !why.is_empty() && !how.force {
                refusal = Some(format!("cannot remove container \"/{name}\": {why}"));
                return false;
            }
            run = (life.step == Step::Running).then_some(life.ends);
            life.step = Step::Removing;
            true
        });
        refusal.map_or(Ok(run), |text| Err(Error::conflict(text)))
    }

    async fn remove_marked(&self, entry: &Arc<Entry>, how: Removing, run: Option<u64>) -> Result<(), Error> {
        if let Some(before) = run {
            self.tell(entry, Action::Kill, [("signal", Signal::KILL.number().to_string())]);
            self.containers().stop(&entry.id, Some(Signal::KILL), Duration::ZERO).await?;
            // Who keeps it tells of its end, and gives back what the run had.
            let _ = entry.life.subscribe().wait_for(|life| life.ends > before).await;
        }
        let _turn = entry.turn.lock().await;
        self.take_away(entry, how.volumes).await
    }

    /// Removes a container that has ended and was to be removed then; the caller holds the turn.
    pub(crate) async fn remove_ended(&self, entry: &Arc<Entry>) {
        let how = Removing { volumes: true, ..Removing::default() };
        if self.mark_going(entry, how).is_err() {
            return;
        }
        self.note(entry, |record| record.stage = Stage::Going { with_volumes: true });
        if let Err(error) = self.take_away(entry, true).await {
            tracing::warn!(container = entry.id, %error, "a container that has ended is not removed");
            self.still_there(entry);
        }
    }

    /// Takes away everything there is of a container; the caller holds the turn.
    async fn take_away(&self, entry: &Entry, with_volumes: bool) -> Result<(), Error> {
        match self.containers().remove(&entry.id, Removal::Forced).await {
            Err(container::Error::NotFound { .. }) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
        self.discard(entry, with_volumes).await;
        entry.life.send_modify(|life| life.step = Step::Removed);
        self.tell(entry, Action::Destroy, []);
        Ok(())
    }

    /// Takes away what is left of a container that does not run: all but a failure to remove its root is told in the
    /// log alone.
    pub(crate) async fn discard(&self, entry: &Entry, with_volumes: bool) {
        let record = entry.record().clone();
        match self.containers().remove(&record.id, Removal::Forced).await {
            Ok(()) | Err(container::Error::NotFound { .. }) => {}
            Err(error) => tracing::warn!(container = record.id, %error, "a container is not removed"),
        }
        self.leave(&record).await;
        self.table().remove(&record.id);
        if with_volumes {
            self.remove_anonymous_volumes(&record).await;
        }
        if let Err(error) = Record::remove(&self.inner.config.root, &record.id) {
            tracing::warn!(container = record.id, %error, "a record is not removed");
        }
    }

    async fn remove_anonymous_volumes(&self, record: &Record) {
        let anonymous = record.mounts.iter().filter_map(|mount| match &mount.source {
            Source::Volume { name, is_anonymous: true, .. } if !name.is_empty() => Some(name.clone()),
            Source::Volume { .. } | Source::Bind { .. } | Source::Tmpfs { .. } => None,
        });
        for name in anonymous.collect::<Vec<_>>() {
            if !self.users_of(&name).is_empty() {
                continue;
            }
            let (volumes, volume) = (self.volumes().clone(), name.clone());
            match blocking(move || volumes.remove(&volume)).await {
                Ok(()) | Err(volume::Error::NotFound { .. }) => {}
                Err(error) => tracing::warn!(volume = name, %error, "a volume without a name is not removed"),
            }
        }
    }
}
