//! Why a request to the daemon failed.

use engine_json::Malformed;
use http::StatusCode;

use crate::Host;

/// Why a request to the daemon failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there, or one may not talk to them.
    #[error("{}", unreachable_text(host, cause))]
    Unreachable {
        /// Where.
        host: Host,
        /// Why.
        cause: std::io::Error,
    },
    /// The daemon says no.
    #[error("Error response from daemon: {message}")]
    Refused {
        /// In HTTP's words.
        status: StatusCode,
        /// In its own.
        message: String,
    },
    /// The daemon's answer makes no sense.
    #[error("cannot read the daemon's answer: {0}")]
    Answer(Malformed),
    /// The request cannot be written.
    #[error("cannot ask the daemon: {0}")]
    Request(String),
    /// The connection broke.
    #[error("error during connect: {0}")]
    Broken(String),
    /// The daemon's output broke off.
    #[error("cannot read the daemon's output: {0}")]
    Output(String),
}

impl Error {
    /// Claims that the daemon does not know the object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }
}

fn unreachable_text(host: &Host, cause: &std::io::Error) -> String {
    match cause.kind() {
        std::io::ErrorKind::PermissionDenied => format!(
            "permission denied while trying to connect to the Drover daemon at {host}: run the command as root or as a member of the socket's group"
        ),
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
            format!("Cannot connect to the Drover daemon at {host}. Is the daemon running?")
        }
        _ => format!("Cannot connect to the Drover daemon at {host}. Is the daemon running? ({cause})"),
    }
}

impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(error.to_string())
    }
}
