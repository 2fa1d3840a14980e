//! Joining a client to the streams of a container's program.

use container::{Size, Streams};
use tokio::net::UnixStream;

use crate::detach_keys::{DetachKeys, Scanner};
use crate::events::Action;
use crate::life::Step;
use crate::logs::LogsWanted;
use crate::session::{EndOfInput, Input, Session};
use crate::table::Entry;
use crate::{Engine, Error};

/// Which streams a client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachWanted {
    /// Whether what is said from here on is wanted.
    pub stream: bool,
    /// Whether what was said before is wanted, first.
    pub logs: bool,
    /// Whether the client writes to it.
    pub stdin: bool,
    /// Whether the client reads its output.
    pub stdout: bool,
    /// Whether the client reads its errors.
    pub stderr: bool,
    /// The keys that leave it, in Docker's notation; empty means the usual ones.
    pub detach_keys: String,
}

impl Engine {
    /// Joins a client to a container that runs, or to one that is yet to be started.
    pub async fn attach(&self, name: &str, wanted: &AttachWanted) -> Result<Session, Error> {
        let keys = DetachKeys::parse(&wanted.detach_keys)?;
        let entry = self.entry(name)?;
        if self.is_paused(&entry.id) {
            return Err(Error::conflict(format!(
                "container {name} is paused, unpause the container before attach"
            )));
        }
        if entry.life().step == Step::Restarting {
            return Err(Error::conflict(format!(
                "container {name} is restarting, wait until the container is running"
            )));
        }
        let tty = entry.record().config.tty;
        // Joined before the log is read: what is said meanwhile waits in the stream.
        let mut session = match self.program(&entry, wanted).await? {
            None => Session::saying(Vec::new(), tty),
            Some(program) => Session::new(program, input(&entry, wanted, keys), tty),
        };
        self.tell(&entry, Action::Attach, []);
        if wanted.logs && (wanted.stdout || wanted.stderr) {
            let AttachWanted { stdout, stderr, .. } = *wanted;
            let past = LogsWanted { stdout, stderr, ..LogsWanted::default() };
            session = session.after(self.logs(&entry.id, &past)?);
        }
        let engine = self.clone();
        Ok(session.on_detach(move || engine.tell(&entry, Action::Detach, [])))
    }

    async fn program(&self, entry: &Entry, wanted: &AttachWanted) -> Result<Option<UnixStream>, Error> {
        if !wanted.stream {
            return Ok(None);
        }
        let open_stdin = entry.record().config.open_stdin;
        let streams =
            Streams { stdin: wanted.stdin && open_stdin, stdout: wanted.stdout, stderr: wanted.stderr };
        Ok(Some(self.containers().attach(&entry.id, streams).await?))
    }

    /// Changes the size of a container's terminal.
    pub async fn resize(&self, name: &str, size: Size) -> Result<(), Error> {
        let entry = self.entry(name)?;
        self.running(&entry)?;
        let Size { rows, columns } = size;
        self.containers().resize(&entry.id, size).await?;
        let attributes = [("height", rows.to_string()), ("width", columns.to_string())];
        self.tell(&entry, Action::Resize, attributes);
        Ok(())
    }
}

fn input(entry: &Entry, wanted: &AttachWanted, keys: DetachKeys) -> Input {
    let record = entry.record();
    let config = &record.config;
    if !wanted.stdin || !config.open_stdin {
        return Input::Unwanted;
    }
    // Only input that is for one client ends with it; otherwise the client goes, and others may come.
    let at_end =
        if config.stdin_once && !config.tty { EndOfInput::IsPassedOn } else { EndOfInput::EndsSession };
    Input::Wanted { at_end, keys: config.tty.then(|| Scanner::new(keys)) }
}
