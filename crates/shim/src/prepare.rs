//! Makes a container ready: root, namespaces, cgroup, streams; its first process is parked before the program.

use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;

use cgroup::{Cgroups, Devices, Joinable, Pidfd, Visit};
use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::fcntl::OFlag;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pipe2};

use crate::console::Console;
use crate::devices;
use crate::ends::Ends;
use crate::hybrid::{self, Cover};
use crate::oci::{self, Rights};
use crate::payload::Payload;
use crate::place::{self, Launch};
use crate::talk::{Failure, setup};
use crate::user::User;
use crate::{CgroupNamespace, init, mounts, placing, root, user};

const OOM_SCORE_ADJ: &str = "/proc/self/oom_score_adj";

/// A parked container and the shim's ends of its streams.
pub(crate) struct Prepared {
    pub container: Container,
    pub cgroups: Cgroups,
    /// What libcontainer must not see; to be dropped before the cgroups are looked at.
    pub cover: Option<Cover>,
    pub pid: i32,
    pub process: Pidfd,
    pub listener: UnixListener,
    /// Tells how executing the program went.
    pub report: fs::File,
    pub ends: Ends,
    /// The version 1 cgroups, which further processes join.
    pub joinable: Joinable,
}

/// Does everything up to the execution of the program.
pub(crate) fn prepare(launch: &Launch) -> Result<Prepared, Failure> {
    let spec = &launch.spec;
    let mut placings = placing::of_mounts(&spec.mounts).map_err(setup)?;
    if spec.init {
        placings.push(init::placing().map_err(setup)?);
    }
    let shm = mounts::shared_memory(&spec.ipc).map_err(setup)?;
    let nodes = devices::nodes(spec).map_err(setup)?;
    let devices = devices::allowed(spec, &nodes).map_err(setup)?;
    root::leave_host_mounts().map_err(setup)?;
    root::mount_scratch(&launch.place, spec).map_err(setup)?;
    let rootfs = root::mount_root(&launch.place, &spec.layers).map_err(setup)?;
    let user =
        user::look_up(&rootfs, &spec.user, &spec.groups).map_err(|message| Failure::User { message })?;
    let files = root::write_files(&launch.place, spec).map_err(setup)?;
    placings.extend(placing::of_files(spec, &files).map_err(setup)?);
    placing::sort(&mut placings);
    let (late, early): (Vec<_>, Vec<_>) = placings.into_iter().partition(|p| mounts::is_late(&p.target));
    let rights = Rights::of(spec, &user).map_err(setup)?;
    let cgroups =
        Cgroups::find(&launch.cgroup).map_err(|error| setup(format!("find the cgroups: {error}")))?;
    mounts::place_defaults(&rootfs, spec, &cgroups, shm.as_ref()).map_err(setup)?;
    mounts::place(&rootfs, &early).map_err(setup)?;
    mounts::make_nodes(&rootfs, &nodes).map_err(setup)?;
    root::make_dir(&rootfs, spec.cwd.as_ref()).map_err(setup)?;
    let document = oci::document(launch, &cgroups, &user, rights, &nodes);
    drop((rootfs, early, shm));
    let config = launch.place.scratch().join("config.json");
    place::write(&config, &document)
        .map_err(|error| setup(format!("write {}: {error}", config.display())))?;
    let prepared = build(launch, &user, rights, cgroups, &devices)?;
    mounts::place_late(prepared.pid, &late).map_err(|reason| end(&prepared.process, prepared.pid, reason))?;
    Ok(prepared)
}

