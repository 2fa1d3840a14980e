//! Brings a further process into the container.
//!
//! A copy of the shim does it, since it takes a few milliseconds and much memory: it joins the cgroups, lets libcontainer
//! join the namespaces, and tells the shim through a pipe how that went. The pipe closes by itself when the program is
//! executed. The process is a child of the shim all the same.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cgroup::Joinable;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use privilege::capability::Set;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::console::Console;
use crate::ends::{Ends, Inner};
use crate::oci::{self, Rights};
use crate::payload::Payload;
use crate::place::{self, Launch};
use crate::prepare::chain;
use crate::talk::{Failure, setup};
use crate::user::User;
use crate::viewer::is_momentary;
use crate::{Process, Spec, kernel, user};

/// What Docker says when no more is known than that a process could not be started.
const CODE_NOT_STARTED: i32 = 126;
const CODE_NOT_FOUND: i32 = 127;

/// What the new process joins.
pub(crate) struct Home<'a> {
    pub launch: &'a Launch,
    /// The container's first process.
    pub pid: i32,
    /// The version 1 cgroups.
    pub joinable: &'a mut Joinable,
}

/// A process that is being made.
pub(crate) struct Birth {
    report: File,
    told: Vec<u8>,
    dir: PathBuf,
    source: Source,
}

/// Where the shim's ends of the streams come from.
enum Source {
    Pipes(Ends),
    /// A terminal, and whose it shall be.
    Terminal(Console, u32),
}

/// What is said through the pipe.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Told {
    Born { pid: i32 },
    Failed(Failure),
}

impl Birth {
    /// Begins to make a process; `number` is used once per container.
    pub(crate) fn begin(home: Home<'_>, process: &Process, number: u64) -> Result<Birth, Failure> {
        let spec = &home.launch.spec;
        let root =
            open_root(home.pid).map_err(|error| setup(format!("open the container's root: {error}")))?;
        let name = if process.user.is_empty() { &spec.user } else { &process.user };
        let user = user::look_up(&root, name, &process.groups)
            .map_err(|message| Failure::Command { message, code: CODE_NOT_STARTED })?;
        let rights = rights(spec, &user, process).map_err(setup)?;
        let likened = liken(spec, process);
        check_cwd(&root, &likened.cwd)?;
        let document = oci::process(&likened, &user, rights);

        let dir = home.launch.place.scratch().join(format!("exec-{number}"));
        let begun = begin(home, process, &user, rights, &document, &dir);
        if begun.is_err() {
            let _ = fs::remove_dir_all(&dir);
        }
        begun
    }

    /// Reads what was told; returns the outcome once nothing more will be.
    pub(crate) fn listen(&mut self) -> Option<Result<i32, Failure>> {
        let mut bytes = [0u8; 4096];
        loop {
            match self.report.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => self.told.extend_from_slice(&bytes[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_momentary(&error) => return None,
                Err(_) => break,
            }
        }
        // The program's refusal is told first, and then libcontainer's that follows from it.
        let told = serde_json::Deserializer::from_slice(&self.told).into_iter::<Told>().next();
        Some(match told {
            Some(Ok(Told::Born { pid })) => Ok(pid),
            Some(Ok(Told::Failed(failure))) => Err(worded(failure)),
            Some(Err(_)) | None => Err(worded(setup("whoever was to start it has ended without a word"))),
        })
    }

    /// Returns the shim's ends of the streams of a process that was made.
    pub(crate) fn ends(self) -> io::Result<Ends> {
        let ends = match self.source {
            Source::Pipes(ends) => ends,
            Source::Terminal(console, uid) => Ends { input: None, output: console.take(uid)?, errors: None },
        };
        fs::remove_dir_all(&self.dir)?;
        Ok(ends)
    }

    /// Takes away what was prepared for a process that could not be made.
    pub(crate) fn give_up(self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("remove {}: {error}", self.dir.display());
        }
    }
}

impl AsFd for Birth {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }
}

fn begin(
    home: Home<'_>,
    process: &Process,
    user: &User,
    rights: Rights,
    document: &Value,
    dir: &Path,
) -> Result<Birth, Failure> {
    let io = |doing: &'static str| move |error: io::Error| setup(format!("{doing}: {error}"));
    let spec = &home.launch.spec;
    let state = lay_out(home.launch, document, dir).map_err(io("make ready for a process"))?;
    let (report, report_end) =
        pipe2(OFlag::O_CLOEXEC).map_err(|errno| setup(format!("make a pipe: {errno}")))?;
    let report = kernel::unblocked(report).map_err(io("listen to a pipe"))?;
    // As in Docker, the filter is the container's even for a process with all rights.
    let own = Rights::of(spec, user).map_err(setup)?;
    let filter = spec.filtering().filter(own.wanted).map_err(setup)?;
    let payload = Payload {
        filter,
        bounding: rights.wanted,
        held: rights.held,
        init: false,
        has_terminal: process.tty,
        size: process.size,
        report: report_end.as_raw_fd(),
    };
    let mut builder = ContainerBuilder::new(spec.id.clone(), SyscallType::default())
        .with_executor(payload)
        .with_root_path(dir)
        .map_err(|error| setup(chain(&error)))?;
    let source = if process.tty {
        let console = Console::open(dir).map_err(io("make a terminal socket"))?;
        builder = builder.with_console_socket(Some(console.path()));
        Source::Terminal(console, user.uid)
    } else {
        let (ends, inner) = Ends::make(process.streams.stdin, user).map_err(io("make a pipe"))?;
        let Inner { input, output, errors } = inner;
        builder = builder.with_stdin(input).with_stdout(output).with_stderr(errors);
        Source::Pipes(ends)
    };
    // SAFETY: the shim has one thread.
    if unsafe { kernel::fork() }.map_err(io("copy the shim"))? == 0 {
        become_maker(home.joinable, builder, &state, report_end);
    }
    Ok(Birth { report, told: Vec::new(), dir: dir.to_owned(), source })
}

