//! A further process inside a container that runs, and the streams by which users watch processes.

use serde::{Deserialize, Serialize};

/// Describes one further process; it runs in the namespaces, the cgroups and under the filter of its container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The program and its arguments; the program is looked up in the process's `PATH`.
    pub args: Vec<String>,
    /// `NAME=value` pairs that win over those of the container; a name alone takes the container's away.
    pub env: Vec<String>,
    /// The working directory, which must exist; empty means the container's.
    pub cwd: String,
    /// `uid[:gid]` or `name[:group]`; empty means the container's.
    pub user: String,
    /// Supplementary groups by name or number, beside those `/etc/group` gives the user.
    pub groups: Vec<String>,
    /// Gives it a terminal; everything it writes is then standard output.
    pub tty: bool,
    /// The size of the terminal at first.
    pub size: Option<Size>,
    /// All capabilities.
    pub privileged: bool,
    /// Which of its streams the caller takes part in; without standard input it reads end of file.
    pub streams: Streams,
}

/// Which streams of a process someone takes part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    /// Writes its standard input.
    pub stdin: bool,
    /// Reads its standard output.
    pub stdout: bool,
    /// Reads its standard error.
    pub stderr: bool,
}

impl Streams {
    /// Every stream.
    pub const ALL: Streams = Streams { stdin: true, stdout: true, stderr: true };
}

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// How many lines it shows.
    pub rows: u16,
    /// How many characters a line holds.
    pub columns: u16,
}

/// Where a further process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecStatus {
    /// It runs.
    Running {
        /// Its number on the host.
        pid: i32,
    },
    /// It has ended, and its output is complete.
    Ended {
        /// The exit code; 128 + n after signal n, 126 and 127 if the program could not be executed.
        code: i32,
    },
}
