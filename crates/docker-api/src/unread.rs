//! What of a request nobody has read.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// How long the rest of a refused request is read; a local upload of a few GB is over by then.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);

/// A body that can be read on after its reader has lost interest.
#[derive(Clone)]
pub(crate) struct Unread(Arc<Mutex<Incoming>>);

impl Unread {
    /// Shares a body.
    pub fn new(body: Incoming) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    /// Reads the rest and forgets it. A client that is still writing when the connection is closed
    /// reports a broken pipe and never sees why it was refused.
    pub async fn discard(mut self) {
        let rest = async {
            while let Some(Ok(_)) =
                std::future::poll_fn(|context| Pin::new(&mut self).poll_frame(context)).await
            {}
        };
        // What is late is not worth waiting for; the connection is closed then.
        drop(tokio::time::timeout(DISCARD_TIMEOUT, rest).await);
    }

    fn with<T>(&self, look: impl FnOnce(&mut Incoming) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Body for Unread {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.with(|body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}
