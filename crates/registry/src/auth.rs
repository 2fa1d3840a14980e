//! Who asks a registry.

/// Credentials for one registry; everything may be empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// The user; empty if a token says it all.
    pub username: String,
    /// The user's password or access token.
    pub password: String,
    /// A token of the identity provider's, exchanged for access to one repository at a time.
    pub identity_token: String,
    /// A bearer token to be used as it is.
    pub registry_token: String,
}

impl Auth {
    /// Tells whether nothing is given, so that the registry is asked as anybody.
    pub fn is_anonymous(&self) -> bool {
        self.username.is_empty() && self.identity_token.is_empty() && self.registry_token.is_empty()
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("username", &self.username).finish_non_exhaustive()
    }
}
