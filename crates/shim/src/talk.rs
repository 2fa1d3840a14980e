//! What the handle and a shim say to each other: one JSON object per line over a unix socket.
//!
//! Each request gets exactly one answer, in order; events may come between. Only the answer to [`Request::Exec`] comes
//! when the program was executed, so that nothing else should be asked on its connection.
//!
//! Streams do not go over this socket: [`Request::Attach`] and [`Request::Exec`] bring along one end of a socket pair,
//! as a passed descriptor, and all bytes go over that.

use serde::{Deserialize, Serialize};

use crate::{ExecStatus, Exit, Process, Signal, Size, Started, Streams};

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
    /// Carry the streams of the first process over the passed descriptor.
    Attach(Streams),
    /// Set the size of the container's terminal.
    Resize(Size),
    /// Start a further process, whose streams go over the passed descriptor.
    Exec {
        /// Names it among the container's.
        id: String,
        /// What it is.
        process: Process,
    },
    /// Set the size of a further process's terminal.
    ExecResize {
        /// Names the process.
        id: String,
        /// The size from here on.
        size: Size,
    },
    /// Send a signal to a further process.
    ExecSignal {
        /// Names the process.
        id: String,
        /// What it is sent.
        signal: Signal,
    },
    /// List the further processes.
    Execs,
}

/// Said by the shim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Answer: the request was carried out.
    Done,
    /// Answer: the program was executed; also the answer to `Hello` while it runs.
    Started(Started),
    /// Answer: the further processes, oldest first.
    Execs(Vec<(String, ExecStatus)>),
    /// Answer: the request was not carried out.
    Failed(Failure),
    /// Event: the container has ended, and its log is complete.
    Exited(Exit),
    /// Event: the log has grown.
    LogGrew,
    /// Event: a further process was started, or has ended and its output is complete.
    ExecsChanged,
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
    /// The root knows no such user or group.
    User {
        /// Docker's words.
        message: String,
    },
    /// Anything else.
    Setup {
        /// What was tried, and the host's answer.
        reason: String,
    },
    /// The container has ended or has not been started.
    NotRunning,
    /// There is no such further process, or it has ended.
    NoExec,
    /// A further process of this id is there already.
    ExecExists,
}

pub(crate) fn setup(reason: impl Into<String>) -> Failure {
    Failure::Setup { reason: reason.into() }
}
