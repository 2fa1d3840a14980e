//! The JSON documents of images: manifests, indexes and configurations, as registries and archives hold them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::platform::Platform;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The largest manifest, index or configuration that is read; registries commonly refuse above 4 MiB.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 8 << 20;

/// Points at content: what it is, its digest and its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    #[serde(default)]
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<PlatformJson>,
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(crate) fn of(media_type: &str, digest: Digest, size: u64) -> Self {
        Self { media_type: media_type.into(), digest, size, platform: None, annotations: BTreeMap::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlatformJson {
    pub(crate) architecture: String,
    pub(crate) os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
}

impl PlatformJson {
    pub(crate) fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone().filter(|text| !text.is_empty()),
        }
    }
}

impl From<&Platform> for PlatformJson {
    fn from(platform: &Platform) -> Self {
        let Platform { os, architecture, variant } = platform.clone();
        Self { architecture, os, variant }
    }
}

/// A manifest of one image, or an index of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Document {
    Manifest(Manifest),
    Index(Vec<Descriptor>),
}

/// One image: its configuration and its layers, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// Tells why a document is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not the JSON that was expected.
    #[error("parse {what}: {reason}")]
    Syntax {
        /// Which document it is.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The document has a form that is not an image of today.
    #[error(
        "{what} is not an image manifest or index (media type {media_type:?}, schema {schema}); push the image again with a current tool"
    )]
    Form {
        /// Which document it is.
        what: String,
        /// Its media type as written.
        media_type: String,
        /// Its schema version as written.
        schema: u64,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyDocument {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    media_type: String,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

impl Document {
    pub(crate) fn parse(what: &str, bytes: &[u8]) -> Result<Self, Error> {
        let any: AnyDocument = parse_json(what, bytes)?;
        let AnyDocument { schema_version, media_type, config, layers, manifests } = any;
        match (schema_version, config, layers, manifests) {
            (2, Some(config), Some(layers), None) => Ok(Self::Manifest(Manifest { config, layers })),
            (2, None, None, Some(manifests)) => Ok(Self::Index(manifests)),
            (schema, _, _, _) => Err(Error::Form { what: what.to_owned(), media_type, schema }),
        }
    }
}

pub(crate) fn media_type_of(bytes: &[u8]) -> String {
    let Ok(any) = serde_json::from_slice::<AnyDocument>(bytes) else { return String::new() };
    match (any.media_type.as_str(), any.manifests) {
        ("", Some(_)) => OCI_INDEX.to_owned(),
        ("", None) => OCI_MANIFEST.to_owned(),
        (written, _) => written.to_owned(),
    }
}

pub(crate) fn parse_json<T: for<'de> Deserialize<'de>>(what: &str, bytes: &[u8]) -> Result<T, Error> {
    let syntax =
        |error: serde_json::Error| Error::Syntax { what: what.to_owned(), reason: error.to_string() };
    serde_json::from_slice(bytes).map_err(syntax)
}

/// Writers of images put `null` where a list or map is empty.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// The configuration document of an image; its digest is the image's id.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ConfigFile {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) created: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) author: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) architecture: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) os: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) variant: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) config: ImageConfig,
    pub(crate) rootfs: RootFs,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) history: Vec<HistoryEntry>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RootFs {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) diff_ids: Vec<Digest>,
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
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The command's replaceable rest.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
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
    use super::*;

    #[test]
    fn nulls_of_real_configurations_are_empty() {
        let text = r#"{"architecture":"amd64","os":"linux","history":null,
            "config":{"User":null,"Env":null,"Cmd":["sh"],"ExposedPorts":{"80/tcp":{}},"Volumes":null,"Labels":null,
            "Healthcheck":{"Test":["CMD","true"],"Interval":1000000000}},
            "rootfs":{"type":"layers","diff_ids":null}}"#;

        let config: ConfigFile = parse_json("config", text.as_bytes()).unwrap();

        assert_eq!(config.config.exposed_ports, ["80/tcp"]);
        assert_eq!(config.config.cmd, ["sh"]);
        assert_eq!(config.config.healthcheck.unwrap().interval, 1_000_000_000);
        assert!(config.rootfs.diff_ids.is_empty());
    }

    #[test]
    fn documents_of_other_forms_are_refused() {
        let first_schema = br#"{"schemaVersion":1,"name":"x","fsLayers":[]}"#;
        assert!(matches!(Document::parse("x", first_schema), Err(Error::Form { schema: 1, .. })));
        assert!(matches!(Document::parse("x", b"{"), Err(Error::Syntax { .. })));
        assert!(matches!(Document::parse("x", br#"{"schemaVersion":2}"#), Err(Error::Form { .. })));
    }
}
