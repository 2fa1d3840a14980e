//! Verbs on containers that run: stop, restart, kill, pause and unpause.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use container::Signal;
use container_config::restart::ByHand;

use crate::events::Action;
use crate::life::Step;
use crate::table::Entry;
use crate::{Engine, Error, Kind};

/// How long a container has to end if nothing is said.
const GRACE: Duration = Duration::from_secs(10);
/// Stands for no limit: longer than anybody waits.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// How a container is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stopping {
    /// The signal that asks it to end; none means its own.
    pub signal: Option<String>,
    /// How many seconds it has then, below zero without end; none means its own number.
    pub timeout: Option<i64>,
}

impl Engine {
    /// Asks a container to end, and ends it if it does not.
    pub async fn stop(&self, name: &str, how: Stopping) -> Result<(), Error> {
        let entry = self.entry(name)?;
        let signal = how.signal.as_deref().filter(|signal| !signal.is_empty()).map(parse).transpose()?;
        self.whole(move |engine| async move { engine.stop_whole(&entry, signal, how.timeout).await }).await
    }

    async fn stop_whole(
        &self,
        entry: &Arc<Entry>,
        signal: Option<Signal>,
        timeout: Option<i64>,
    ) -> Result<(), Error> {
        let own = {
            let _turn = entry.turn.lock().await;
            match entry.life().step {
                Step::Running => {}
                Step::Restarting => {
                    self.stay_ended(entry);
                    return Ok(());
                }
                Step::Created | Step::Exited | Step::Removing | Step::Removed => {
                    let name = entry.name();
                    return Err(Error::not_modified(format!("container {name} is already stopped")));
                }
            }
            self.stopped_by_hand(entry);
            entry.record().config.stop_timeout
        };
        let said = signal.or_else(|| stop_signal(entry)).unwrap_or(Signal::TERM);
        self.tell(entry, Action::Kill, [("signal", said.number().to_string())]);
        self.containers().stop(&entry.id, signal, grace(timeout.or(own))).await?;
        self.not_alive(entry).await;
        self.tell(entry, Action::Stop, []);
        Ok(())
    }

    /// Ends the wait for the next run; the caller holds the turn.
    fn stay_ended(&self, entry: &Entry) {
        self.stopped_by_hand(entry);
        entry.life.send_modify(|life| life.step = Step::Exited);
        self.tell(entry, Action::Stop, []);
    }

    /// Notes that people want the end of this run, and that no other follows.
    pub(crate) fn stopped_by_hand(&self, entry: &Entry) {
        entry.set_by_hand(ByHand::Stopped);
        self.note(entry, |record| record.stopped_by_hand = true);
        entry.hand.notify_one();
    }

    /// Waits until a run's end has been dealt with.
    pub(crate) async fn not_alive(&self, entry: &Entry) {
        let mut life = entry.life.subscribe();
        // The sender is in the entry, which is borrowed.
        let _ = life.wait_for(|life| !life.step.is_alive()).await;
    }

    /// Stops a container if it runs, and starts it.
    pub async fn restart(&self, name: &str, how: Stopping) -> Result<(), Error> {
        let entry = self.entry(name)?;
        let signal = how.signal.as_deref().filter(|signal| !signal.is_empty()).map(parse).transpose()?;
        self.whole(move |engine| async move {
            entry.is_kept.store(true, Ordering::Relaxed);
            let stopped = match engine.stop_whole(&entry, signal, how.timeout).await {
                Err(error) if error.kind() != Kind::NotModified => Err(error),
                Ok(()) | Err(_) => Ok(()),
            };
            entry.is_kept.store(false, Ordering::Relaxed);
            stopped?;
            engine.start_whole(&entry).await?;
            engine.tell(&entry, Action::Restart, []);
            Ok(())
        })
        .await
    }

