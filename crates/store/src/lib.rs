//! The cluster's state: versioned tables with indexes, and what the deciders read and write.
//!
//! * [`View`]: an immutable snapshot of every object; cloning it is cheap at any size.
//! * [`Change`]: a put or a delete that names the version it was based on; [`View::apply`] takes
//!   a batch of them wholly or not at all.
//! * [`Draft`] and [`Plan`]: what a stage writes through, and what it hands back.
//! * [`differences`] and [`Touched`]: what lies between two views, at the cost of what changed.
//!
//! It never does IO, never reads a clock and never decides what should run.

mod apply;
mod change;
mod diff;
mod draft;
mod env;
mod index;
mod load;
mod object;
mod plan;
mod reference;
mod table;
mod touched;
mod view;

#[cfg(test)]
mod samples;

pub use change::{Change, Conflict};
pub use diff::{Difference, differences};
pub use draft::Draft;
pub use env::Env;
pub use object::{Key, Object};
pub use plan::Plan;
pub use touched::Touched;
pub use view::View;
