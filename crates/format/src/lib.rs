//! The forms in which commands write for people and scripts, and read from them, to the letter those of Docker's.
//!
//! * [`Listing`]: rows as a table, as JSON, or as a Go template says; [`object`] does the same for one object.
//! * [`duration`], [`size`], [`reference`] and [`json`]: texts that Docker's users write and expect to read.
//! * [`natural`]: the order in which people look for names.
//!
//! It turns values into text and text into values: it prints nothing, reads no clock, and knows neither commands nor
//! the daemon.

pub mod duration;
pub mod json;
pub mod natural;
pub mod reference;
pub mod size;

mod cut;
mod listing;
mod table;
mod template;

pub use cut::{capitalized, cut, cut_with_dots, short_id};
pub use listing::{Listing, object};
pub use table::columns;
pub use template::Error;
