//! A connection that carries the streams of a process in both directions.

use bytes::{Buf as _, Bytes, BytesMut};
use engine_json::{Channel, Frame};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::Error;

/// How much room a read gets.
const READ_BYTES: usize = 32 << 10;

/// A connection that carries the streams of a process in both directions.
pub struct Hijacked {
    /// Its standard input.
    pub input: Input,
    /// What it writes.
    pub output: Output,
}

/// The standard input of a process.
pub struct Input(WriteHalf<TokioIo<Upgraded>>);

/// What a process writes.
pub struct Output {
    stream: ReadHalf<TokioIo<Upgraded>>,
    rest: BytesMut,
    is_framed: bool,
}

impl Hijacked {
    /// `is_framed` says whether the streams come as frames, and not as bytes of one terminal.
    pub(super) fn new(stream: Upgraded, is_framed: bool) -> Self {
        let (stream, input) = tokio::io::split(TokioIo::new(stream));
        Self { input: Input(input), output: Output { stream, rest: BytesMut::new(), is_framed } }
    }
}

impl Input {
    /// Writes all bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    /// Ends the input; output goes on.
    pub async fn close(&mut self) -> std::io::Result<()> {
        self.0.shutdown().await
    }
}

impl Output {
    /// Returns the next piece and its channel, or `None` after the last. Nothing is lost when this is dropped early.
    pub async fn next(&mut self) -> Result<Option<(Channel, Bytes)>, Error> {
        loop {
            if !self.is_framed && !self.rest.is_empty() {
                return Ok(Some((Channel::Stdout, self.rest.split().freeze())));
            }
            let found = Frame::decode(&self.rest).map_err(|error| Error::Output(error.to_string()))?;
            if let Some((frame, end)) = found {
                let (channel, length) = (frame.channel, frame.payload.len());
                let mut bytes = self.rest.split_to(end);
                bytes.advance(end - length);
                return Ok(Some((channel, bytes.freeze())));
            }
            self.rest.reserve(READ_BYTES);
            match self.stream.read_buf(&mut self.rest).await {
                Ok(0) if self.rest.is_empty() => return Ok(None),
                Ok(0) => return Err(Error::Output("it ends in the middle of a frame".into())),
                Ok(_) => {}
                Err(error) => return Err(Error::Output(error.to_string())),
            }
        }
    }
}
