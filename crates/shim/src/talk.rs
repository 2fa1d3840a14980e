//! What the handle and a shim say to each other: one JSON object per line over a unix socket.
//!
//! Each request gets exactly one answer, in order. Events may come between.

use serde::{Deserialize, Serialize};

use crate::{Exit, Signal, Started};

/// Asked of the shim.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Where is the container in its life?
    Hello,
    /// Execute the program.
    Start,
    /// Send a signal to the first process.
    Signal(Signal),
    /// Tell of each write to the log, or no longer.
    WatchLog(bool),
}

/// Said by the shim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Answer: the request was carried out.
    Done,
    /// Answer: the program was executed; also the answer to `Hello` while it runs.
    Started(Started),
    /// Answer: the request was not carried out.
    Failed(Failure),
    /// Event: the container has ended, and its log is complete.
    Exited(Exit),
    /// Event: the log has grown.
    LogGrew,
}

/// Why a shim could not do something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The program cannot be executed.
    Command {
        /// Docker's words.
        message: String,
        /// 126 if it is no program, 127 if it is not found.
        code: i32,
    },
    /// Anything else.
    Setup {
        /// What was tried, and the host's answer.
        reason: String,
    },
    /// The container has ended or has not been started.
    NotRunning,
}

pub(crate) fn setup(reason: impl Into<String>) -> Failure {
    Failure::Setup { reason: reason.into() }
}
