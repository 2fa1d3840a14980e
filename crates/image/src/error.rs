//! What can go wrong with images, and how faces should answer it.

use std::path::PathBuf;

use registry::manifest;

use crate::{archive, disk, index, unpack};

/// Tells why an operation on images failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No image has this name or id.
    #[error("No such image: {0}")]
    NoSuchImage(String),
    /// Several images' ids begin so.
    #[error("image id {0} is ambiguous; give more of its digits")]
    AmbiguousId(String),
    /// An image cannot be removed; the text is Docker's.
    #[error("{0}")]
    Conflict(String),
    /// A name that is to be pushed names no image here; the text is Docker's.
    #[error("An image does not exist locally with the tag: {0}")]
    NothingToPush(String),
    /// A registry decides itself what has which digest.
    #[error("cannot push a digest reference")]
    PushDigest,
    /// A digest cannot be given by hand.
    #[error("refusing to create a tag with a digest reference")]
    TagWithDigest,
    /// Another process has the directory.
    #[error("the image directory {} is in use by another process; stop it, or choose another data root", .root.display())]
    RootInUse {
        /// The directory.
        root: PathBuf,
    },
    /// The image is for another machine.
    #[error("no matching manifest for {platform} in the manifest list entries")]
    NoMatchingPlatform {
        /// What was wanted.
        platform: String,
    },
    /// The single image of a name is for another machine than was asked for.
    #[error(
        "image with reference {name} was found but does not match the specified platform: wanted {wanted}, actual: {actual}"
    )]
    OtherPlatform {
        /// The image's name.
        name: String,
        /// What was asked for.
        wanted: String,
        /// What the image says.
        actual: String,
    },
    /// A layer's content is not what its image says.
    #[error("layer {expected} of {name} unpacks to {actual}: the image is damaged; build or push it again")]
    LayerDiffers {
        /// The image's name.
        name: String,
        /// What the configuration says.
        expected: String,
        /// What came out.
        actual: String,
    },
    /// An image's documents contradict each other or ask too much.
    #[error("image {name} is invalid: {reason}")]
    InvalidImage {
        /// The image's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An instruction that is to change an image is none.
    #[error(transparent)]
    Change(#[from] registry::errors::ChangeError),
    /// A name is malformed.
    #[error(transparent)]
    Reference(#[from] registry::errors::ReferenceError),
    /// A document is malformed.
    #[error(transparent)]
    Document(#[from] manifest::Error),
    /// The registry refused or failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A layer or archive could not be unpacked.
    #[error("unpack {what}")]
    Unpack {
        /// Which layer or archive.
        what: String,
        /// Why.
        source: unpack::Error,
    },
    /// An archive holds no images.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// The list of images is damaged.
    #[error(transparent)]
    Index(#[from] index::Error),
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The program is shutting down.
    #[error("stopped before it was done")]
    Stopped,
}

/// Sorts errors by who has to do something about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The image does not exist.
    NotFound,
    /// The image is in use.
    Conflict,
    /// The request or the image is malformed.
    Invalid,
    /// The registry wants other credentials.
    Unauthorized,
    /// The registry or the way to it fails.
    Unavailable,
    /// This machine fails.
    Internal,
}

impl Error {
    /// Returns what kind of error it is, for a status code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchImage(_)
            | Self::NothingToPush(_)
            | Self::NoMatchingPlatform { .. }
            | Self::OtherPlatform { .. } => ErrorKind::NotFound,
            Self::Conflict(_) => ErrorKind::Conflict,
            Self::AmbiguousId(_)
            | Self::TagWithDigest
            | Self::PushDigest
            | Self::LayerDiffers { .. }
            | Self::InvalidImage { .. }
            | Self::Change(_)
            | Self::Reference(_)
            | Self::Document(_) => ErrorKind::Invalid,
            Self::Registry(error) => kind_of(error),
            Self::Unpack { source, .. } | Self::Archive(archive::Error::Read(source)) => {
                kind_of_unpacking(source)
            }
            Self::Archive(_) => ErrorKind::Invalid,
            Self::RootInUse { .. } | Self::Index(_) | Self::Disk(_) | Self::Stopped => ErrorKind::Internal,
        }
    }

    /// Returns the whole chain of causes in one line, as users read it.
    pub fn explain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let next = error.to_string();
            if !text.ends_with(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = error.source();
        }
        text
    }
}

fn kind_of(error: &registry::Error) -> ErrorKind {
    use registry::Error as Refusal;
    match error {
        Refusal::AccessDenied { .. } | Refusal::ManifestUnknown { .. } | Refusal::NameUnknown { .. } => {
            ErrorKind::NotFound
        }
        Refusal::Unauthorized { .. } | Refusal::PushDenied { .. } => ErrorKind::Unauthorized,
        Refusal::TooManyRequests { .. }
        | Refusal::Unreachable { .. }
        | Refusal::Stalled { .. }
        | Refusal::Broken { .. }
        | Refusal::Failed { .. } => ErrorKind::Unavailable,
        Refusal::Certificate { .. } | Refusal::Damaged { .. } | Refusal::PlainRealm { .. } => {
            ErrorKind::Invalid
        }
        Refusal::Roots { .. } | Refusal::Client { .. } | Refusal::Content { .. } => ErrorKind::Internal,
    }
}

/// A disk that is full is no fault of the archive's.
fn kind_of_unpacking(error: &unpack::Error) -> ErrorKind {
    match error {
        unpack::Error::Write { .. } => ErrorKind::Internal,
        unpack::Error::Refused { .. }
        | unpack::Error::TooDeep { .. }
        | unpack::Error::TooManyBytes { .. }
        | unpack::Error::TooManyEntries { .. }
        | unpack::Error::Ratio { .. }
        | unpack::Error::Read(_) => ErrorKind::Invalid,
    }
}
