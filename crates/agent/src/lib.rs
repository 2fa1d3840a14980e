//! The worker's side of the cluster: one session with any manager, one runner per task.
//!
//! * [`Agent`] keeps the session, hands tasks to runners and remembers in a journal what it was
//!   told, so that it goes on while no manager can be reached.
//! * [`Runtime`] is what it needs of the host; the binary implements it over real containers.
//! * [`next_step`] decides what a runner does next.
//!
//! It never decides where a task runs or whether it is replaced, and never talks to the kernel.

mod adopt;
mod agent;
mod backoff;
#[cfg(test)]
mod fake;
mod journal;
mod link;
mod logs;
mod network_state;
mod runner;
mod runtime;
mod session;
mod step;
mod volumes;

pub use agent::{Agent, Config, Connection, OpenError};
pub use journal::Error as JournalError;
pub use network_state::{Backend, Member, NamedService, NetworkState, Overlay, Peer, PublishedPort};
pub use runtime::{
    Archive, Error as RuntimeError, Exit, LogLine, LogStream, LogsWanted, Onto, Order, Phase, Refusal,
    RefusalKind, Runtime, Seen, Started,
};
pub use step::{Step, next_step};
