//! Credentials for registries, as `docker login` leaves them in `~/.docker/config.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine_json::RegistryAuth;
use format::reference::Reference;
use serde::Deserialize;

/// Under which name Docker keeps the credentials of its own registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    auths: BTreeMap<String, Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    identitytoken: String,
}

/// Returns the header that carries the credentials for an image's registry; without any, that of nobody.
pub fn header(image: &str) -> String {
    let text = path().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    find(&text, image).to_header()
}

fn path() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")))?;
    Some(folder.join("config.json"))
}

/// Finds the credentials for an image's registry; a file that cannot be read holds none.
fn find(config: &str, image: &str) -> RegistryAuth {
    let config: Config = serde_json::from_str(config).unwrap_or_default();
    let name = Reference::of(image).canonical();
    let registry = name.split('/').next().unwrap_or_default();
    let keys = match registry {
        "docker.io" => vec![DOCKER_HUB.to_owned()],
        registry => vec![registry.to_owned(), format!("https://{registry}"), format!("http://{registry}")],
    };
    let found = keys.iter().find_map(|key| config.auths.get(key).map(|entry| (key, entry)));
    let Some((key, Entry { auth, identitytoken })) = found else { return RegistryAuth::default() };
    let pair = STANDARD.decode(auth).ok().and_then(|pair| String::from_utf8(pair).ok()).unwrap_or_default();
    let (username, password) = pair.split_once(':').unwrap_or_default();
    RegistryAuth {
        username: username.to_owned(),
        password: password.to_owned(),
        serveraddress: key.clone(),
        identitytoken: identitytoken.clone(),
        registrytoken: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_the_images_registry() {
        let config = format!(
            r#"{{"auths":{{"{DOCKER_HUB}":{{"auth":"aHViOnNlY3JldA=="}},"registry.example:5000":{{"auth":"bWU6cGFzczp3b3Jk"}}}},
                "credsStore":"x"}}"#
        );

        let auth = find(&config, "registry.example:5000/a/b:1");
        assert_eq!((auth.username.as_str(), auth.password.as_str()), ("me", "pass:word"));
        assert_eq!(find(&config, "nginx").username, "hub");
        assert!(find(&config, "other.example/x").is_anonymous());
        assert!(find("not json", "nginx").is_anonymous());
        assert_eq!(find("", "nginx").to_header(), "e30=");
    }
}
