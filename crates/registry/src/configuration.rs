//! The configuration document of an image: what it runs on, how its containers start, how it came to be.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::manifest::null_is_default;
use crate::platform::Platform;

/// The configuration document of an image; its digest is the image's id.
#[derive(Debug, Clone, Deserialize)]
pub struct ConfigFile {
    /// What the builder noted about it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub comment: String,
    /// The version of Docker it was built with, where it says so.
    #[serde(default, deserialize_with = "null_is_default")]
    pub docker_version: String,
    /// The version of the operating system it asks for.
    #[serde(rename = "os.version", default, deserialize_with = "null_is_default")]
    pub os_version: String,
    /// When it was built, as RFC 3339.
    #[serde(default, deserialize_with = "null_is_default")]
    pub created: String,
    /// Who built it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub author: String,
    /// The processor.
    #[serde(default, deserialize_with = "null_is_default")]
    pub architecture: String,
    /// The operating system.
    #[serde(default, deserialize_with = "null_is_default")]
    pub os: String,
    /// The processor's generation.
    #[serde(default, deserialize_with = "null_is_default")]
    pub variant: String,
    /// How containers start.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: ImageConfig,
    /// The layers.
    pub rootfs: RootFs,
    /// How the layers came to be, lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub history: Vec<HistoryEntry>,
}

impl ConfigFile {
    /// Returns what the image runs on.
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: Some(self.variant.clone()).filter(|text| !text.is_empty()),
        }
    }
}

/// The layers of an image.
#[derive(Debug, Clone, Deserialize)]
pub struct RootFs {
    /// Digests of the layers' tar streams, lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

/// How containers of an image start unless told otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    /// User and group: `user[:group]`, names or numbers.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports the image listens on, as `8080/tcp`.
    #[serde(deserialize_with = "keys", serialize_with = "as_keys", skip_serializing_if = "Vec::is_empty")]
    pub exposed_ports: Vec<String>,
    /// Environment entries, `NAME=value`.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The command's fixed start.
    ///
    /// An empty list is one that the image gives; `None` is that it gives none.
    #[serde(deserialize_with = "words", skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The command's replaceable rest; empty and `None` as with the entrypoint.
    #[serde(deserialize_with = "words", skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Paths that want an anonymous volume.
    #[serde(deserialize_with = "keys", serialize_with = "as_keys", skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// The directory the command starts in.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// The image's labels.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that asks the command to stop.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// The shell of shell-form commands.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
    /// What images that are built on this one do first.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// How to tell whether a container is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
}

/// How to tell whether a container is well; times in nanoseconds, 0 meaning the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `NONE`, `CMD …` or `CMD-SHELL …`.
    #[serde(deserialize_with = "null_is_default")]
    pub test: Vec<String>,
    /// Time between probes.
    pub interval: i64,
    /// Time after which a probe has failed.
    pub timeout: i64,
    /// Time in which failures do not count yet.
    pub start_period: i64,
    /// Time between probes during the start period.
    pub start_interval: i64,
    /// Failures in a row that make the container unhealthy.
    pub retries: i64,
}

/// How one layer came to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct HistoryEntry {
    /// When, as RFC 3339.
    #[serde(deserialize_with = "null_is_default")]
    pub created: String,
    /// The command that made it.
    #[serde(deserialize_with = "null_is_default")]
    pub created_by: String,
    /// Who made it.
    #[serde(deserialize_with = "null_is_default")]
    pub author: String,
    /// What the maker wrote about it.
    #[serde(deserialize_with = "null_is_default")]
    pub comment: String,
    /// Whether it changed settings only and has no layer.
    pub empty_layer: bool,
}

/// Old builders wrote a command of one word as a text.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        Many(Vec<String>),
        One(String),
    }
    Ok(Option::<Words>::deserialize(deserializer)?.map(|words| match words {
        Words::Many(words) => words,
        Words::One(word) => vec![word],
    }))
}

fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let map: BTreeMap<String, serde::de::IgnoredAny> = null_is_default(deserializer)?;
    Ok(map.into_keys().collect())
}

fn as_keys<S: serde::Serializer>(keys: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    let empty: BTreeMap<String, String> = BTreeMap::new();
    serializer.collect_map(keys.iter().map(|key| (key, &empty)))
}

#[cfg(test)]
mod tests {
    use crate::manifest::parse_json;

    use super::*;

    #[test]
    fn nulls_of_real_configurations_are_empty() {
        let text = r#"{"architecture":"amd64","os":"linux","history":null,
            "config":{"User":null,"Env":null,"Cmd":["sh"],"OnBuild":null,"ExposedPorts":{"80/tcp":{}},"Volumes":null,"Labels":null,
            "Healthcheck":{"Test":["CMD","true"],"Interval":1000000000}},
            "rootfs":{"type":"layers","diff_ids":null}}"#;

        let config: ConfigFile = parse_json("config", text.as_bytes()).unwrap();

        assert_eq!(config.config.exposed_ports, ["80/tcp"]);
        assert_eq!(config.config.cmd.unwrap(), ["sh"]);
        assert_eq!(config.config.healthcheck.unwrap().interval, 1_000_000_000);
        assert!(config.rootfs.diff_ids.is_empty());
    }

    fn check_command(written: &str, expected: Option<&[&str]>) {
        let config: ImageConfig = serde_json::from_str(&format!(r#"{{"Cmd":{written}}}"#)).unwrap();

        assert_eq!(
            config.cmd.as_deref(),
            expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).as_deref(),
            "{written}"
        );
    }

    #[test]
    fn no_command_and_an_empty_one_differ() {
        check_command("null", None);
        check_command("[]", Some(&[]));
        check_command(r#"["sh","-c"]"#, Some(&["sh", "-c"]));
        check_command(r#""sh""#, Some(&["sh"]));
    }
}
