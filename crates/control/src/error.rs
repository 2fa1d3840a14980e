//! What a user is told when a verb is refused.

use consensus::UpdateError;
use model::Invalid;
use store::Conflict;

/// What kind of refusal it is; the API turns it into a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The object does not exist.
    NotFound,
    /// What is asked makes no sense.
    Invalid,
    /// The state does not allow it.
    FailedPrecondition,
    /// Nobody may do it.
    PermissionDenied,
    /// The object exists already.
    AlreadyExists,
    /// Drover does not do that.
    Unimplemented,
    /// The object was changed by somebody else meanwhile.
    OutOfSequence,
    /// The cluster cannot take changes at the moment.
    Unavailable,
}

/// Why a verb is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of refusal it is.
    pub kind: Kind,
    /// The user's text.
    pub message: String,
}

impl Error {
    /// Refuses with a text.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Says that there is no such object.
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::new(Kind::NotFound, format!("{what} {name} not found"))
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::new(Kind::Invalid, invalid.to_string())
    }
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        let kind = match &conflict {
            Conflict::Stale { .. } | Conflict::Missing(_) => Kind::OutOfSequence,
            Conflict::NameTaken { .. } | Conflict::AlreadyExists(_) => Kind::AlreadyExists,
        };
        Self::new(kind, conflict.to_string())
    }
}

impl From<UpdateError> for Error {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Conflict(conflict) => conflict.into(),
            UpdateError::Propose(consensus::ProposeError::TooLarge { size, limit }) => Self::new(
                Kind::Invalid,
                format!("the object takes {size} bytes; one change may take {limit}"),
            ),
            UpdateError::Propose(_) | UpdateError::Read(_) | UpdateError::Outcome(_) => {
                Self::new(Kind::Unavailable, error.to_string())
            }
        }
    }
}
