//! An image as others see it.

use std::path::PathBuf;
use std::time::SystemTime;

use registry::configuration::{HistoryEntry, ImageConfig};
use registry::{Digest, Platform};

/// An image that is on this machine, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of the configuration document.
    pub id: Digest,
    /// Its tagged names, as users write them: `nginx:latest`.
    pub repo_tags: Vec<String>,
    /// Its names by manifest digest: `nginx@sha256:…`.
    pub repo_digests: Vec<String>,
    /// When it was built, as RFC 3339; empty where the image does not say.
    pub created: String,
    /// Who built it.
    pub author: String,
    /// What the builder noted about it.
    pub comment: String,
    /// The version of Docker it was built with, where it says so.
    pub docker_version: String,
    /// The version of the operating system it asks for; empty for Linux.
    pub os_version: String,
    /// What it runs on.
    pub platform: Platform,
    /// Bytes in the files of all its layers.
    pub size_bytes: u64,
    /// How its containers start.
    pub config: ImageConfig,
    /// Digests of its layers' tar streams, lowest first.
    pub diff_ids: Vec<Digest>,
    /// Bytes in the files of each layer, lowest first.
    pub layer_sizes_bytes: Vec<u64>,
    /// When it last got a name here.
    pub tagged_at: Option<SystemTime>,
    /// When a container last was made of it, or it came here.
    pub used_at: Option<SystemTime>,
    /// Its unpacked layers, topmost first, each once and never none: overlayfs's lower directories as they stand.
    pub layers: Vec<PathBuf>,
    /// How its layers came to be, lowest first.
    pub history: Vec<HistoryEntry>,
}
