//! What can go wrong between this machine and a registry.

use std::path::PathBuf;

use oci_client::errors::OciDistributionError;

/// Tells what a registry refused, mostly in Docker's words.
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
        source: OciDistributionError,
    },
    /// The registry speaks TLS, but with a certificate that is not trusted.
    #[error(
        "registry {registry} has a certificate that is not trusted ({reason}); add its authority to the extra roots"
    )]
    Certificate {
        /// The registry.
        registry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The content is not what its digest says.
    #[error("content of {name} from the registry does not have its digest {digest}: {reason}")]
    Damaged {
        /// The image.
        name: String,
        /// The digest that was asked for.
        digest: String,
        /// What was wrong.
        reason: String,
    },
    /// The connection broke while content was coming.
    #[error("download of {digest} broke off")]
    Broken {
        /// The content.
        digest: String,
        /// What failed.
        source: std::io::Error,
    },
    /// Anything else a registry can answer.
    #[error("registry {registry} failed")]
    Failed {
        /// The registry.
        registry: String,
        /// What failed.
        source: OciDistributionError,
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
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Broken { .. } => true,
            Self::Failed { source, .. } | Self::Unreachable { source, .. } => match source {
                OciDistributionError::RequestError(error) => !error.is_connect() && !error.is_builder(),
                OciDistributionError::ServerError { code, .. } => *code >= 500,
                _ => false,
            },
            Self::AccessDenied { .. }
            | Self::Unauthorized { .. }
            | Self::ManifestUnknown { .. }
            | Self::NameUnknown { .. }
            | Self::TooManyRequests { .. }
            | Self::Certificate { .. }
            | Self::Damaged { .. }
            | Self::Roots { .. } => false,
        }
    }
}
