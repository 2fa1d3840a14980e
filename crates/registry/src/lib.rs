//! Speaks with registries: names of images, manifests, blobs, credentials.
//!
//! A [`Reference`] is a name as Docker reads it, a [`Digest`] names content, a [`Repository`] is one repository of one
//! registry: it gives documents and blobs whose digests are checked while they stream by.
//!
//! It keeps nothing on disk and unpacks nothing: what the content is for is not its business.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod digest;
mod error;
pub mod manifest;
mod platform;
mod reference;
mod repository;

pub use digest::Digest;
pub use error::Error;
pub use platform::Platform;
pub use reference::Reference;
pub use repository::{Attempts, Auth, Repository, Trust};

/// The errors of reading names, for those who decide by them.
pub mod errors {
    pub use crate::digest::ParseError as DigestParseError;
    pub use crate::platform::ParseError as PlatformParseError;
    pub use crate::reference::Error as ReferenceError;
}
