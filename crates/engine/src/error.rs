//! What is told to the user, and of which kind it is.

use std::fmt;

/// How a refusal is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was asked for does not exist.
    NotFound,
    /// It cannot be done in the present state.
    Conflict,
    /// The request is wrong in itself.
    Invalid,
    /// Everything is already as wanted.
    NotModified,
    /// It is never allowed.
    Forbidden,
    /// It is not what this program does.
    NotImplemented,
    /// It cannot be done for the time being.
    Unavailable,
    /// Something failed that should not.
    Internal,
}

/// A refusal or failure in the user's words, which are Docker's where clients know them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    kind: Kind,
    text: String,
}

impl Error {
    /// Makes an error of a kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Error {
        Error { kind, text: text.into() }
    }

    /// Says that something does not exist.
    pub fn not_found(text: impl Into<String>) -> Error {
        Error::new(Kind::NotFound, text)
    }

    /// Says that the present state forbids it.
    pub fn conflict(text: impl Into<String>) -> Error {
        Error::new(Kind::Conflict, text)
    }

    /// Says that the request is wrong in itself.
    pub fn invalid(text: impl Into<String>) -> Error {
        Error::new(Kind::Invalid, text)
    }

    /// Says that nothing was to be done.
    pub fn not_modified(text: impl Into<String>) -> Error {
        Error::new(Kind::NotModified, text)
    }

    /// Turns a failure of the layers below into an error, with its causes.
    pub fn internal(error: &dyn std::error::Error) -> Error {
        Error::new(Kind::Internal, written(error))
    }

    /// Says what was being done when it failed.
    pub fn within(self, doing: impl fmt::Display) -> Error {
        Error { kind: self.kind, text: format!("{doing}: {}", self.text) }
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the words.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<container_config::Error> for Error {
    fn from(error: container_config::Error) -> Error {
        let kind = match &error {
            container_config::Error::Invalid(_) => Kind::Invalid,
            container_config::Error::Conflict(_) => Kind::Conflict,
            container_config::Error::NotFound(_) => Kind::NotFound,
        };
        Error::new(kind, error.text())
    }
}

impl From<container::Error> for Error {
    fn from(error: container::Error) -> Error {
        let kind = match &error {
            container::Error::NotFound { .. } => Kind::NotFound,
            container::Error::InvalidSpec { .. } | container::Error::BindSource { .. } => Kind::Invalid,
            container::Error::NotRunning { .. } | container::Error::Running { .. } => Kind::Conflict,
            _ => Kind::Internal,
        };
        Error::new(kind, written(&error))
    }
}

impl From<volume::Error> for Error {
    fn from(error: volume::Error) -> Error {
        let kind = match &error {
            volume::Error::NotFound { .. } | volume::Error::UnknownDriver { .. } => Kind::NotFound,
            volume::Error::BadName { .. } | volume::Error::BadOption { .. } => Kind::Invalid,
            volume::Error::InUse { .. } | volume::Error::NotEmpty { .. } => Kind::Conflict,
            volume::Error::Mount { .. } | volume::Error::Content { .. } | volume::Error::File { .. } => {
                Kind::Internal
            }
        };
        Error::new(kind, written(&error))
    }
}

impl From<network::Error> for Error {
    fn from(error: network::Error) -> Error {
        Error::internal(&error)
    }
}

/// Writes an error with its causes in one line.
fn written(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let cause = std::io::Error::other("disk full");
        let error = network::Error::File { action: "write", path: "/run/x".into(), source: cause };

        let text = Error::from(error).text().to_owned();

        assert!(text.ends_with("disk full") && text.matches("disk full").count() == 1, "{text}");
    }
}
