//! Moves bytes from one connection to another without copying them: through a pipe that the kernel fills and empties.
//!
//! It costs four system calls for what copying does with two, so that it pays for long streams only.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::pipe2;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// How much a pipe holds: more gained nothing with 1 MiB bodies.
const PIPE_BYTES: usize = 256 * 1024;
/// How many empty pipes a worker keeps.
const KEPT_MAX: usize = 64;

thread_local! {
    static KEPT: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
}

/// Streams with less than this still to come are copied.
pub(crate) const WORTH_BYTES: u64 = 64 * 1024;

/// Is a pipe between two connections.
pub(crate) struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    held: usize,
}

impl Pipe {
    /// Returns an empty pipe.
    fn take() -> io::Result<Pipe> {
        if let Some(kept) = KEPT.with_borrow_mut(Vec::pop) {
            return Ok(kept);
        }
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        // Where many pipes are large already, the kernel leaves this one as it is.
        let _ = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES as i32));
        Ok(Pipe { reader, writer, held: 0 })
    }

    /// Keeps the pipe for others, if it is empty.
    fn give_back(self) {
        if self.held > 0 {
            return;
        }
        KEPT.with_borrow_mut(|kept| {
            if kept.len() < KEPT_MAX {
                kept.push(self);
            }
        });
    }

    /// Takes bytes from a connection, at most `limit`, and returns how many: none at its end. The pipe must be empty.
    fn poll_fill(
        &mut self,
        from: &TcpStream,
        limit: u64,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(PIPE_BYTES);
        loop {
            ready!(from.poll_read_ready(context))?;
            let moved = from.try_io(Interest::READABLE, || shift(from, &self.writer, limit));
            match moved {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(bytes) => {
                    self.held = bytes;
                    return Poll::Ready(Ok(bytes));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Gives all bytes to a connection.
    fn poll_drain(&mut self, to: &TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.held > 0 {
            ready!(to.poll_write_ready(context))?;
            match to.try_io(Interest::WRITABLE, || shift(&self.reader, to, self.held)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(bytes) => self.held -= bytes,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Is what came of filling a pipe.
pub(crate) enum Filled {
    /// So many bytes.
    Bytes(usize),
    /// The stream's end.
    End,
    /// There is no pipe to be had, or none can be filled from such a stream: it has to be copied.
    Unable,
    /// The stream broke. It says so once, so that this must not be taken for anything else.
    Broken,
}

/// Fills an empty pipe, which stays in `place` only while it holds something.
pub(crate) fn poll_fill(
    place: &mut Option<Pipe>,
    from: &TcpStream,
    limit: u64,
    context: &mut Context<'_>,
) -> Poll<Filled> {
    let Some(mut pipe) = place.take().or_else(|| Pipe::take().ok()) else {
        return Poll::Ready(Filled::Unable);
    };
    match pipe.poll_fill(from, limit, context) {
        Poll::Pending => {
            pipe.give_back();
            Poll::Pending
        }
        Poll::Ready(Ok(0)) => {
            pipe.give_back();
            Poll::Ready(Filled::End)
        }
        Poll::Ready(Ok(bytes)) => {
            *place = Some(pipe);
            Poll::Ready(Filled::Bytes(bytes))
        }
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::InvalidInput => Poll::Ready(Filled::Unable),
        Poll::Ready(Err(_)) => Poll::Ready(Filled::Broken),
    }
}

/// Empties a pipe, if there is one.
pub(crate) fn poll_drain(
    place: &mut Option<Pipe>,
    to: &TcpStream,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    match place {
        Some(pipe) => pipe.poll_drain(to, context),
        None => Poll::Ready(Ok(())),
    }
}

fn shift(from: impl AsFd, to: impl AsFd, limit: usize) -> io::Result<usize> {
    let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
    Ok(splice(from, None, to, None, limit, flags)?)
}
