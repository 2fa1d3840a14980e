//! Versions of the Engine API.

use std::fmt;
use std::str::FromStr;

/// A version of the Engine API, such as 1.50.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// The number before the point.
    pub major: u16,
    /// The number after the point.
    pub minor: u16,
}

/// A version of the API that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVersion {
    /// It is not a version.
    #[error("invalid API version {0:?}: expected MAJOR.MINOR such as {current}", current = ApiVersion::CURRENT)]
    Unreadable(String),
    /// It is later than the latest one.
    #[error("client version {0} is too new. Maximum supported API version is {max}", max = ApiVersion::CURRENT)]
    TooNew(ApiVersion),
    /// It is earlier than the earliest one.
    #[error(
        "client version {0} is too old. Minimum supported API version is {min}, please upgrade your client to a newer version",
        min = ApiVersion::MIN
    )]
    TooOld(ApiVersion),
}

impl ApiVersion {
    /// The version that is spoken unless another is asked for.
    pub const CURRENT: Self = Self::new(1, 50);
    /// The earliest version that is spoken.
    pub const MIN: Self = Self::new(1, 24);

    /// Makes a version.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Returns the version if it can be served.
    pub fn served(self) -> Result<Self, InvalidVersion> {
        if self > Self::CURRENT {
            return Err(InvalidVersion::TooNew(self));
        }
        if self < Self::MIN {
            return Err(InvalidVersion::TooOld(self));
        }
        Ok(self)
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ApiVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let refuse = || InvalidVersion::Unreadable(text.chars().take(16).collect());
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if plain { digits.parse().map_err(|_| refuse()) } else { Err(refuse()) }
        };
        let (major, minor) = text.split_once('.').ok_or_else(refuse)?;
        Ok(Self::new(number(major)?, number(minor)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let version = |text: &str| text.parse::<ApiVersion>().and_then(ApiVersion::served);

        assert_eq!(version("1.50"), Ok(ApiVersion::CURRENT));
        assert!(
            version("1.9")
                .unwrap_err()
                .to_string()
                .contains("too old. Minimum supported API version is 1.24")
        );
        assert_eq!(
            version("1.51").unwrap_err().to_string(),
            "client version 1.51 is too new. Maximum supported API version is 1.50"
        );
        for bad in ["", "1", "1.", ".5", "1.x", "1.+5", "99999.1"] {
            assert!(matches!(version(bad), Err(InvalidVersion::Unreadable(_))), "{bad}");
        }
    }
}
