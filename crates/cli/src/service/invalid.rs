//! A flag's value that makes no sense.

/// Tells whoever wrote a flag what is wrong with its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

pub(super) type Result<T, E = Invalid> = std::result::Result<T, E>;

impl Invalid {
    pub(super) fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// Refuses a value.
pub(super) fn refuse<T>(why: impl Into<String>) -> Result<T> {
    Err(Invalid::because(why))
}
