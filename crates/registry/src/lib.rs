//! Speaks with registries, and knows their documents: names of images, manifests, configurations, blobs, credentials.
//!
//! A [`Reference`] is a name as Docker reads it, a [`Digest`] names content, a [`Repository`] is one repository of one
//! registry: it gives and takes documents and blobs. What comes is checked against its digest while it streams by; what
//! breaks off is taken up again; a registry that says nothing is given up in bounded time.
//!
//! It keeps nothing on disk and unpacks nothing: what the content is for is not its business.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod attempts;
mod auth;
mod challenge;
mod changes;
mod config;
pub mod configuration;
mod connection;
mod digest;
mod download;
mod error;
mod failure;
mod login;
pub mod manifest;
mod pace;
mod platform;
mod reference;
mod repository;
mod token;
mod upload;

pub use auth::Auth;
pub use config::Config;
pub use digest::Digest;
pub use download::Download;
pub use error::{Access, Error};
pub use login::{Login, login};
pub use platform::Platform;
pub use reference::Reference;
pub use repository::Repository;
pub use upload::{Blob, Content};

/// The errors of reading names and instructions, for those who decide by them.
pub mod errors {
    pub use crate::changes::Error as ChangeError;
    pub use crate::digest::ParseError as DigestParseError;
    pub use crate::platform::ParseError as PlatformParseError;
    pub use crate::reference::Error as ReferenceError;
}
