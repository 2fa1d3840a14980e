//! What a pull, push or load tells while it works, in Docker's words.

use registry::Digest;
use tokio::sync::mpsc;

/// One line of progress, ready to become one JSON object of a progress stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What the line is about: a layer's short digest, or the tag.
    pub id: Option<String>,
    /// What is happening, such as `Downloading`.
    pub status: String,
    /// How far it is, where that can be counted.
    pub detail: Option<Detail>,
    /// What a push came to, in its last record, which has no status.
    pub pushed: Option<Pushed>,
}

/// What the registry knows a pushed image by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The tag.
    pub tag: String,
    /// The manifest's digest.
    pub digest: Digest,
    /// The manifest's length.
    pub size_bytes: u64,
}

/// How much of a whole is done, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Bytes done.
    pub current: u64,
    /// Bytes in all; 0 where unknown.
    pub total: u64,
}

/// Where progress goes: a channel, or nowhere.
#[derive(Debug, Clone, Default)]
pub struct Reporter(Option<mpsc::Sender<Progress>>);

impl Reporter {
    /// Reports to a channel; a receiver that has gone away is no error.
    pub fn to(sender: mpsc::Sender<Progress>) -> Self {
        Self(Some(sender))
    }

    /// Reports to nobody.
    pub fn none() -> Self {
        Self(None)
    }

    pub(crate) async fn status(&self, id: Option<&str>, status: impl Into<String>) {
        if let Some(sender) = &self.0 {
            let id = id.map(str::to_owned);
            let line = Progress { id, status: status.into(), detail: None, pushed: None };
            // A receiver that hung up no longer wants to know.
            let _ = sender.send(line).await;
        }
    }

    pub(crate) async fn pushed(&self, pushed: Pushed) {
        if let Some(sender) = &self.0 {
            let line = Progress { id: None, status: String::new(), detail: None, pushed: Some(pushed) };
            let _ = sender.send(line).await;
        }
    }

    /// Byte counts are dropped when the channel is full: the next one says more.
    pub(crate) fn count(&self, id: &str, status: &str, detail: Detail) {
        if let Some(sender) = &self.0 {
            let (id, status) = (Some(id.to_owned()), status.to_owned());
            let line = Progress { id, status, detail: Some(detail), pushed: None };
            let _ = sender.try_send(line);
        }
    }
}
