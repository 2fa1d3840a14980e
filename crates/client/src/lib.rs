//! What every command works with: a client of the Engine API, and the terminal of whoever uses it.
//!
//! * [`Engine`]: asks one daemon; [`Host`] says where it listens, [`Route`] what is asked, [`Error`] why it failed.
//! * [`Console`]: where a command writes; [`Context`] is both.
//! * [`Hijacked`]: the streams of a process; [`terminal`]: the user's end of them.
//! * [`credentials`]: what `docker login` has left in the user's configuration.
//! * [`finish`]: how a command ends, with [`Exit`] where that is not with 0 or 1.
//!
//! It knows no command and no format of output.

pub mod credentials;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod inspect;
pub mod terminal;

mod console;
mod engine;
mod host;
mod outcome;
mod query;

pub use console::Console;
pub use engine::{Engine, Error, Hijacked, Input, Lines, Output, Route, escape, escape_path};
pub use host::{Host, InvalidHost};
pub use outcome::{Exit, conclude, each, finish};
pub use query::{filters, moment, or_missing};

/// What a command works with.
pub struct Context {
    /// The daemon.
    pub engine: Engine,
    /// Where the command writes.
    pub console: Console,
}
