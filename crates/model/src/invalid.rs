//! A spec that cannot be accepted.

/// Why a spec is refused, in the user's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    /// Refuses for the given reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
