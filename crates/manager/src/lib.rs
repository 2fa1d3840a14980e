//! What the leader does: on each new view it runs the core's stages and proposes what they plan.
//!
//! * [`run`] is the loop; it works while this manager leads and waits while it does not.
//! * [`STAGES`] is the one list of the stages, in their order.
//! * [`plan`] runs them over one view, without side effects.
//!
//! It never decides anything itself, and never talks to nodes or users.

mod leader;
mod stages;

pub use leader::run;
pub use stages::{STAGES, Stage, plan};
