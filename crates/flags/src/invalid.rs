//! A flag's value that makes no sense.

/// Tells whoever wrote a flag what is wrong with its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

/// What reading a flag gives.
pub type Result<T, E = Invalid> = std::result::Result<T, E>;

impl Invalid {
    /// Says why.
    pub fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// Refuses a value.
pub fn refuse<T>(why: impl Into<String>) -> Result<T> {
    Err(Invalid::because(why))
}
