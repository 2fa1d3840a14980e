//! The user's configuration.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize as _;
use serde_json::{Map, Value, json};

use super::Error;

/// The user's configuration, `~/.docker/config.json`; what Drover does not know in it stays as it is.
#[derive(Debug, Clone)]
pub struct File {
    path: PathBuf,
    fields: Map<String, Value>,
}

impl File {
    /// Reads the file of the user, which may not be there; there is no place for one without a home.
    pub fn of_user() -> Option<Self> {
        let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")))?;
        Some(Self::at(folder.join("config.json")))
    }

    /// Reads a file; one that is not there or makes no sense says nothing.
    pub fn at(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        Self { path, ..Self::of_text(&text) }
    }

    pub(super) fn of_text(text: &str) -> Self {
        Self { path: PathBuf::new(), fields: serde_json::from_str(text).unwrap_or_default() }
    }

    /// Returns a setting that is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    /// Returns the helper that keeps a registry's credentials, if one does.
    pub(super) fn helper_of(&self, host: &str) -> Option<String> {
        let own =
            self.fields.get("credHelpers").and_then(|helpers| helpers.get(host)).and_then(Value::as_str);
        own.or_else(|| self.text("credsStore")).filter(|name| !name.is_empty()).map(str::to_owned)
    }

    /// Returns the pair and the token of a registry, as they stand there.
    pub(super) fn get(&self, key: &str) -> Option<(String, String)> {
        let entry = self.fields.get("auths")?.get(key)?;
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some((text("auth"), text("identitytoken")))
    }

    /// Sets or removes the pair and the token of a registry.
    pub(super) fn set(&mut self, key: &str, secrets: Option<(String, String)>) {
        let auths = self.fields.entry("auths").or_insert_with(|| json!({}));
        if !auths.is_object() {
            *auths = json!({});
        }
        let Some(auths) = auths.as_object_mut() else { return };
        let Some((auth, token)) = secrets else {
            auths.remove(key);
            return;
        };
        let mut entry = Map::new();
        for (name, value) in [("auth", auth), ("identitytoken", token)] {
            if !value.is_empty() {
                entry.insert(name.to_owned(), Value::from(value));
            }
        }
        auths.insert(key.to_owned(), Value::Object(entry));
    }

    /// Writes the file in one step, for its owner alone.
    pub(super) fn write(&self) -> Result<&Path, Error> {
        self.replace().map_err(|source| Error::File { path: self.path.clone(), source })?;
        Ok(&self.path)
    }

    fn replace(&self) -> std::io::Result<()> {
        // A link stays one: what it points to is replaced.
        let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut text = Vec::new();
        let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        self.fields.serialize(&mut serde_json::Serializer::with_formatter(&mut text, tabs))?;
        let draft = folder.join(format!("config.json.{}", std::process::id()));
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&draft, &path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_keeps_what_it_does_not_know_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/config.json");
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(&path, r#"{"psFormat":"x","auths":{"a":{"auth":"YQ=="}},"detachKeys":"ctrl-a"}"#)
            .unwrap();
        let mut file = File::at(path.clone());

        file.set("b", Some(("Yg==".into(), "token".into())));
        file.set("a", None);
        file.write().unwrap();

        let read = File::at(path.clone());
        assert_eq!(read.text("psFormat"), Some("x"));
        assert_eq!(read.text("detachKeys"), Some("ctrl-a"));
        assert_eq!(read.get("a"), None);
        assert_eq!(read.get("b"), Some(("Yg==".into(), "token".into())));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn helpers_are_of_one_registry_or_of_all() {
        let file = File::of_text(r#"{"credsStore":"all","credHelpers":{"a.example":"one"}}"#);

        assert_eq!(file.helper_of("a.example").as_deref(), Some("one"));
        assert_eq!(file.helper_of("b.example").as_deref(), Some("all"));
        assert_eq!(File::of_text("{}").helper_of("a"), None);
    }
}
