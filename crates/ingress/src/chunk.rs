//! The buffer that a worker thread reads into: one for all its connections, as each owns memory only while its reader
//! is slower than its writer.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// Bytes read at once: larger ones gained nothing with 1 MiB bodies, smaller ones cost system calls.
pub(crate) const CHUNK_BYTES: usize = 128 * 1024;

thread_local! {
    static CHUNK: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK_BYTES].into_boxed_slice());
}

/// How many chunks a connection moves before others have their turn: a long body shall not keep short ones waiting.
const CHUNKS_PER_TURN: u32 = 2;

/// Counts what a connection moves in one turn.
#[derive(Default)]
pub(crate) struct Turn(u32);

impl Turn {
    /// Counts a chunk; pending if others should come first, after which this connection is looked at again.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0 += 1;
        if self.0 <= CHUNKS_PER_TURN {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Reads what has come and hands it to `take`; nothing at the end of the stream.
///
/// `take` must not read by this way itself.
pub(crate) fn poll_read<T>(
    stream: &mut TcpStream,
    context: &mut Context<'_>,
    take: impl FnOnce(&mut TcpStream, &[u8], &mut Context<'_>) -> T,
) -> Poll<io::Result<T>> {
    CHUNK.with_borrow_mut(|chunk| {
        let mut buffer = ReadBuf::new(chunk);
        ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(take(stream, buffer.filled(), context)))
    })
}
