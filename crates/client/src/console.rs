//! Where a command writes, and what time it is there.

use std::io::{self, IsTerminal as _, Write};

use bytes::Bytes;
use engine_json::Time;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use crate::terminal;

/// Where a command writes, and what time it is there.
pub struct Console {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    is_terminal: bool,
    input: Source,
}

/// Where input comes from.
enum Source {
    /// The process's own.
    Process,
    /// A text, and then the end.
    Text(Bytes),
}

impl Console {
    /// The process's own output.
    pub fn process() -> Self {
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            is_terminal: io::stdout().is_terminal(),
            input: Source::Process,
        }
    }

    /// Output that goes elsewhere, where nobody looks at it, and input that is a text.
    pub fn to(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, input: &str) -> Self {
        let input = Source::Text(Bytes::copy_from_slice(input.as_bytes()));
        Self { out, err, is_terminal: false, input }
    }

    /// Claims that input comes from a person.
    pub fn is_input_terminal(&self) -> bool {
        matches!(self.input, Source::Process) && terminal::is_input()
    }

    /// Returns input as it comes. It is to be taken once.
    pub fn input(&mut self) -> mpsc::Receiver<Bytes> {
        let Source::Text(text) = &self.input else { return terminal::input() };
        let (sender, receiver) = mpsc::channel(1);
        if !text.is_empty() {
            sender.try_send(text.clone()).expect("the channel has room for one piece");
        }
        receiver
    }

    /// Returns input as a reader. It is to be taken once.
    pub fn reader(&mut self) -> impl AsyncRead + Send + Unpin + 'static {
        let pieces = futures_util::stream::unfold(self.input(), async |mut pieces| {
            let piece = pieces.recv().await?;
            Some((Ok::<_, io::Error>(piece), pieces))
        });
        StreamReader::new(Box::pin(pieces))
    }

    /// Asks a question and reads a line.
    pub async fn ask(&mut self, question: &str) -> io::Result<String> {
        self.write(question)?;
        let mut line = Vec::new();
        let mut input = self.input();
        while !line.contains(&b'\n') {
            let Some(piece) = input.recv().await else { break };
            line.extend(piece);
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Asks for something that nobody should see.
    pub async fn ask_secret(&mut self, question: &str) -> io::Result<String> {
        let hidden = if self.is_input_terminal() { terminal::Changed::hide() } else { None };
        terminal::restore_on_signals();
        let answer = self.ask(question).await;
        drop(hidden);
        self.line("")?;
        answer
    }

    /// Asks whether something should happen; anything but a yes is a no.
    pub async fn confirm(&mut self, question: &str) -> io::Result<bool> {
        Ok(self.ask(&format!("{question} [y/N] ")).await?.eq_ignore_ascii_case("y"))
    }

    /// Claims that a person looks at the output.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Claims that a person looks at the error output.
    pub fn is_error_terminal(&self) -> bool {
        matches!(self.input, Source::Process) && io::stderr().is_terminal()
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
