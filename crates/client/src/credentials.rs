//! Credentials for registries, where `docker login` keeps them: in the user's configuration, or with a helper that it
//! names.

mod file;
mod keeper;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine_json::RegistryAuth;
use format::reference::Reference;

pub use file::File;
pub use keeper::Failed;

/// Under which name Docker keeps the credentials of its own registry.
pub const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// The user of a helper's answer that holds a token in place of a password.
const TOKEN_USER: &str = "<token>";

/// Why credentials cannot be kept or forgotten.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no place for them.
    #[error("no home: set HOME or DOCKER_CONFIG to keep credentials")]
    Homeless,
    /// The file cannot be read or written.
    #[error("configuration {}", path.display())]
    File {
        /// Which one.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The helper does not do it.
    #[error(transparent)]
    Helper(#[from] Failed),
}

/// Where credentials have been put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Into the file, where whoever reads it reads them.
    File(std::path::PathBuf),
    /// With a helper.
    Helper(String),
}

/// Returns the header that carries the credentials for an image's registry; without any, that of nobody.
pub fn header(image: &str) -> String {
    of_image(image).to_header()
}

/// Returns the credentials for an image's registry.
pub fn of_image(image: &str) -> RegistryAuth {
    let name = Reference::of(image).canonical();
    of_registry(name.split('/').next().unwrap_or_default())
}

/// Returns the credentials for a registry; a file that cannot be read holds none.
pub fn of_registry(registry: &str) -> RegistryAuth {
    File::of_user().map(|file| find(&file, registry)).unwrap_or_default()
}

/// Returns the name under which a registry's credentials are kept.
pub fn key(registry: &str) -> String {
    match host_of(registry) {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
        host => host.to_owned(),
    }
}

/// Keeps credentials.
pub fn keep(auth: &RegistryAuth) -> Result<Place, Error> {
    let mut file = File::of_user().ok_or(Error::Homeless)?;
    let key = &auth.serveraddress;
    let Some(name) = file.helper_of(host_of(key)) else {
        let secret = STANDARD.encode(format!("{}:{}", auth.username, auth.password));
        file.set(key, Some((secret, auth.identitytoken.clone())));
        return file.write().map(|path| Place::File(path.to_owned()));
    };
    let (user, secret) = match auth.identitytoken.as_str() {
        "" => (auth.username.as_str(), auth.password.as_str()),
        token => (TOKEN_USER, token),
    };
    keeper::store(&name, key, user, secret)?;
    // The file tells which registries there are credentials for, but not what they are.
    file.set(key, Some(Default::default()));
    file.write()?;
    Ok(Place::Helper(name))
}

/// Forgets credentials, and claims that there were some.
pub fn forget(registry: &str) -> Result<bool, Error> {
    let mut file = File::of_user().ok_or(Error::Homeless)?;
    let key = key(registry);
    let known = !find(&file, registry).is_anonymous();
    if let Some(name) = file.helper_of(host_of(&key)).filter(|_| known) {
        keeper::erase(&name, &key)?;
    }
    for key in spellings(&key) {
        file.set(&key, None);
    }
    file.write()?;
    Ok(known)
}

fn find(file: &File, registry: &str) -> RegistryAuth {
    let key = key(registry);
    if let Some(name) = file.helper_of(host_of(&key)) {
        let found = keeper::get(&name, &key).ok().flatten();
        if let Some((username, secret)) = found {
            return match username.as_str() {
                TOKEN_USER => {
                    RegistryAuth { serveraddress: key, identitytoken: secret, ..RegistryAuth::default() }
                }
                _ => {
                    RegistryAuth { serveraddress: key, username, password: secret, ..RegistryAuth::default() }
                }
            };
        }
    }
    let entry = spellings(&key).into_iter().find_map(|key| Some((file.get(&key)?, key)));
    let Some(((auth, identitytoken), serveraddress)) = entry else { return RegistryAuth::default() };
    let pair = STANDARD.decode(auth).ok().and_then(|pair| String::from_utf8(pair).ok()).unwrap_or_default();
    let (username, password) = pair.trim_end_matches('\0').split_once(':').unwrap_or_default();
    if username.is_empty() && identitytoken.is_empty() {
        return RegistryAuth::default();
    }
    RegistryAuth {
        username: username.to_owned(),
        password: password.to_owned(),
        serveraddress,
        identitytoken,
        registrytoken: String::new(),
    }
}

/// Returns the ways in which a registry may stand in the file.
fn spellings(key: &str) -> Vec<String> {
    match key {
        DOCKER_HUB => vec![DOCKER_HUB.to_owned()],
        host => vec![host.to_owned(), format!("https://{host}"), format!("http://{host}")],
    }
}

/// Returns the host of a registry's address.
fn host_of(address: &str) -> &str {
    let bare =
        address.strip_prefix("https://").or_else(|| address.strip_prefix("http://")).unwrap_or(address);
    bare.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_the_images_registry() {
        let config = format!(
            r#"{{"auths":{{"{DOCKER_HUB}":{{"auth":"aHViOnNlY3JldA=="}},"registry.example:5000":{{"auth":"bWU6cGFzczp3b3Jk"}}}}}}"#
        );
        let file = File::of_text(&config);

        let auth = find(&file, "registry.example:5000");
        assert_eq!((auth.username.as_str(), auth.password.as_str()), ("me", "pass:word"));
        assert_eq!(find(&file, "docker.io").username, "hub");
        assert!(find(&file, "other.example").is_anonymous());
        assert!(find(&File::of_text("not json"), "docker.io").is_anonymous());
        assert_eq!(find(&File::of_text(""), "docker.io").to_header(), "e30=");
    }

    #[test]
    fn registries_have_one_name_each() {
        for (registry, expected) in [
            ("docker.io", DOCKER_HUB),
            ("https://index.docker.io/v1/", DOCKER_HUB),
            ("registry.example:5000", "registry.example:5000"),
            ("https://registry.example/v2/", "registry.example"),
        ] {
            assert_eq!(key(registry), expected);
        }
    }
}
