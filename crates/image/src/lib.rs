//! Brings container images to this machine and keeps them there, unpacked.
//!
//! [`Images`] is the store of one root directory: it pulls from registries and pushes to them, loads and saves archives,
//! lists, names and removes.
//! An [`Image`] says how its containers start and which directories, mounted over each other by overlayfs, are their
//! root.
//!
//! Every layer is unpacked once, checked against its digests while it streams by, and shared by all images that have
//! it. It never mounts anything, never runs anything, and knows neither containers nor clusters.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod archive;
mod collect;
mod disk;
mod embedded;
mod error;
mod image;
mod import;
mod index;
mod layers;
mod load;
mod moment;
mod packed;
mod progress;
mod pull;
mod push;
mod remove;
mod save;
mod skeleton;
mod store;
mod unpack;
mod usage;

pub use collect::Watermark;
pub use error::{Error, ErrorKind};
pub use image::Image;
pub use import::Import;
pub use load::Loaded;
pub use progress::{Detail, Progress, Pushed, Reporter};
pub use pull::Distribution;
pub use registry::configuration::{Healthcheck, HistoryEntry, ImageConfig};
pub use registry::{Auth, Digest, Login, Platform, Reference};
pub use remove::{Force, InUse, LabelFilter, Prune, PruneScope, Pruned, Removed};
pub use store::{Config, Images};
pub use unpack::{Limits, decompress};
pub use usage::{ImageUsage, Usage};

/// The errors behind [`Error`], for those who decide by them.
pub mod errors {
    pub use crate::archive::Error as ArchiveError;
    pub use crate::disk::Error as DiskError;
    pub use crate::index::Error as IndexError;
    pub use crate::unpack::Error as UnpackError;
    pub use registry::Error as RegistryError;
    pub use registry::errors::*;
    pub use registry::manifest::Error as DocumentError;
}
