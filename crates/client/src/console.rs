//! Where a command writes, and what time it is there.

use std::io::{self, IsTerminal as _, Write};

use engine_json::Time;

/// Where a command writes, and what time it is there.
pub struct Console {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    is_terminal: bool,
}

impl Console {
    /// The process's own output.
    pub fn process() -> Self {
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            is_terminal: io::stdout().is_terminal(),
        }
    }

    /// Output that goes elsewhere; nobody looks at it.
    pub fn to(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self { out, err, is_terminal: false }
    }

    /// Claims that a person looks at the output.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Writes text as it is.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    /// Writes bytes as they are.
    pub fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.flush()
    }

    /// Writes a line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    /// Writes to the error output; a failure there has nowhere to be told.
    pub fn complain(&mut self, text: &str) {
        self.complain_bytes(format!("{text}\n").as_bytes());
    }

    /// Writes bytes to the error output.
    pub fn complain_bytes(&mut self, bytes: &[u8]) {
        let _ = self.err.write_all(bytes).and_then(|()| self.err.flush());
    }

    /// Returns what time it is.
    pub fn now(&self) -> Time {
        let nanoseconds = time::OffsetDateTime::now_utc().unix_timestamp_nanos();
        Time::from_nanoseconds(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
    }
}
