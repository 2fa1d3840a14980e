//! The two roles a node can have.

use std::fmt;
use std::str::FromStr;

/// What a node's certificate says it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Runs tasks.
    Worker,
    /// Runs tasks and takes part in deciding.
    Manager,
}

impl Role {
    /// Returns the organizational unit that stands for the role in a certificate.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Worker => "swarm-worker",
            Self::Manager => "swarm-manager",
        }
    }

    /// Returns the role that an organizational unit stands for.
    pub fn from_unit(unit: &str) -> Option<Self> {
        [Self::Worker, Self::Manager].into_iter().find(|role| role.unit() == unit)
    }

    /// Returns the role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Manager => "manager",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Tells that a text is not the name of a role.
#[derive(Debug, thiserror::Error)]
#[error("unknown role {0:?}: it is worker or manager")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text {
            "worker" => Ok(Self::Worker),
            "manager" => Ok(Self::Manager),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}
