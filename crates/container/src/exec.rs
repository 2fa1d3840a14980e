//! Further processes in containers that run.

use shim::talk::{Message, Request};
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;

use crate::attach::pair;
use crate::entry::Entry;
use crate::{Containers, Error, ExecStatus, Phase, Process, Signal, Size};

impl Containers {
    /// Starts a further process and joins those of its streams that it names, as [`Containers::attach`] does.
    ///
    /// When this returns, its program runs. It ends at the latest with its container, and outlives this process. Its
    /// standard input ends when the returned stream is closed for writing. A stream that nobody reads is emptied.
    pub async fn exec(&self, id: &str, exec_id: &str, process: &Process) -> Result<UnixStream, Error> {
        let entry = self.entry(id)?;
        match &*entry.news.phase.borrow() {
            Phase::Running(_) => {}
            Phase::Paused(_) => return Err(Error::Paused { id: id.to_owned() }),
            Phase::Created | Phase::Exited(_) => return Err(Error::NotRunning { id: id.to_owned() }),
        }
        let (own, other) = pair(id)?;
        let request = Request::Exec { id: exec_id.to_owned(), process: process.clone() };
        match entry.ask_with(request, other).await? {
            Message::Started(_) => Ok(own),
            other => Err(entry.unexpected(other)),
        }
    }

    /// Sets the size of a further process's terminal.
    pub async fn exec_resize(&self, id: &str, exec_id: &str, size: Size) -> Result<(), Error> {
        let entry = self.entry(id)?;
        entry.expect_done(entry.call(Request::ExecResize { id: exec_id.to_owned(), size }).await?)
    }

    /// Sends a signal to a further process.
    pub async fn exec_signal(&self, id: &str, exec_id: &str, signal: Signal) -> Result<(), Error> {
        let entry = self.entry(id)?;
        entry.expect_done(entry.call(Request::ExecSignal { id: exec_id.to_owned(), signal }).await?)
    }

    /// Says whether a further process runs, or how it ended, until its container is started again.
    pub async fn exec_status(&self, id: &str, exec_id: &str) -> Result<ExecStatus, Error> {
        let entry = self.entry(id)?;
        let found = entry.execs().await?.into_iter().find(|(known, _)| known == exec_id);
        found.map(|(_, status)| status).ok_or_else(|| Error::NoExec { id: id.to_owned() })
    }

    /// Waits until a further process has ended, and returns its exit code.
    pub async fn exec_wait(&self, id: &str, exec_id: &str) -> Result<i32, Error> {
        let mut changed = self.entry(id)?.news.execs.subscribe();
        loop {
            changed.mark_unchanged();
            if let ExecStatus::Ended { code } = self.exec_status(id, exec_id).await? {
                return Ok(code);
            }
            if changed.changed().await.is_err() {
                return Err(Error::NoExec { id: id.to_owned() });
            }
        }
    }
}

impl Entry {
    /// Lists the further processes, as the shim knows them or has left them on disk.
    async fn execs(&self) -> Result<Vec<(String, ExecStatus)>, Error> {
        match self.call(Request::Execs).await {
            Ok(Message::Execs(execs)) => Ok(execs),
            Ok(other) => Err(self.unexpected(other)),
            Err(Error::NotRunning { .. } | Error::ShimGone { .. }) => {
                let place = self.place.clone();
                Ok(spawn_blocking(move || place.read_execs()).await.expect("reading does not panic"))
            }
            Err(error) => Err(error),
        }
    }
}
