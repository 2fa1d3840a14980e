//! The flags that describe a container, and the JSON they make, as the docker CLI makes it.
//!
//! * [`Creation`]: the flags of a new container, from which comes the whole body of its creation.
//! * [`Change`]: the flags of an update, which touch only what they name.
//! * [`Invalid`]: why a value makes no sense; [`Surroundings`]: what flags refer to on the client's side.
//! * [`Variables`] and [`switch`]: flags that other commands have too.
//!
//! It never asks a daemon, and reads no environment of its own; the files it opens are those that flags name.

mod bind;
mod change;
mod creation;
mod device;
mod health;
mod isolation;
mod limits;
mod lines;
mod network;
mod port;
mod process;
mod storage;
mod surroundings;
mod text;

pub use change::Change;
pub use creation::Creation;
pub use flags::Invalid;
pub use flags::text::switch;
pub use process::Variables;
pub use surroundings::Surroundings;
