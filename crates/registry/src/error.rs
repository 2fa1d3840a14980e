//! What can go wrong between this machine and a registry, mostly in Docker's words.

use std::path::PathBuf;

use reqwest::StatusCode;

use crate::auth::Auth;
use crate::connection::Connection;
use crate::digest::Digest;
use crate::failure::{Failure, Refusal};
use crate::reference::Reference;

/// Tells what a registry refused, or why it could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository is private or absent; registries do not tell which.
    #[error(
        "pull access denied for {name}, repository does not exist or may require 'docker login': {reason}"
    )]
    AccessDenied {
        /// The repository.
        name: String,
        /// What the registry said.
        reason: String,
    },
    /// Pushing to the repository is for others.
    #[error("push access denied for {name}, it may require 'docker login': {reason}")]
    PushDenied {
        /// The repository.
        name: String,
        /// What the registry said.
        reason: String,
    },
    /// The credentials that were given are wrong.
    #[error("unauthorized: {registry} refused the credentials: {reason}")]
    Unauthorized {
        /// The registry.
        registry: String,
        /// What the registry said.
        reason: String,
    },
    /// The tag or digest does not exist.
    #[error("manifest for {name} not found: manifest unknown: {reason}")]
    ManifestUnknown {
        /// The image.
        name: String,
        /// What the registry said.
        reason: String,
    },
    /// The repository does not exist.
    #[error("repository {name} not found: name unknown: {reason}")]
    NameUnknown {
        /// The repository.
        name: String,
        /// What the registry said.
        reason: String,
    },
    /// The registry wants to be asked less often.
    #[error("toomanyrequests: {registry}: {reason}; wait, or log in for a higher limit")]
    TooManyRequests {
        /// The registry.
        registry: String,
        /// What the registry said.
        reason: String,
    },
    /// The registry cannot be reached.
    #[error("cannot reach registry {registry}; check its name, the network and its certificate")]
    Unreachable {
        /// The registry.
        registry: String,
        /// What failed.
        source: reqwest::Error,
    },
    /// The registry is there, but silent.
    #[error(
        "registry {registry} stalls: nothing of {name} came in {seconds} s; check whether it is overloaded, and try again"
    )]
    Stalled {
        /// The registry.
        registry: String,
        /// The image.
        name: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The registry speaks TLS, but with a certificate that is not trusted.
    #[error(
        "registry {registry} has a certificate that is not trusted ({reason}); put its authority into /etc/drover/certs.d/{registry}/ca.crt"
    )]
    Certificate {
        /// The registry.
        registry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry would have a password sent where anyone can read it.
    #[error("registry {registry} wants the credentials sent to {realm}, which is not encrypted")]
    PlainRealm {
        /// The registry.
        registry: String,
        /// Where to.
        realm: String,
    },
    /// The content is not what its digest says.
    #[error("content of {name} from the registry does not have its digest {digest}: {reason}")]
    Damaged {
        /// The image.
        name: String,
        /// The digest that was asked for.
        digest: Digest,
        /// What was wrong.
        reason: String,
    },
    /// The connection broke while content was on its way.
    #[error("transfer of {what} broke off")]
    Broken {
        /// The content.
        what: String,
        /// What failed.
        source: reqwest::Error,
    },
    /// Content that was to be pushed could not be read.
    #[error("read what is to be pushed to {name}")]
    Content {
        /// The repository.
        name: String,
        /// What failed.
        source: std::io::Error,
    },
    /// Anything else a registry can answer.
    #[error("registry {registry} failed: {reason}")]
    Failed {
        /// The registry.
        registry: String,
        /// The HTTP status; 0 if the answer was good but of no use.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// A client for this registry cannot be made.
    #[error("prepare the connection to registry {registry}")]
    Client {
        /// The registry.
        registry: String,
        /// What failed.
        source: reqwest::Error,
    },
    /// A file of certificates cannot be read.
    #[error("read certificates from {}", .path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// Tells whether the same request may well succeed a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Broken { .. } => true,
            Self::Unreachable { source, .. } => !source.is_connect() && !source.is_builder(),
            Self::Failed { status, .. } => *status >= 500,
            Self::AccessDenied { .. }
            | Self::PushDenied { .. }
            | Self::Unauthorized { .. }
            | Self::ManifestUnknown { .. }
            | Self::NameUnknown { .. }
            | Self::TooManyRequests { .. }
            | Self::Stalled { .. }
            | Self::Certificate { .. }
            | Self::PlainRealm { .. }
            | Self::Damaged { .. }
            | Self::Content { .. }
            | Self::Client { .. }
            | Self::Roots { .. } => false,
        }
    }

    /// Tells whether the way to the registry failed, which was fine a moment ago if something came over it.
    pub(crate) fn is_of_the_way(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Stalled { .. } | Self::Broken { .. })
    }
}

