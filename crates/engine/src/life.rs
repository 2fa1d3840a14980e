//! Where containers are in their lives, and what follows from the end of a run.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use container::{Exit, Started};
use container_config::restart::{self, ByHand, Policy};

use crate::Engine;
use crate::events::{Action, Subject};
use crate::record::{Origin, Record};
use crate::table::Entry;
use crate::taken::Run;

/// Where a container is in its life, for all who wait for a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Life {
    /// Where it is.
    pub step: Step,
    /// Counts the runs that have ended since this process began.
    pub ends: u64,
    /// The exit code of the last run.
    pub exit_code: i32,
}

/// The steps of a life. Whether a running container is frozen is for the crate `container` to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Step {
    /// It never ran.
    #[default]
    Created,
    /// It runs.
    Running,
    /// It has ended and will start again by its policy.
    Restarting,
    /// It has ended.
    Exited,
    /// It is being removed.
    Removing,
    /// It is gone.
    Removed,
}

impl Step {
    /// Tells whether a run is on or about to come.
    pub(crate) fn is_alive(self) -> bool {
        matches!(self, Step::Running | Step::Restarting)
    }
}

impl Record {
    /// Returns when it is started again; a task never is, which is for its service to do.
    pub(crate) fn policy(&self) -> Policy {
        let written = &self.host_config.restart_policy;
        match self.origin {
            Origin::Task => Policy::No,
            // What cannot be read was refused when it was written.
            Origin::User => Policy::parse(&written.name, written.maximum_retry_count).unwrap_or_default(),
        }
    }
}

impl Engine {
    /// Waits for the end of a run, and does what follows. Ends with the run, or with the container.
    pub(crate) fn keep(&self, entry: Arc<Entry>, started: Started, waited: Option<Duration>) {
        let (engine, check) = (self.clone(), entry.begin_health());
        tokio::spawn(async move {
            // A container that is removed says no more how it ended.
            let Ok(exit) = engine.run_checked(&entry, started, check).await else { return };
            engine.ended(&entry, started, waited, exit).await;
        });
    }

    async fn ended(&self, entry: &Arc<Entry>, started: Started, waited: Option<Duration>, exit: Exit) {
        let turn = entry.turn.lock().await;
        let record = entry.record().clone();
        self.leave(&record).await;
        self.tell_taken(&record, Run::HasEnded);
        let ran = exit.finished_at.duration_since(started.at).unwrap_or_default();
        let again = restart::after_exit(
            record.policy(),
            &restart::Ended {
                code: exit.code,
                ran,
                by_hand: entry.by_hand(),
                restarts: record.restart_count,
                waited,
            },
        );
        if again.is_some() {
            self.note(entry, |record| record.restart_count += 1);
        }
        // Told before the new state is seen: who waits for that finds the event.
        if exit.oom_killed {
            self.tell(entry, Action::Oom, []);
        }
        let more = [("exitCode", exit.code.to_string()), ("execDuration", ran.as_secs().to_string())];
        self.tell(entry, Action::Die, more);
        entry.life.send_modify(|life| {
            life.ends += 1;
            life.exit_code = exit.code;
            life.step = match (life.step, again) {
                (going @ (Step::Removing | Step::Removed), _) => going,
                (_, Some(_)) => Step::Restarting,
                (_, None) => Step::Exited,
            };
        });
        match (entry.life().step, again) {
            (Step::Restarting, Some(delay)) => {
                drop(turn);
                self.restart_after(entry.clone(), delay);
            }
            (Step::Exited, _) if record.host_config.auto_remove && !entry.is_kept.load(Ordering::Relaxed) => {
                self.remove_ended(entry).await;
            }
            _ => {}
        }
    }

    /// Starts a container again after a while, unless somebody does something else with it before.
    pub(crate) fn restart_after(&self, entry: Arc<Entry>, delay: Duration) {
        let engine = self.clone();
        tokio::spawn(async move {
            let end = tokio::time::Instant::now() + delay;
            loop {
                let is_over = tokio::select! {
                    () = tokio::time::sleep_until(end) => true,
                    () = entry.hand.notified() => false,
                };
                let _turn = entry.turn.lock().await;
                if entry.life().step != Step::Restarting {
                    return;
                }
                if entry.record().stopped_by_hand {
                    entry.life.send_modify(|life| life.step = Step::Exited);
                    return;
                }
                if is_over {
                    return engine.restart_now(&entry, delay).await;
                }
            }
        });
    }

    /// Restarts by policy; what cannot be started is left alone, as in Docker.
    async fn restart_now(&self, entry: &Arc<Entry>, waited: Duration) {
        // It is the program's own end that counts from here on.
        entry.set_by_hand(ByHand::Untouched);
        if let Err(error) = self.begin(entry, Some(waited)).await {
            tracing::warn!(container = entry.id, %error, "a container is not restarted");
            entry.life.send_modify(|life| life.step = Step::Exited);
        }
    }

    /// Tells that something happened to a container.
    pub(crate) fn tell<const N: usize>(&self, entry: &Entry, action: Action, more: [(&str, String); N]) {
        let subject = {
            let record = entry.record();
            Subject::container(&record.id, &record.name, &record.image, &record.config.labels)
        };
        self.inner.events.publish(subject, action, more);
    }
}
