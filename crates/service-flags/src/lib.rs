//! The flags that describe a service, and the spec they make, as the docker CLI makes it.
//!
//! * [`Creation`]: the flags of a new service, from which comes its whole spec.
//! * [`Change`]: the flags of an update, which touch only what they name.
//! * [`Invalid`]: why a value makes no sense; [`Environment`]: where variables named without a value get theirs.
//!
//! It never asks a daemon: networks stand in a spec as they were named, and images without their digest. It reads no
//! environment of its own; the one kind of file it opens is that of `--env-file`.

mod change;
mod creation;
mod edit;
mod health;
mod mount;
mod pairs;
mod port;
mod rollout;
mod scalars;
mod words;

pub use change::Change;
pub use creation::Creation;
pub use flags::Invalid;
pub use pairs::Environment;
