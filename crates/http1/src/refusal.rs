//! Why a message is not passed on.

/// Says why a request is refused; the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no request, or one that could be understood in two ways.
    #[error("{0}")]
    Bad(&'static str),
    /// Its head is too long.
    #[error("the head of the request is too long")]
    TooLong,
    /// It asks for what only a forward proxy does, or is coded in an unknown way.
    #[error("{0}")]
    NotImplemented(&'static str),
    /// It is of another major version.
    #[error("the version of HTTP is not supported")]
    Version,
}

/// Says why a backend's response cannot be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadResponse(pub &'static str);

impl Refusal {
    /// Returns the status that tells the client.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Bad(_) => 400,
            Refusal::TooLong => 431,
            Refusal::NotImplemented(_) => 501,
            Refusal::Version => 505,
        }
    }
}