fn build(
    launch: &Launch,
    user: &User,
    rights: Rights,
    cgroups: Cgroups,
    devices: &Devices,
) -> Result<Prepared, Failure> {
    let spec = &launch.spec;
    let io = |doing: &'static str| move |error: std::io::Error| setup(format!("{doing}: {error}"));
    let nix = |doing: &'static str| move |errno: nix::errno::Errno| setup(format!("{doing}: {errno}"));

    let (report, report_end) = pipe2(OFlag::O_CLOEXEC).map_err(nix("make a pipe"))?;
    let payload = Payload {
        filter: spec.filtering().filter(rights.wanted).map_err(setup)?,
        bounding: rights.wanted,
        held: rights.held,
        init: spec.init,
        has_terminal: spec.tty,
        size: spec.console,
        report: report_end.as_raw_fd(),
    };
    let builder = ContainerBuilder::new(spec.id.clone(), SyscallType::default())
        .with_executor(payload)
        .with_root_path(launch.place.runtime())
        .map_err(|error| setup(chain(&error)))?;
    let console = match spec.tty {
        true => Some(Console::open(&launch.place.runtime()).map_err(io("make a terminal socket"))?),
        false => None,
    };
    let mut streams = None;
    let builder = match &console {
        Some(console) => builder.with_console_socket(Some(console.path())),
        None => {
            let (ends, inner) = Ends::make(spec.open_stdin, user).map_err(io("make a pipe"))?;
            streams = Some(ends);
            builder.with_stdin(inner.input).with_stdout(inner.output).with_stderr(inner.errors)
        }
    };
    let mut joinable = Joinable::make(&cgroups, &spec.resources, devices).map_err(setup)?;
    let visit = match spec.cgroup_namespace {
        CgroupNamespace::Private => Some(Visit::begin(&mut joinable, &cgroups).map_err(setup)?),
        CgroupNamespace::Usual | CgroupNamespace::Host => None,
    };
    let cover = hybrid::cover(&cgroups).map_err(setup)?;
    let own_score = fs::read_to_string(OOM_SCORE_ADJ).map_err(io("read the shim's own score"))?;
    let built = builder.as_init(launch.place.scratch()).with_systemd(false).with_detach(true).build();
    drop((report_end, visit));
    // libcontainer sets the score of whoever calls it, for the container to inherit.
    if let Err(error) = fs::write(OOM_SCORE_ADJ, own_score.trim()) {
        eprintln!("set the shim's own score back to {}: {error}", own_score.trim());
    }
    let mut report = fs::File::from(report);
    let container = built.map_err(|error| reported(&mut report).unwrap_or_else(|| setup(chain(&error))))?;

    let pid = container.pid().map(|pid| pid.as_raw()).ok_or_else(|| setup("the first process is gone"))?;
    let process = Pidfd::open(pid).map_err(io("watch the first process"))?;
    joinable.join(pid).map_err(|reason| end(&process, pid, reason))?;
    let ends = match (streams, console) {
        (Some(ends), _) => ends,
        (None, Some(console)) => {
            let output = console.take(user.uid).map_err(io("take the terminal"))?;
            Ends { input: None, output, errors: None }
        }
        (None, None) => return Err(setup("the container has no streams")),
    };
    let listener = listen(launch).map_err(io("listen on the shim's socket"))?;
    Ok(Prepared { container, cgroups, cover, pid, process, listener, report, ends, joinable })
}

/// Takes away a parked process that cannot be used, so that its cgroups can be removed.
fn end(process: &Pidfd, pid: i32, reason: String) -> Failure {
    // If it cannot be killed, it is gone, or dies with this process, its parent.
    if process.signal(libc::SIGKILL).is_ok() {
        let _ = waitpid(Pid::from_raw(pid), None);
    }
    setup(reason)
}

/// Reads what the container told about executing its program; none if all went well.
pub(crate) fn reported(report: &mut fs::File) -> Option<Failure> {
    let mut text = Vec::new();
    // What cannot be read cannot be told either.
    let _ = report.read_to_end(&mut text);
    // The refusal may be told twice; the first counts.
    let mut told = serde_json::Deserializer::from_slice(&text).into_iter::<Failure>();
    told.next().and_then(Result::ok)
}

fn listen(launch: &Launch) -> std::io::Result<UnixListener> {
    let path = &launch.place.socket;
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Writes an error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = inner.source();
    }
    text
}
