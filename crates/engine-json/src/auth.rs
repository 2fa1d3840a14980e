//! The `X-Registry-Auth` header.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use crate::decode;
use crate::omit::empty;

/// Credentials for a registry.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RegistryAuth {
    /// The user.
    #[serde(skip_serializing_if = "empty")]
    pub username: String,
    /// The password.
    #[serde(skip_serializing_if = "empty")]
    pub password: String,
    /// The registry they are for.
    #[serde(skip_serializing_if = "empty")]
    pub serveraddress: String,
    /// A refresh token in place of a password.
    #[serde(skip_serializing_if = "empty")]
    pub identitytoken: String,
    /// A bearer token in place of both.
    #[serde(skip_serializing_if = "empty")]
    pub registrytoken: String,
}

/// The answer to credentials that a registry accepts.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LoginAnswer {
    /// A token to keep in place of the password; mostly empty.
    pub identity_token: String,
    /// For the user.
    pub status: String,
}

impl std::fmt::Debug for LoginAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryAuth").field("serveraddress", &self.serveraddress).finish_non_exhaustive()
    }
}

/// A header that does not hold credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid X-Registry-Auth header: {0}")]
pub struct InvalidAuth(String);

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

impl RegistryAuth {
    /// Reads the header; an empty one means no credentials.
    pub fn from_header(header: &str) -> Result<Self, InvalidAuth> {
        if header.is_empty() {
            return Ok(Self::default());
        }
        let standard = header.replace('-', "+").replace('_', "/");
        let json = GeneralPurpose::new(&alphabet::STANDARD, LENIENT)
            .decode(standard)
            .map_err(|error| InvalidAuth(error.to_string()))?;
        decode(&json).map_err(|error| InvalidAuth(error.to_string()))
    }

    /// Writes the header.
    pub fn to_header(&self) -> String {
        let json = serde_json::to_vec(self).expect("strings are always JSON");
        GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT).encode(json)
    }

    /// Claims that there are no credentials.
    pub fn is_anonymous(&self) -> bool {
        empty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_secrets_stay_out_of_logs() {
        let auth = RegistryAuth { username: "u?>".into(), password: "p~~".into(), ..RegistryAuth::default() };

        assert_eq!(RegistryAuth::from_header(&auth.to_header()), Ok(auth.clone()));
        assert!(!format!("{auth:?}").contains("p~~"));
        assert!(RegistryAuth::from_header("e30=").unwrap().is_anonymous());
        assert!(RegistryAuth::from_header("").unwrap().is_anonymous());
        assert!(RegistryAuth::from_header("!").is_err());
    }
}
