//! A blob on its way here: taken up where it broke off, and checked to its last byte.

use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::attempts::Attempts;
use crate::digest::Digest;
use crate::error::Error;
use crate::manifest::Descriptor;
use crate::pace::Pace;
use crate::repository::Repository;

/// A connection that brought this much was a good one; what breaks after that is counted anew.
const GOOD_BYTES: u64 = 256 << 10;

/// A blob that comes piece by piece.
///
/// Once there are no more pieces, length and digest were right.
pub struct Download<'a> {
    repository: &'a Repository,
    digest: Digest,
    total: u64,
    come: u64,
    hasher: Sha256,
    body: Option<Body>,
    attempts: Attempts,
}

struct Body {
    response: Response,
    pace: Pace,
    /// Bytes that were asked for a second time, from a registry that knows no ranges.
    skip: u64,
    come: u64,
}

impl<'a> Download<'a> {
    pub(crate) fn new(repository: &'a Repository, descriptor: &Descriptor) -> Self {
        Self {
            repository,
            digest: descriptor.digest,
            total: descriptor.size,
            come: 0,
            hasher: Sha256::new(),
            body: None,
            attempts: Attempts::default(),
        }
    }

    /// Returns the next piece, or `None` once all has come and is right.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.piece().await {
                Ok(Some(piece)) if piece.is_empty() => {}
                Ok(Some(piece)) => return self.take(piece).map(Some),
                Ok(None) => return self.verify().map(|()| None),
                Err(error) => {
                    self.body = None;
                    self.attempts.again_after(error).await?;
                }
            }
        }
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        if self.body.is_none() {
            self.body = Some(self.open().await?);
        }
        let Some(body) = &mut self.body else { return Ok(None) };
        let subject = &self.repository.subject;
        let patience = self.repository.connection.patience;
        let piece =
            body.pace.wait(body.response.chunk()).await.map_err(|_stalled| subject.stalled(patience))?;
        let broken =
            |source| Error::Broken { what: format!("{} of {}", self.digest.short(), subject.image), source };
        let Some(mut piece) = piece.map_err(broken)? else { return Ok(None) };
        body.pace.moved(piece.len());
        let skipped = body.skip.min(piece.len() as u64);
        body.skip -= skipped;
        let rest = piece.split_off(skipped as usize);
        body.come += rest.len() as u64;
        if body.come >= GOOD_BYTES {
            self.attempts.moved();
        }
        Ok(Some(rest))
    }

    /// Asks for what has not come yet.
    async fn open(&self) -> Result<Body, Error> {
        let url = self.repository.url(&format!("blobs/{}", self.digest));
        let from = self.come;
        let response = self
            .repository
            .send(|http| match from {
                0 => http.get(&url),
                from => http.get(&url).header(RANGE, format!("bytes={from}-")),
            })
            .await?;
        let is_rest = response.status() == StatusCode::PARTIAL_CONTENT && begins_at(&response, from);
        if from > 0 {
            tracing::debug!(digest = %self.digest, from, is_rest, "taking a download up again");
        }
        let pace = Pace::new(self.repository.connection.patience);
        Ok(Body { response, pace, skip: if is_rest { 0 } else { from }, come: 0 })
    }

    fn take(&mut self, piece: Bytes) -> Result<Bytes, Error> {
        self.come += piece.len() as u64;
        if self.come > self.total {
            return Err(self.differs("longer"));
        }
        self.hasher.update(&piece);
        Ok(piece)
    }

    fn verify(&mut self) -> Result<(), Error> {
        if self.come < self.total {
            return Err(self.differs("shorter"));
        }
        let actual = Digest::finish(std::mem::take(&mut self.hasher));
        if actual != self.digest {
            return Err(self.repository.damaged(self.digest, format!("it has {actual}")));
        }
        Ok(())
    }

    fn differs(&self, word: &str) -> Error {
        let reason = format!("it is {word} than the {} bytes the manifest says", self.total);
        self.repository.damaged(self.digest, reason)
    }
}

/// A registry that answers with another part than was asked for would spoil the digest, and the reason with it.
fn begins_at(response: &Response, from: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok());
    start == Some(from)
}
