//! What is refused of a configuration.

/// A refusal in the user's words, which are Docker's where clients know them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request is wrong in itself.
    #[error("{0}")]
    Invalid(String),
    /// What is set already forbids it.
    #[error("{0}")]
    Conflict(String),
    /// It names something that does not exist.
    #[error("{0}")]
    NotFound(String),
}

impl Error {
    pub(crate) fn invalid(text: impl Into<String>) -> Error {
        Error::Invalid(text.into())
    }

    pub(crate) fn conflict(text: impl Into<String>) -> Error {
        Error::Conflict(text.into())
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Error {
        Error::NotFound(text.into())
    }

    /// Returns the words.
    pub fn text(&self) -> &str {
        match self {
            Error::Invalid(text) | Error::Conflict(text) | Error::NotFound(text) => text,
        }
    }
}
