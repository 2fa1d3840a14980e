//! Tries credentials out, and exchanges a password for a token that stands for the user.

use crate::auth::Auth;
use crate::challenge::Challenge;
use crate::config::Config;
use crate::connection::Connection;
use crate::error::{Error, Subject};
use crate::failure::Failure;
use crate::token::Request;

/// What came of a login.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// What users are told.
    pub status: String,
    /// The token to keep instead of the password, where the registry's authority gives one.
    pub identity_token: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Asks a registry (`host[:port]`, or an address as configuration files write it) whether it knows these credentials.
pub async fn login(server: &str, auth: &Auth, config: &Config) -> Result<Login, Error> {
    let registry = host_of(server);
    let subject = Subject::login(&registry, auth);
    let (connection, failure) = Connection::open(&registry, auth, config).await?;
    let subject = subject.over(&connection);
    if let Some(failure) = failure {
        return Err(subject.translate(failure));
    }
    let translate = |failure: Failure| subject.translate(failure);
    let mut identity_token = None;
    if let Some(Challenge::Bearer { realm, service }) = connection.challenge() {
        let request = Request { realm: &realm, service: service.as_deref(), scopes: &[], is_login: true };
        identity_token = connection.grant(&request).await.map_err(translate)?.identity();
    }
    let url = connection.url("/v2/");
    connection.send(&[], |http| http.get(&url)).await.map_err(translate)?;
    Ok(Login { status: "Login Succeeded".to_owned(), identity_token })
}

/// Docker's own registry is known to configuration files by an address of its first version.
fn host_of(server: &str) -> String {
    let bare = server.strip_prefix("https://").or(server.strip_prefix("http://")).unwrap_or(server);
    match bare.split('/').next().unwrap_or(bare) {
        "" | "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_configuration_files_are_hosts() {
        for (server, expected) in [
            ("", "docker.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("docker.io", "docker.io"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000"),
            ("https://registry.lan:5000/v2/", "registry.lan:5000"),
            ("registry.lan", "registry.lan"),
        ] {
            assert_eq!(host_of(server), expected, "{server}");
        }
    }
}
