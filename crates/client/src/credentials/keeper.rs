//! Programs that keep credentials, `docker-credential-NAME`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

/// What a helper says of credentials that it does not have.
const MISSING: &str = "credentials not found in native keychain";

/// A helper that does not do what it is asked.
#[derive(Debug, thiserror::Error)]
#[error("credential helper docker-credential-{name}: {reason}")]
pub struct Failed {
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Returns the user and the secret for a registry, if the helper has them.
pub(super) fn get(name: &str, key: &str) -> Result<Option<(String, String)>, Failed> {
    let answer = match call(name, "get", key) {
        Err(Failed { reason, .. }) if reason == MISSING => return Ok(None),
        answer => answer?,
    };
    let Answer { username, secret } = serde_json::from_slice(&answer)
        .map_err(|error| Failed { name: name.to_owned(), reason: error.to_string() })?;
    Ok(Some((username, secret)))
}

/// Has the helper keep a user and a secret.
pub(super) fn store(name: &str, key: &str, user: &str, secret: &str) -> Result<(), Failed> {
    let entry = json!({"ServerURL": key, "Username": user, "Secret": secret}).to_string();
    call(name, "store", &entry).map(drop)
}

/// Has the helper forget a registry.
pub(super) fn erase(name: &str, key: &str) -> Result<(), Failed> {
    match call(name, "erase", key) {
        Err(Failed { reason, .. }) if reason == MISSING => Ok(()),
        answer => answer.map(drop),
    }
}

fn call(name: &str, verb: &str, input: &str) -> Result<Vec<u8>, Failed> {
    let failed = |reason: String| Failed { name: name.to_owned(), reason };
    let mut child = Command::new(format!("docker-credential-{name}"))
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that ends early says why below.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Err(failed(if said.is_empty() { output.status.to_string() } else { said }))
}
