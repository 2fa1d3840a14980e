//! The entry of the shim: one small process per container, which outlives the process that asked for it.
//!
//! It has one thread and sleeps in `poll`. When its container has ended it writes down how, removes the cgroups and
//! ends itself; its mounts vanish with it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use cgroup::Cgroups;

use crate::place::{Launch, Place};
use crate::talk::Message;
use crate::{hold, kernel, prepare, serve};

/// How long killed processes may take to go away.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// Runs the shim process; its last argument is the container's directory and its standard input the connection to
/// whoever asked for it.
///
/// To be called before any thread is started.
pub fn shim_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: impl IntoIterator<Item = OsString>) -> io::Result<()> {
    let missing = || io::Error::new(io::ErrorKind::InvalidInput, "no container directory was given");
    let dir = args.into_iter().last().map(PathBuf::from).ok_or_else(missing)?;
    let mut control = detach()?;
    if !hold::take(io::stderr())? {
        return Err(io::Error::other("somebody else holds the container"));
    }
    let launch = Place { dir, socket: PathBuf::new() }.read_launch()?;

    let prepared = match prepare::prepare(&launch) {
        Ok(prepared) => prepared,
        Err(failure) => {
            match Cgroups::find(&launch.cgroup) {
                Ok(cgroups) => clean_up(&launch, &cgroups),
                Err(error) => eprintln!("find the cgroups of {}: {error}", launch.spec.id),
            }
            return say(&mut control, &Message::Failed(failure));
        }
    };
    let cgroup = launch.cgroup.clone();
    serve::serve(launch, prepared, control).inspect_err(|_| {
        // Nobody is left to end what it has prepared.
        let cleaned = Cgroups::find(&cgroup).and_then(|cgroups| {
            cgroups.kill(KILL_DEADLINE)?;
            cgroups.remove()
        });
        if let Err(error) = cleaned {
            eprintln!("clean up {}: {error}", cgroup.display());
        }
    })
}

/// Leaves the session of the parent and frees the standard streams.
fn detach() -> io::Result<UnixStream> {
    use std::os::fd::AsFd;

    let control: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    kernel::redirect(&null, 0)?;
    kernel::redirect(&null, 1)?;
    // Fails only if the process leads a session already.
    let _ = nix::unistd::setsid();
    Ok(UnixStream::from(control))
}

pub(crate) fn say(stream: &mut UnixStream, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Takes away what the kernel holds for the container beyond its processes.
pub(crate) fn clean_up(launch: &Launch, cgroups: &Cgroups) {
    if let Err(error) = cgroups.remove() {
        eprintln!("remove cgroups of {}: {error}", launch.spec.id);
    }
}
