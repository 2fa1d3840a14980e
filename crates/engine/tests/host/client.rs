//! A client that talks to a program.

use engine::Session;
use engine_json::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::Host;

/// The client's end of a session.
pub struct Client<'a> {
    host: &'a Host,
    stream: DuplexStream,
    is_raw: bool,
    heard: Vec<u8>,
    session: JoinHandle<std::io::Result<()>>,
}

impl<'a> Client<'a> {
    pub fn of(host: &'a Host, session: Session) -> Client<'a> {
        let is_raw = session.is_raw();
        let (stream, far) = tokio::io::duplex(64 << 10);
        let session = host.spawn(session.run(far));
        Client { host, stream, is_raw, heard: Vec::new(), session }
    }

    pub fn type_in(&mut self, text: &str) {
        self.host.block_on(self.stream.write_all(text.as_bytes())).unwrap();
    }

    /// Ends what is typed, and nothing else.
    pub fn close_input(&mut self) {
        self.host.block_on(self.stream.shutdown()).unwrap();
    }

    /// Waits until the program has said something.
    pub fn await_text(&mut self, text: &str) {
        while !self.text().contains(text) {
            let length = self.host.block_on(self.stream.read_buf(&mut self.heard)).unwrap();
            assert!(length > 0, "the session ended before {text:?}; it said {:?}", self.text());
        }
    }

    /// Returns all that was said up to the end.
    pub fn heard_to_end(mut self) -> String {
        self.host.block_on(self.stream.read_to_end(&mut self.heard)).unwrap();
        self.host.block_on(self.session).unwrap().unwrap();
        if self.is_raw { String::from_utf8(self.heard).unwrap() } else { texts(&self.heard) }
    }

    fn text(&self) -> String {
        if self.is_raw { String::from_utf8_lossy(&self.heard).into_owned() } else { texts(&self.heard) }
    }
}

/// Returns what is in whole frames.
pub fn texts(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while let Some((frame, end)) = Frame::decode(bytes).unwrap() {
        text += &String::from_utf8_lossy(frame.payload);
        bytes = &bytes[end..];
    }
    text
}
