//! Bytes that cannot be taken.

use std::convert::Infallible;

use store::Conflict;

/// Why bytes or a message are refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not the message.
    #[error("decode {what}")]
    Garbled {
        /// The message.
        what: &'static str,
        /// What is wrong with them.
        source: prost::DecodeError,
    },
    /// A field of a message does not hold what it must.
    #[error("{field}: {problem}")]
    Field {
        /// The path of the field, such as `task.status.state`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A newer version wrote it.
    #[error("the {what} has format {found}, this version reads up to {known}: upgrade this node")]
    Format {
        /// What was read.
        what: &'static str,
        /// The format it has.
        found: u32,
        /// The latest format that is understood.
        known: u32,
    },
    /// Something is missing at the end, or there is too much.
    #[error("the {what} ends after {found} of {expected} objects, or goes on after them")]
    Length {
        /// What was read.
        what: &'static str,
        /// How many objects there are.
        found: u64,
        /// How many there should be.
        expected: u64,
    },
    /// Objects of a snapshot exclude each other.
    #[error("the objects of the snapshot exclude each other")]
    Contradiction(#[source] Conflict),
}

impl Error {
    /// Refuses the field for the given reason.
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { field: field.into(), problem: problem.into() }
    }

    /// Returns the same error, found inside `outer`.
    pub(crate) fn within(self, outer: &str) -> Self {
        match self {
            Self::Field { field, problem } if field.is_empty() => Self::field(outer, problem),
            Self::Field { field, problem } => Self::field(format!("{outer}.{field}"), problem),
            Self::Garbled { .. } | Self::Format { .. } | Self::Length { .. } | Self::Contradiction(_) => self,
        }
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
