//! One repository of one registry: its documents and its blobs.

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{RequestBuilder, Response, StatusCode};

use crate::attempts::Attempts;
use crate::auth::Auth;
use crate::config::Config;
use crate::connection::Connection;
use crate::digest::Digest;
use crate::download::Download;
use crate::error::{Access, Error, Subject};
use crate::failure::{self, Failure};
use crate::manifest::{
    DOCKER_LIST, DOCKER_MANIFEST, DOCUMENT_BYTES_MAX, Descriptor, OCI_INDEX, OCI_MANIFEST,
};
use crate::reference::Reference;

/// One repository, with the connection to its registry.
#[derive(Debug)]
pub struct Repository {
    pub(crate) connection: Connection,
    pub(crate) subject: Subject,
    name: Reference,
    scope: String,
}

impl Repository {
    /// Finds out how the registry wants to be spoken to.
    pub async fn connect(
        name: &Reference,
        access: Access,
        auth: Option<&Auth>,
        config: &Config,
    ) -> Result<Self, Error> {
        let auth = auth.cloned().unwrap_or_default();
        let subject = Subject::image(name, access, &auth);
        let (connection, failure) = Connection::open(name.registry(), &auth, config).await?;
        let subject = subject.over(&connection);
        if let Some(failure) = failure {
            return Err(subject.translate(failure));
        }
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let scope = format!("repository:{}:{actions}", name.repository());
        Ok(Self { connection, subject, name: name.clone(), scope })
    }

    /// Returns the name the repository was connected for.
    pub fn name(&self) -> &Reference {
        &self.name
    }

    /// Returns a manifest or index, its digest checked: the one of this digest, or the one the name stands for.
    pub async fn document(&self, digest: Option<Digest>) -> Result<(Bytes, Digest), Error> {
        let accepted = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ");
        let wanted = digest.or(self.name.digest());
        let asked =
            wanted.map_or_else(|| self.name.tag().unwrap_or("latest").to_owned(), |it| it.to_string());
        let url = self.url(&format!("manifests/{asked}"));
        let mut attempts = Attempts::default();
        let bytes = loop {
            let answer = self.send(|http| http.get(&url).header(ACCEPT, &accepted)).await;
            match self.read_document(answer).await {
                Ok(bytes) => break Bytes::from(bytes),
                Err(error) => attempts.again_after(self.about(error, wanted)).await?,
            }
        };
        let actual = Digest::of(&bytes);
        match wanted {
            Some(wanted) if wanted != actual => Err(self.damaged(wanted, format!("it has {actual}"))),
            Some(_) | None => Ok((bytes, actual)),
        }
    }

    async fn read_document(&self, answer: Result<Response, Error>) -> Result<Vec<u8>, Error> {
        let read = failure::read(answer?, DOCUMENT_BYTES_MAX as usize, self.connection.patience).await;
        read.map_err(|failure| self.subject.translate(failure))
    }

    /// A manifest asked for by digest is named by it.
    fn about(&self, error: Error, digest: Option<Digest>) -> Error {
        match (error, digest) {
            (Error::ManifestUnknown { reason, .. }, Some(digest)) => {
                Error::ManifestUnknown { name: self.name.by_digest(digest).familiar(), reason }
            }
            (error, _) => error,
        }
    }

    /// Puts a manifest under the name's tag, and returns its digest.
    pub async fn put_document(&self, media_type: &str, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        let url = self.url(&format!("manifests/{}", self.name.tag().unwrap_or("latest")));
        let body = Bytes::copy_from_slice(bytes);
        let mut attempts = Attempts::default();
        loop {
            let put =
                |http: &reqwest::Client| http.put(&url).header(CONTENT_TYPE, media_type).body(body.clone());
            match self.send(put).await {
                Ok(_created) => return Ok(digest),
                Err(error) => attempts.again_after(error).await?,
            }
        }
    }

    /// Returns a small blob, its digest checked.
    pub async fn small_blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let mut download = self.download(descriptor);
        let mut bytes = Vec::new();
        while let Some(piece) = download.next().await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
                return Err(self.damaged(descriptor.digest, "it is longer than 8 MiB".to_owned()));
            }
        }
        Ok(bytes)
    }

    /// Returns a blob piece by piece.
    pub fn download(&self, descriptor: &Descriptor) -> Download<'_> {
        Download::new(self, descriptor)
    }

    /// Tells whether the repository has a blob.
    pub async fn has_blob(&self, digest: Digest) -> Result<bool, Error> {
        let url = self.url(&format!("blobs/{digest}"));
        let mut attempts = Attempts::default();
        loop {
            let scopes = std::slice::from_ref(&self.scope);
            match self.connection.send(scopes, |http| http.head(&url)).await {
                Ok(_there) => return Ok(true),
                Err(Failure::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {
                    return Ok(false);
                }
                Err(failure) => attempts.again_after(self.subject.translate(failure)).await?,
            }
        }
    }

    pub(crate) fn damaged(&self, digest: Digest, reason: String) -> Error {
        self.subject.damaged(digest, reason)
    }

    /// Returns the address of something in this repository.
    pub(crate) fn url(&self, path: &str) -> String {
        self.connection.url(&format!("/v2/{}/{path}", self.name.repository()))
    }

    pub(crate) async fn send(
        &self,
        build: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Response, Error> {
        let sent = self.connection.send(std::slice::from_ref(&self.scope), build).await;
        sent.map_err(|failure| self.subject.translate(failure))
    }

    pub(crate) fn scope(&self) -> &str {
        &self.scope
    }
}
