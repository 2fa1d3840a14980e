//! An answer that comes bit by bit.

use bytes::{Buf as _, Bytes, BytesMut};
use engine_json::{Frame, decode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use super::Error;

/// The longest line that is read; more is not a line but damage.
const LINE_BYTES_MAX: usize = 16 << 20;

/// An answer that comes bit by bit, read as lines of JSON or as stream frames.
pub struct Lines {
    body: Incoming,
    rest: BytesMut,
}

impl Lines {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, rest: BytesMut::new() }
    }

    /// Returns the next line, or `None` after the last.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        loop {
            let line = match self.rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => self.rest.split_to(end + 1),
                None if self.rest.len() > LINE_BYTES_MAX => {
                    return Err(Error::Output("a line has no end".into()));
                }
                None if self.more().await? => continue,
                None => self.rest.split(),
            };
            if !line.trim_ascii().is_empty() {
                return decode(&line).map(Some).map_err(Error::Answer);
            }
            if self.rest.is_empty() && !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Returns the next frame's channel and payload, or `None` after the last.
    pub async fn next_frame(&mut self) -> Result<Option<(engine_json::Channel, Bytes)>, Error> {
        loop {
            let found = Frame::decode(&self.rest).map_err(|error| Error::Output(error.to_string()))?;
            if let Some((frame, end)) = found {
                let channel = frame.channel;
                let length = frame.payload.len();
                let mut bytes = self.rest.split_to(end);
                bytes.advance(end - length);
                return Ok(Some((channel, bytes.freeze())));
            }
            if !self.more().await? {
                return match self.rest.is_empty() {
                    true => Ok(None),
                    false => Err(Error::Output("it ends in the middle of a frame".into())),
                };
            }
        }
    }

    /// Returns the next bytes as they came, or `None` after the last.
    pub async fn next_raw(&mut self) -> Result<Option<Bytes>, Error> {
        if self.rest.is_empty() && !self.more().await? {
            return Ok(None);
        }
        Ok(Some(self.rest.split().freeze()))
    }

    /// Returns the bytes as a reader.
    pub fn into_reader(self) -> impl AsyncRead + Send + Unpin {
        let stream = futures_util::stream::unfold(self, async |mut lines| {
            let piece = lines.next_raw().await.map_err(std::io::Error::other).transpose()?;
            Some((piece, lines))
        });
        StreamReader::new(Box::pin(stream))
    }

    async fn more(&mut self) -> Result<bool, Error> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame?.into_data() {
                self.rest.extend_from_slice(&data);
                return Ok(true);
            }
        }
        Ok(false)
    }
}
