//! Putting processes into a host, and telling whether they live.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, setsid};
use serde::{Deserialize, Serialize};

use crate::cgroup::Hierarchies;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::namespace::{Kind, Pins};

const PAUSE: Duration = Duration::from_millis(2);

/// What a host's daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaemonCommand {
    /// The program: a path, or a name to look up in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// What is added to its environment.
    pub env: Vec<(String, String)>,
}

/// A process, told from a later one with the same id by when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pid: i32,
    began: u64,
}

impl Process {
    /// Looks at a living process.
    fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before the last bracket may hold blanks and brackets itself.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let (state, began) = (*fields.first()?, fields.get(19)?.parse().ok()?);
        (!matches!(state, "Z" | "X")).then_some(Self { pid, began })
    }

    /// Reads a host's pid file; nothing if the process it names has ended.
    pub(crate) fn of_daemon(host: &Host) -> Option<Self> {
        let text = fs::read_to_string(host.pid_file()).ok()?;
        let (pid, began) = text.trim().split_once(' ')?;
        let noted = Self { pid: pid.parse().ok()?, began: began.parse().ok()? };
        (Self::of(noted.pid)? == noted).then_some(noted)
    }

    fn note(self, host: &Host) -> Result<()> {
        let path = host.pid_file();
        fs::write(&path, format!("{} {}\n", self.pid, self.began)).map_err(Error::file("write", &path))
    }

    pub(crate) fn pid(self) -> i32 {
        self.pid
    }

    /// Kills the process and waits until it is gone.
    pub(crate) fn kill(self) -> Result<()> {
        match kill(Pid::from_raw(self.pid), Signal::SIGKILL) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
            Err(error) => return Err(Error::system(format!("kill process {}", self.pid))(error)),
        }
        until(Duration::from_secs(10), &format!("process {} to end", self.pid), || {
            (Self::of(self.pid) != Some(self)).then_some(())
        })
    }
}

/// Places processes into the hosts of a lab.
#[derive(Debug, Clone)]
pub(crate) struct Placer {
    pub(crate) pins: Pins,
    pub(crate) hierarchies: Hierarchies,
}

impl Placer {
    /// Starts a host's daemon in a session of its own, its output appended to the host's log.
    pub(crate) fn daemon(&self, host: &Host, daemon: &DaemonCommand) -> Result<i32> {
        let path = host.log();
        let log =
            OpenOptions::new().create(true).append(true).open(&path).map_err(Error::file("open", &path))?;
        let errors = log.try_clone().map_err(Error::file("open", &path))?;
        let mut command = Command::new(&daemon.program);
        command.args(&daemon.args).envs(daemon.env.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::null()).stdout(log).stderr(errors).current_dir("/");
        let mut child = self.start(host, command, Session::Own)?;
        let pid = i32::try_from(child.id()).expect("process ids fit");
        let process = Process::of(pid);
        // The daemon usually outlives this process; while it does not, somebody has to reap it.
        thread::spawn(move || child.wait());
        if let Some(process) = process {
            process.note(host)?;
        }
        Ok(pid)
    }

    /// Starts a command in a host, as a client of its daemon.
    pub(crate) fn client(
        &self,
        host: &Host,
        mut command: Command,
        env: &[(OsString, OsString)],
    ) -> Result<Child> {
        command.env("DROVER_HOST", host.endpoint()).env("DOCKER_HOST", host.endpoint());
        command.envs(env.iter().map(|(key, value)| (key, value)));
        self.start(host, command, Session::Callers)
    }

    fn start(&self, host: &Host, mut command: Command, session: Session) -> Result<Child> {
        let entrance = self.hierarchies.entrance(&host.cgroup)?;
        // SAFETY: between fork and exec only setsid(2) and write(2) are called, both async-signal-safe;
        // the closure owns the open file and allocates nothing.
        unsafe {
            command.pre_exec(move || {
                match session {
                    Session::Own => drop(setsid()?),
                    Session::Callers => {}
                }
                (&entrance).write_all(b"0")
            });
        }
        self.pins.within_host(&host.name, || {
            command.spawn().map_err(|source| Error::Start {
                program: command.get_program().to_string_lossy().into_owned(),
                host: host.name.clone(),
                source,
            })
        })
    }
}

/// Which session a process belongs to.
#[derive(Debug, Clone, Copy)]
enum Session {
    Own,
    Callers,
}

/// Kills the processes that are in a host's network or mount namespace, wherever their cgroup is.
pub(crate) fn sweep(pins: &Pins, host: &str) {
    let homes: Vec<(&str, u64)> = [("net", Kind::Net), ("mnt", Kind::Mount)]
        .into_iter()
        .filter_map(|(name, kind)| Some((name, pins.inode(host, kind)?)))
        .collect();
    let Ok(entries) = fs::read_dir("/proc") else { return };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for pid in pids {
        if homes.iter().any(|(name, inode)| lives_in(pid, name, *inode)) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

fn lives_in(pid: i32, name: &str, inode: u64) -> bool {
    let link = fs::read_link(Path::new("/proc").join(pid.to_string()).join("ns").join(name));
    link.is_ok_and(|link| link.to_str() == Some(&format!("{name}:[{inode}]")))
}

/// Looks until there is something to see.
pub(crate) fn until<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(seen) = look() {
            return Ok(seen);
        }
        if Instant::now() >= deadline {
            return Err(Error::Deadline { what: what.to_owned(), seconds: patience.as_secs() });
        }
        thread::sleep(PAUSE);
    }
}
