//! The JSON documents that travel: manifests and indexes, as registries and archives hold them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::platform::Platform;

/// The media type of OCI's manifest of one image.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of OCI's index of manifests.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of OCI's image configuration.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of OCI's layer that is not compressed.
pub const OCI_LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// The media type of Docker's manifest of one image.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// The media type of Docker's list of manifests.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The largest manifest, index or configuration that is read; registries commonly refuse above 4 MiB.
pub const DOCUMENT_BYTES_MAX: u64 = 8 << 20;

/// Points at content: what it is, its digest and its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    #[serde(default)]
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its length in bytes.
    #[serde(default)]
    pub size: u64,
    /// What it runs on, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformJson>,
    /// What its writer notes about it.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Returns a descriptor without platform and annotations.
    pub fn of(media_type: &str, digest: Digest, size: u64) -> Self {
        Self { media_type: media_type.into(), digest, size, platform: None, annotations: BTreeMap::new() }
    }
}

/// A platform as indexes write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformJson {
    /// The processor.
    pub architecture: String,
    /// The operating system.
    pub os: String,
    /// The processor's generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl PlatformJson {
    /// Returns the platform in our own type.
    pub fn platform(&self) -> Platform {
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
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// Several images, for several platforms.
    Index(Vec<Descriptor>),
}

/// One image: its configuration and its layers, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The configuration document.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
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
    /// Tells manifests and indexes apart by their fields, which some writers label wrongly.
    pub fn parse(what: &str, bytes: &[u8]) -> Result<Self, Error> {
        let any: AnyDocument = parse_json(what, bytes)?;
        let AnyDocument { schema_version, media_type, config, layers, manifests } = any;
        match (schema_version, config, layers, manifests) {
            (2, Some(config), Some(layers), None) => Ok(Self::Manifest(Manifest { config, layers })),
            (2, None, None, Some(manifests)) => Ok(Self::Index(manifests)),
            (schema, _, _, _) => Err(Error::Form { what: what.to_owned(), media_type, schema }),
        }
    }
}

/// Returns the media type a document gives itself, or the one that its form implies.
pub fn media_type_of(bytes: &[u8]) -> String {
    let Ok(any) = serde_json::from_slice::<AnyDocument>(bytes) else { return String::new() };
    match (any.media_type.as_str(), any.manifests) {
        ("", Some(_)) => OCI_INDEX.to_owned(),
        ("", None) => OCI_MANIFEST.to_owned(),
        (written, _) => written.to_owned(),
    }
}

/// Reads a JSON document; an error says which.
pub fn parse_json<T: for<'de> Deserialize<'de>>(what: &str, bytes: &[u8]) -> Result<T, Error> {
    let syntax =
        |error: serde_json::Error| Error::Syntax { what: what.to_owned(), reason: error.to_string() };
    serde_json::from_slice(bytes).map_err(syntax)
}

/// Writers of images put `null` where a list or map is empty.
pub fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_other_forms_are_refused() {
        let first_schema = br#"{"schemaVersion":1,"name":"x","fsLayers":[]}"#;
        assert!(matches!(Document::parse("x", first_schema), Err(Error::Form { schema: 1, .. })));
        assert!(matches!(Document::parse("x", b"{"), Err(Error::Syntax { .. })));
        assert!(matches!(Document::parse("x", br#"{"schemaVersion":2}"#), Err(Error::Form { .. })));
    }
}
