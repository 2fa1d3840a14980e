//! Packs and unpacks trees of files as tar, inside a root that nothing leaves.
//!
//! [`Root`] is a directory: [`Root::stat`] tells about a path in it, [`Root::pack`] writes a tree as tar,
//! [`Root::unpack`] puts one there, [`Root::copy`] moves a tree between two roots without an archive between.
//! Trees and archives may be hostile and may change meanwhile. [`TarReader`] gives the entries of an archive to whoever
//! puts them elsewhere.
//!
//! Everything is done through descriptors: the kernel follows links as if the root were the whole filesystem, and
//! walks follow none. No `/proc` is needed, so that a thread inside a container's mount namespace can do it too.
//!
//! It never follows a magic link, never opens devices or named pipes, knows nothing of compression, and blocks.

mod attribute;
mod copy;
mod entry;
mod error;
mod make;
mod pack;
mod reader;
mod root;
mod stat;
mod unpack;
mod walk;
mod writer;

pub use entry::{Entry, Kind};
pub use error::Error;
pub use pack::{Mounts, Packing, Top};
pub use reader::{Observer, Tail, TarReader, Unobserved};
pub use root::Root;
pub use stat::Stat;
pub use unpack::{Owner, Replace, TopDirectory, Unpacking};
