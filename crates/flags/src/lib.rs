//! What flags of containers and flags of services have in common, as the docker CLI reads them.
//!
//! * [`mount::parse`]: `--mount`, which is the same for both.
//! * [`text`]: the small texts that many flags are made of.
//! * [`Invalid`]: why a value makes no sense, for whoever wrote it.
//!
//! It knows no flag by itself and no command, and asks neither a daemon nor the environment.

mod invalid;
pub mod mount;
pub mod text;

pub use invalid::{Invalid, Result, refuse};