    /// Sends a signal to a container; without one, `SIGKILL`, whose effect is waited for.
    pub async fn kill(&self, name: &str, signal: Option<&str>) -> Result<(), Error> {
        let entry = self.entry(name)?;
        let signal = signal.filter(|signal| !signal.is_empty()).map_or(Ok(Signal::KILL), parse)?;
        let name = name.to_owned();
        self.whole(move |engine| async move {
            let killed = engine.kill_whole(&entry, signal).await;
            killed.map_err(|error| error.within(format!("cannot kill container: {name}")))
        })
        .await
    }

    pub(crate) async fn kill_whole(&self, entry: &Arc<Entry>, signal: Signal) -> Result<(), Error> {
        {
            let _turn = entry.turn.lock().await;
            match (entry.life().step, ByHand::of_kill(signal, stop_signal(entry))) {
                (Step::Running, ByHand::Stopped) => self.stopped_by_hand(entry),
                (Step::Running, by_hand) => entry.set_by_hand(by_hand),
                (Step::Restarting, ByHand::Stopped) => {
                    self.stay_ended(entry);
                    return Ok(());
                }
                (Step::Restarting, _) => return Ok(()),
                (Step::Created | Step::Exited | Step::Removing | Step::Removed, _) => {
                    return Err(not_running(&entry.id));
                }
            }
        }
        self.tell(entry, Action::Kill, [("signal", signal.number().to_string())]);
        match self.containers().signal(&entry.id, signal).await {
            // It has ended meanwhile.
            Err(container::Error::NotRunning { .. } | container::Error::ShimGone { .. }) => {}
            sent => sent?,
        }
        if signal == Signal::KILL {
            self.not_alive(entry).await;
        }
        Ok(())
    }

    /// Freezes a container.
    pub async fn pause(&self, name: &str) -> Result<(), Error> {
        let entry = self.entry(name)?;
        self.running(&entry)?;
        if self.is_paused(&entry.id) {
            return Err(Error::conflict(format!("container {} is already paused", entry.id)));
        }
        self.containers().pause(&entry.id).await?;
        self.tell(&entry, Action::Pause, []);
        Ok(())
    }

    /// Lets a frozen container go on.
    pub async fn unpause(&self, name: &str) -> Result<(), Error> {
        let entry = self.entry(name)?;
        if !self.is_paused(&entry.id) {
            return Err(Error::conflict(format!("Container {} is not paused", entry.id)));
        }
        self.containers().unpause(&entry.id).await?;
        self.tell(&entry, Action::Unpause, []);
        Ok(())
    }

    /// Refuses a container that does not run, in Docker's words.
    pub(crate) fn running(&self, entry: &Entry) -> Result<(), Error> {
        match entry.life().step {
            Step::Running => Ok(()),
            Step::Restarting => Err(Error::conflict(format!(
                "Container {} is restarting, wait until the container is running",
                entry.id
            ))),
            Step::Created | Step::Exited | Step::Removing | Step::Removed => Err(not_running(&entry.id)),
        }
    }
}

pub(crate) fn not_running(id: &str) -> Error {
    Error::conflict(format!("container {id} is not running"))
}

fn parse(text: &str) -> Result<Signal, Error> {
    text.parse().map_err(|error: container::ParseSignalError| Error::invalid(error.to_string()))
}

/// Returns the stop signal that the container names.
fn stop_signal(entry: &Entry) -> Option<Signal> {
    entry.record().config.stop_signal.parse().ok()
}

fn grace(timeout: Option<i64>) -> Duration {
    match timeout {
        None => GRACE,
        Some(seconds) => u64::try_from(seconds).map_or(FOREVER, Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_to_end_is_dockers() {
        for (timeout, seconds) in [(None, 10), (Some(0), 0), (Some(3), 3), (Some(-1), FOREVER.as_secs())] {
            assert_eq!(grace(timeout).as_secs(), seconds, "{timeout:?}");
        }
        assert_eq!(parse("SIGNOPE").unwrap_err().text(), "invalid signal: SIGNOPE");
    }
}
