//! Joins users to the streams of containers.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as Pair;
use std::sync::PoisonError;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use shim::place::Place;
use shim::talk::{Message, Request};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;

use crate::entry::{Entry, Expected};
use crate::starting::has_shim;
use crate::{Containers, Error, Size, Streams};

impl Containers {
    /// Joins the streams of a container from here on; before its start, from its first byte on.
    ///
    /// Reading gives its output, as Docker's frames without a terminal and as bare bytes with one, to the end of the
    /// container. Writing is its standard input, and closing that side ends it if the spec says so. A reader who is a
    /// mebibyte behind makes the container wait.
    pub async fn attach(&self, id: &str, streams: Streams) -> Result<UnixStream, Error> {
        let entry = self.entry(id)?;
        let (own, other) = pair(id)?;
        entry.expected().viewers.push((other, streams));
        // Without a shim, the next one is told.
        if has_shim(&entry) {
            entry.pass_on_expected().await?;
        }
        Ok(own)
    }

    /// Sets the size of a container's terminal, of the one it will have if it has none yet.
    pub async fn resize(&self, id: &str, size: Size) -> Result<(), Error> {
        let entry = self.entry(id)?;
        entry.expected().size = Some(size);
        if has_shim(&entry) { entry.pass_on_expected().await } else { Ok(()) }
    }
}

impl Entry {
    /// Tells the shim all that was asked for while there was none.
    pub(crate) async fn pass_on_expected(&self) -> Result<(), Error> {
        let Expected { viewers, size } = std::mem::take(&mut *self.expected());
        if let Some(size) = size {
            self.expect_done(self.call(Request::Resize(size)).await?)?;
        }
        for (stream, streams) in viewers {
            self.expect_done(self.ask_with(Request::Attach(streams), stream).await?)?;
        }
        Ok(())
    }

    pub(crate) fn expected(&self) -> std::sync::MutexGuard<'_, Expected> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn expect_done(&self, answer: Message) -> Result<(), Error> {
        match answer {
            Message::Done => Ok(()),
            other => Err(self.unexpected(other)),
        }
    }

    /// Asks the shim over a connection of its own, and passes it one end of a stream.
    pub(crate) async fn ask_with(&self, request: Request, stream: OwnedFd) -> Result<Message, Error> {
        let id = || self.id.clone();
        let asked = ask(&self.place, request, stream).await.map_err(|error| match error.kind() {
            // It has ended, or is about to.
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NotRunning { id: id() },
            _ => Error::io("talk to the shim at", &self.place.socket)(error),
        });
        asked?.ok_or_else(|| Error::ShimGone { id: id() })
    }
}

/// Makes a stream, the other end of which can be passed on.
pub(crate) fn pair(id: &str) -> Result<(UnixStream, OwnedFd), Error> {
    let made = Pair::pair().and_then(|(own, other)| {
        own.set_nonblocking(true)?;
        Ok((UnixStream::from_std(own)?, OwnedFd::from(other)))
    });
    made.map_err(Error::io("make a stream for container", id))
}

async fn ask(place: &Place, request: Request, stream: OwnedFd) -> io::Result<Option<Message>> {
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    let mut shim = UnixStream::connect(&place.socket).await?;
    let sent = shim
        .async_io(Interest::WRITABLE, || {
            let (parts, fds) = ([IoSlice::new(&line)], [stream.as_raw_fd()]);
            let passed = [ControlMessage::ScmRights(&fds)];
            Ok(sendmsg::<()>(shim.as_raw_fd(), &parts, &passed, MsgFlags::MSG_DONTWAIT, None)?)
        })
        .await?;
    drop(stream);
    shim.write_all(&line[sent..]).await?;
    let mut answers = BufReader::new(shim);
    loop {
        let mut line = Vec::new();
        if answers.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        match serde_json::from_slice(&line)? {
            // Events are for the keeper.
            Message::Exited(_) | Message::LogGrew | Message::ExecsChanged => {}
            answer => return Ok(Some(answer)),
        }
    }
}