/// What is being done in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Content is read.
    Pull,
    /// Content is written, too.
    Push,
}

/// What a conversation is about, to be named when it fails.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) registry: String,
    /// The repository as users write it; the registry if it is about no repository.
    pub(crate) repository: String,
    /// The image as users write it.
    pub(crate) image: String,
    access: Access,
    is_anonymous: bool,
    tls_failure: Option<String>,
}

impl Subject {
    pub(crate) fn image(name: &Reference, access: Access, auth: &Auth) -> Self {
        Self {
            registry: name.registry().to_owned(),
            repository: name.familiar_name(),
            image: name.familiar(),
            access,
            is_anonymous: auth.is_anonymous(),
            tls_failure: None,
        }
    }

    pub(crate) fn login(registry: &str, auth: &Auth) -> Self {
        let registry = registry.to_owned();
        Self {
            repository: registry.clone(),
            image: registry.clone(),
            registry,
            access: Access::Pull,
            is_anonymous: auth.is_anonymous(),
            tls_failure: None,
        }
    }

    pub(crate) fn over(self, connection: &Connection) -> Self {
        Self { tls_failure: connection.tls_failure.clone(), ..self }
    }

    pub(crate) fn translate(&self, failure: Failure) -> Error {
        let registry = self.registry.clone();
        match failure {
            Failure::Request(source) => match distrust(&source).or_else(|| self.spoke_tls(&source)) {
                Some(reason) => Error::Certificate { registry, reason },
                None => Error::Unreachable { registry, source },
            },
            Failure::Stalled(patience) => self.stalled(patience),
            Failure::PlainRealm(realm) => Error::PlainRealm { registry, realm },
            Failure::Nonsense(reason) => Error::Failed { registry, status: 0, reason },
            Failure::Refused(refusal) => self.refused(refusal),
        }
    }

    /// Returns what went wrong with TLS, if it was left for plain HTTP, which the registry does not speak.
    fn spoke_tls(&self, error: &reqwest::Error) -> Option<String> {
        self.tls_failure.clone().filter(|_| !error.is_connect())
    }

    pub(crate) fn stalled(&self, patience: std::time::Duration) -> Error {
        let (registry, name) = (self.registry.clone(), self.image.clone());
        Error::Stalled { registry, name, seconds: patience.as_secs() }
    }

    pub(crate) fn damaged(&self, digest: Digest, reason: String) -> Error {
        Error::Damaged { name: self.image.clone(), digest, reason }
    }

    fn refused(&self, refusal: Refusal) -> Error {
        let Refusal { status, code, message: reason } = refusal;
        let (registry, name) = (self.registry.clone(), self.repository.clone());
        match (code.as_str(), status) {
            ("DENIED", _) | ("", StatusCode::FORBIDDEN) => self.denied(format!("denied: {reason}")),
            ("UNAUTHORIZED", _) | ("", StatusCode::UNAUTHORIZED) if self.is_anonymous => {
                self.denied(format!("unauthorized: {reason}"))
            }
            ("UNAUTHORIZED", _) | ("", StatusCode::UNAUTHORIZED) => Error::Unauthorized { registry, reason },
            ("NAME_UNKNOWN", _) => Error::NameUnknown { name, reason },
            ("TOOMANYREQUESTS", _) | (_, StatusCode::TOO_MANY_REQUESTS) => {
                Error::TooManyRequests { registry, reason }
            }
            ("MANIFEST_UNKNOWN" | "NOT_FOUND", _) | ("", StatusCode::NOT_FOUND) => {
                Error::ManifestUnknown { name: self.image.clone(), reason }
            }
            (_, StatusCode::BAD_REQUEST) if self.tls_failure.is_some() => {
                Error::Certificate { registry, reason: self.tls_failure.clone().unwrap_or_default() }
            }
            (_, _) => Error::Failed { registry, status: status.as_u16(), reason },
        }
    }

    fn denied(&self, reason: String) -> Error {
        let name = self.repository.clone();
        match self.access {
            Access::Pull => Error::AccessDenied { name, reason },
            Access::Push => Error::PushDenied { name, reason },
        }
    }
}

/// Returns what is wrong with the registry's certificate, if that is why it was not asked.
fn distrust(error: &reqwest::Error) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(reason)) = error.downcast_ref() {
            return Some(reason.to_string());
        }
        // What an error of input and output wraps does not count as its source.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = wrapped.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}
