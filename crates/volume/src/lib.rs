//! Volumes of this host: directories that outlive the containers which mount them.
//!
//! [`Volumes`] makes, lists and removes them, each a [`Volume`]: `NAME/_data` with what is in it, and `NAME/volume.json`
//! with what is known of it. Volumes with mount options are mounted from the first [`Volumes::acquire`] to the last
//! [`Volumes::release`]. What a volume holds is filled, exported and imported through `archive`.
//!
//! A volume is there as a whole or not at all, whenever the daemon ends. All methods block.
//!
//! It never knows containers: whoever acquires is a string, and that a stopped container still needs a volume is for
//! others to know.

mod content;
mod disk;
mod error;
mod name;
mod options;
mod volume;
mod volumes;

pub use content::Onto;
pub use error::Error;
pub use volume::{ANONYMOUS_LABEL, Creation, DRIVER, Volume};
pub use volumes::Volumes;
