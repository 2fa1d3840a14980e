//! What goes on for longer than an answer.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use engine_json as json;
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite};

/// The progress of something that takes long; an error is its last record.
pub type ProgressStream = Pin<Box<dyn Stream<Item = json::Progress> + Send>>;
/// Bytes as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, std::io::Error>> + Send>>;
/// What happens.
pub type EventStream = Pin<Box<dyn Stream<Item = json::Event> + Send>>;
/// A client's end of a connection that no longer speaks HTTP.
pub type Connection = Box<dyn Duplex>;

/// Something that is read and written.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A program that a client is about to talk to.
#[async_trait]
pub trait Session: Send {
    /// Claims that the output is plain bytes, because the program has a terminal; else it comes in frames.
    fn is_raw(&self) -> bool;

    /// Lets both talk until the program's output has ended or the client has left. The program goes on when
    /// this is dropped.
    ///
    /// What the end of the client's input means is for the session to know. The program's input may end with it, as
    /// with a further process without a terminal; it may mean nothing, as with one that has a terminal; or the client
    /// has left by it, as with a container whose input stays open for others.
    async fn run(self: Box<Self>, client: Connection) -> std::io::Result<()>;
}
