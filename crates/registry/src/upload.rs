//! A blob on its way to a registry.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use reqwest::header::{CONTENT_TYPE, LOCATION, RANGE};
use reqwest::{Body, RequestBuilder, Response, StatusCode, Url};
use sha2::{Digest as _, Sha256};

use crate::attempts::Attempts;
use crate::digest::Digest;
use crate::error::Error;
use crate::failure::{self, Failure};
use crate::pace::BYTES_MIN;
use crate::repository::Repository;

/// Content that can be read as often as it takes, and is the same each time.
pub trait Content: Send + Sync {
    /// Returns the content from its beginning.
    fn read(&self) -> BoxStream<'static, io::Result<Bytes>>;
}

impl Content for Bytes {
    fn read(&self) -> BoxStream<'static, io::Result<Bytes>> {
        futures_util::stream::iter([Ok(self.clone())]).boxed()
    }
}

/// A blob that a repository has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size_bytes: u64,
}

impl Repository {
    /// Takes a blob over from another repository of the same registry; tells whether that was possible.
    pub async fn mount(&self, digest: Digest, from: &str) -> Result<bool, Error> {
        let scopes = [self.scope().to_owned(), format!("repository:{from}:pull")];
        let url = self.url("blobs/uploads/");
        let mount = |http: &reqwest::Client| {
            http.post(&url).query(&[("mount", digest.to_string().as_str()), ("from", from)]).body("")
        };
        match self.connection.send(&scopes, mount).await {
            Ok(response) if response.status() == StatusCode::CREATED => Ok(true),
            Ok(response) => {
                // It offers an upload in place of the mount, which nobody takes; it forgets it by itself if this fails.
                if let Ok(session) = self.location(&response) {
                    let _ = self.send(|http| http.delete(session.clone())).await;
                }
                Ok(false)
            }
            // The other repository may be gone, or for others alone.
            Err(Failure::Refused(refusal)) => {
                tracing::debug!(%digest, from, ?refusal, "blob is not taken over");
                Ok(false)
            }
            Err(failure) => Err(self.subject.translate(failure)),
        }
    }

    /// Uploads a blob whose digest is known only when all of it was read.
    ///
    /// A connection that breaks is taken up where the registry says it has come to. Registries that lose an upload
    /// with its connection, as Docker's own does, are sent all of it again.
    pub async fn upload(&self, content: &dyn Content) -> Result<Blob, Error> {
        let mut attempts = Attempts::default();
        let mut session = None;
        loop {
            match self.upload_once(content, &mut session).await {
                Ok(blob) => return Ok(blob),
                Err(Attempt { error, outcome }) => {
                    match outcome {
                        Outcome::Nothing => {}
                        Outcome::Sent => attempts.worked(),
                        Outcome::Further => attempts.moved(),
                    }
                    attempts.again_after(error).await?;
                }
            }
        }
    }

    async fn upload_once(
        &self,
        content: &dyn Content,
        session: &mut Option<Session>,
    ) -> Result<Blob, Attempt> {
        let before = session.take();
        let reached = before.as_ref().map_or(0, |before| before.offset);
        let resumed = match before {
            Some(before) => self.resume(before.place).await,
            None => None,
        };
        let Session { place, offset } = match resumed {
            Some(resumed) => resumed,
            None => self.begin().await.map_err(|error| Attempt { error, outcome: Outcome::Nothing })?,
        };
        *session = Some(Session { place: place.clone(), offset });
        let tally = Arc::new(Tally::default());
        let body = tally.clone().watch(content.read(), offset);
        let response = self.patch(&place, body, &tally).await;
        let outcome = match tally.sent.load(Ordering::Relaxed) {
            _ if offset > reached => Outcome::Further,
            BYTES_MIN.. => Outcome::Sent,
            _ => Outcome::Nothing,
        };
        let after = |error| Attempt { error, outcome };
        if let Some(source) = tally.state().failure.take() {
            let name = self.subject.repository.clone();
            return Err(after(Error::Content { name, source }));
        }
        let place = response.and_then(|response| self.location(&response)).map_err(after)?;
        let blob = tally.blob();
        self.finish(place, blob).await.map_err(after)?;
        Ok(blob)
    }

    async fn begin(&self) -> Result<Session, Error> {
        let url = self.url("blobs/uploads/");
        let place = self.location(&self.send(|http| http.post(&url).body("")).await?)?;
        Ok(Session { place, offset: 0 })
    }

