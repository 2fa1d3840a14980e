//! Archives on their way in and out.

use std::io::{self, Read};

use bytes::Bytes;
use docker_api::engine::ByteStream;
use engine::Pieces;
use futures_util::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::{StreamReader, SyncIoBridge};

/// Sends an archive as it is packed.
pub fn sent(pieces: Pieces) -> ByteStream {
    Box::pin(ReceiverStream::new(pieces).map(|piece| piece.map(Bytes::from)))
}

/// Reads a client's archive, compressed or not, on a thread that may block.
pub struct Unpacked(State);

enum State {
    /// Nothing is known of its compression.
    Packed(Box<dyn Read + Send>),
    Plain(Box<dyn Read + Send>),
    Broken,
}

impl Unpacked {
    /// Takes an archive; to be called inside the runtime.
    pub fn new(archive: ByteStream) -> Self {
        Self(State::Packed(Box::new(SyncIoBridge::new(StreamReader::new(archive)))))
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0 = match std::mem::replace(&mut self.0, State::Broken) {
            State::Packed(packed) => State::Plain(image::decompress(packed)?),
            known => known,
        };
        match &mut self.0 {
            State::Plain(plain) => plain.read(buffer),
            State::Packed(_) | State::Broken => Err(io::Error::other("the archive could not be read")),
        }
    }
}