/// Ends this process when dropped, so that the copy never goes on as a second shim, whatever happens in it.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        std::process::exit(1);
    }
}

/// What the copy of the shim does.
fn become_maker(joinable: &mut Joinable, builder: ContainerBuilder, process: &Path, report: OwnedFd) -> ! {
    let leave = Leave;
    let told = match make(joinable, builder, process) {
        Ok(pid) => Told::Born { pid },
        Err(failure) => Told::Failed(failure),
    };
    let text = serde_json::to_vec(&told).expect("strings and numbers always have a JSON form");
    // If the shim is gone, nobody is left to be told.
    let _ = File::from(report).write_all(&text);
    drop(leave);
    unreachable!("the process ends when its guard is dropped")
}

fn make(joinable: &mut Joinable, builder: ContainerBuilder, process: &Path) -> Result<i32, Failure> {
    kernel::die_with_parent().map_err(|error| setup(format!("bind a process to its shim: {error}")))?;
    // The new process is born where this one is.
    joinable.join(std::process::id() as i32).map_err(setup)?;
    let builder = builder.as_tenant().with_detach(true).as_sibling(true).with_process(Some(process));
    builder.build().map(|pid| pid.as_raw()).map_err(|error| setup(chain(&error)))
}

/// Makes the directory in which libcontainer finds the container and the new process.
fn lay_out(launch: &Launch, document: &Value, dir: &Path) -> io::Result<PathBuf> {
    const STATE: &str = "state.json";
    let id = &launch.spec.id;
    let own = dir.join(id);
    DirBuilder::new().mode(0o700).create(dir)?;
    DirBuilder::new().mode(0o700).create(&own)?;
    fs::copy(launch.place.runtime().join(id).join(STATE), own.join(STATE))?;
    let process = dir.join("process.json");
    place::write(&process, document)?;
    Ok(process)
}

/// Describes the process as if it were the first of a container.
fn liken(spec: &Spec, process: &Process) -> Spec {
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    let own: Vec<String> = process.env.iter().map(|pair| name(pair)).collect();
    let kept = spec.env.iter().filter(|pair| !own.contains(&name(pair)));
    Spec {
        args: process.args.clone(),
        env: kept.chain(&process.env).cloned().collect(),
        cwd: if process.cwd.is_empty() { spec.cwd.clone() } else { process.cwd.clone() },
        tty: process.tty,
        ..spec.clone()
    }
}

fn rights(spec: &Spec, user: &User, process: &Process) -> Result<Rights, String> {
    if !process.privileged {
        return Rights::of(spec, user);
    }
    let all = Set::chosen(&[], &[], true)?;
    Ok(Rights { wanted: all, held: all })
}

fn open_root(pid: i32) -> io::Result<File> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    OpenOptions::new().read(true).custom_flags(flags).open(format!("/proc/{pid}/root"))
}

fn check_cwd(root: &File, cwd: &str) -> Result<(), Failure> {
    let path = Path::new(if cwd.is_empty() { "/" } else { cwd });
    if !path.is_absolute() {
        return Err(refusal("Cwd must be an absolute path", CODE_NOT_STARTED));
    }
    match kernel::open_in_root(root, path, libc::O_PATH | libc::O_DIRECTORY) {
        Ok(_) => Ok(()),
        Err(error) => {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            let cause = if is_missing { "no such file or directory" } else { "not a directory" };
            let code = if is_missing { CODE_NOT_FOUND } else { CODE_NOT_STARTED };
            let chdir = format!("chdir to cwd ({cwd:?}) set in config.json failed: {cause}");
            Err(worded(Failure::Command { message: chdir, code }))
        }
    }
}

/// Says why a process was not started as Docker says it.
fn worded(failure: Failure) -> Failure {
    let start = |cause: String| format!("unable to start container process: {cause}");
    match failure {
        Failure::Command { message, code } => refusal(&start(message), code),
        Failure::Setup { reason } => refusal(&start(reason), CODE_NOT_STARTED),
        Failure::User { .. } | Failure::NotRunning | Failure::NoExec | Failure::ExecExists => failure,
    }
}

fn refusal(cause: &str, code: i32) -> Failure {
    Failure::Command { message: format!("OCI runtime exec failed: exec failed: {cause}: unknown"), code }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: &[&str], given: &[&str], expected: &[&str]) {
        let texts = |list: &[&str]| list.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        let spec = Spec { env: texts(own), ..Spec::default() };
        let process = Process { env: texts(given), ..Process::default() };
        assert_eq!(liken(&spec, &process).env, texts(expected));
    }

    #[test]
    fn own_environment_wins_over_the_containers() {
        check(&["A=1", "B=2"], &[], &["A=1", "B=2"]);
        check(&["A=1", "B=2"], &["A=3", "C=4"], &["B=2", "A=3", "C=4"]);
        check(&["A=1"], &["A"], &["A"]);
    }
}