    /// Asks how much of an upload has arrived; nothing at all if the registry no longer knows it.
    async fn resume(&self, place: Url) -> Option<Session> {
        let response = self.send(|http| http.get(place.clone())).await.ok()?;
        let range = response.headers().get(RANGE)?.to_str().ok()?.to_owned();
        let last: u64 = range.trim_start_matches("bytes=").split_once('-')?.1.parse().ok()?;
        let place = self.location(&response).unwrap_or(place);
        tracing::info!(registry = self.subject.registry, last, "taking an upload up again");
        // "0-0" is what registries write for nothing as well as for one byte.
        (last > 0).then_some(Session { place, offset: last + 1 })
    }

    async fn patch(&self, place: &Url, body: Body, tally: &Tally) -> Result<Response, Error> {
        let scopes = [self.scope().to_owned()];
        let request = self.connection.http.patch(place.clone());
        let request = request.header(CONTENT_TYPE, "application/octet-stream").body(body);
        let request = self.connection.authorized(request, &scopes).await;
        let request = request.map_err(|failure| self.subject.translate(failure))?;
        let patience = self.connection.patience;
        let answer = tally.until_stalled(request, patience).await.map_err(|failure| match failure {
            Failure::Request(source) if !source.is_connect() => {
                Error::Broken { what: format!("a layer of {}", self.subject.image), source }
            }
            other => self.subject.translate(other),
        })?;
        let checked = failure::check(answer, patience).await;
        checked.map_err(|failure| self.subject.translate(failure))
    }

    async fn finish(&self, mut place: Url, blob: Blob) -> Result<(), Error> {
        place.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
        self.send(|http| http.put(place.clone()).body("")).await.map(drop)
    }

    /// Registries say in each answer where the next request goes, in full or as a path.
    fn location(&self, response: &Response) -> Result<Url, Error> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let url = location.and_then(|location| response.url().join(location).ok());
        url.ok_or_else(|| {
            let reason = "it does not say where the upload goes".to_owned();
            self.subject.translate(Failure::Nonsense(reason))
        })
    }
}

/// An upload that the registry has begun to take.
struct Session {
    place: Url,
    /// How much of it the registry has.
    offset: u64,
}

/// How an attempt ended.
struct Attempt {
    error: Error,
    outcome: Outcome,
}

#[derive(Clone, Copy)]
enum Outcome {
    Nothing,
    /// Something went out, though it may be lost.
    Sent,
    /// The registry had kept something of the attempt before.
    Further,
}

/// What went by on its way out.
#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    state: Mutex<TallyState>,
}

#[derive(Default)]
struct TallyState {
    hasher: Sha256,
    read: u64,
    failure: Option<io::Error>,
}

impl Tally {
    fn state(&self) -> MutexGuard<'_, TallyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets pass what the registry does not have yet; all of it counts for the digest.
    fn watch(
        self: Arc<Self>,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        offset: u64,
    ) -> Body {
        let mut skip = offset;
        Body::wrap_stream(content.filter_map(move |piece| {
            let mut piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    self.state().failure = Some(error);
                    return std::future::ready(Some(Err(io::Error::other("the content cannot be read"))));
                }
            };
            let mut state = self.state();
            state.hasher.update(&piece);
            state.read += piece.len() as u64;
            drop(state);
            let skipped = skip.min(piece.len() as u64);
            skip -= skipped;
            let rest = piece.split_off(skipped as usize);
            self.sent.fetch_add(rest.len() as u64, Ordering::Relaxed);
            std::future::ready((!rest.is_empty()).then_some(Ok(rest)))
        }))
    }

    /// Waits for the answer as long as something moves.
    async fn until_stalled(&self, request: RequestBuilder, patience: Duration) -> Result<Response, Failure> {
        let mut answer = std::pin::pin!(request.send());
        let mut before = 0;
        loop {
            if let Ok(answer) = tokio::time::timeout(patience, &mut answer).await {
                return answer.map_err(Failure::Request);
            }
            // What was skipped counts, too: reading up to where the registry stands takes a while.
            let moved = self.state().read;
            if moved - before < BYTES_MIN {
                return Err(Failure::Stalled(patience));
            }
            before = moved;
        }
    }

    fn blob(&self) -> Blob {
        let mut state = self.state();
        Blob { digest: Digest::finish(std::mem::take(&mut state.hasher)), size_bytes: state.read }
    }
}
