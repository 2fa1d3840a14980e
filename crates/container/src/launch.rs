//! Brings a shim to life and waits until its container is ready.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::keeper::{Link, watch_process};
use crate::{Error, Exit, Spec};
use shim::place::{self, Launch, Place};
use shim::talk::{Failure, Message};

/// Far above any start; a shim that takes longer hangs in the kernel.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// What a dead shim has said is read at once, or not at all.
const LAST_WORDS_DEADLINE: Duration = Duration::from_millis(100);

/// Makes the container's directories.
pub(crate) fn make_place(launch: &Launch) -> Result<(), Error> {
    let Place { dir, .. } = &launch.place;
    let make = |mode: u32, path: &std::path::Path| {
        DirBuilder::new().mode(mode).create(path).map_err(Error::io("make directory", path))
    };
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Error::Exists { id: launch.spec.id.clone() });
        }
        other => other.map_err(Error::io("make directory", dir))?,
    }
    let place = &launch.place;
    let filled = make(0o755, &place.upper())
        .and_then(|()| make(0o700, &place.work()))
        .and_then(|()| make(0o700, &place.scratch()))
        .and_then(|()| place::write(&place.launch(), launch).map_err(Error::io("write", place.launch())));
    if filled.is_err() {
        // The first error tells what is wrong; this one would say the same.
        let _ = fs::remove_dir_all(dir);
    }
    filled
}

/// Forgets a former run, so that the container can be made ready again over its writable layer.
///
/// If this process dies on the way, the container is still one that has ended, or one that was laid out.
pub(crate) fn clear_former_run(place: &Place) -> Result<(), Error> {
    mark_whole(place)?;
    for path in [place.started(), place.exit(), place.execs()] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Io { doing: "remove", path, source: error });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Says that a container has all it needs to be started one day.
pub(crate) fn mark_whole(place: &Place) -> Result<(), Error> {
    let path = place.created();
    fs::File::create(&path).map(drop).map_err(Error::io("make", path))
}

/// Says again how a container ended that could not be made ready for another run.
pub(crate) fn restore(place: &Place, former: Option<Exit>) {
    if let Some(exit) = former
        && let Err(error) = place::write(&place.exit(), &exit)
    {
        tracing::warn!(%error, "write {}", place.exit().display());
    }
}

/// A shim that was just executed.
pub(crate) struct Born {
    child: Child,
    control: UnixStream,
}

/// Executes the shim.
pub(crate) fn spawn(program: &[OsString], place: &Place) -> Result<Born, Error> {
    let [executable, args @ ..] = program else {
        return Err(Error::InvalidSpec { reason: "no shim program is configured".into() });
    };
    let failed = |doing| Error::io(doing, executable);
    let (control, end) = UnixStream::pair().map_err(failed("make a socket for"))?;
    control.set_nonblocking(true).map_err(failed("make a socket for"))?;
    let complaints = place.complaints();
    let complaints = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&complaints)
        .map_err(Error::io("open", &complaints))?;
    // What the environment holds is no business of the container, whose first process is a copy of the shim.
    let child = Command::new(executable)
        .args(args)
        .arg(&place.dir)
        .env_clear()
        .stdin(OwnedFd::from(end))
        .stdout(Stdio::null())
        .stderr(complaints)
        .spawn()
        .map_err(failed("execute"))?;
    Ok(Born { child, control })
}

/// Waits until the container is ready; if it cannot be, no process is left.
pub(crate) async fn ready(born: Born, spec: &Spec, place: &Place) -> Result<Link, Error> {
    let Born { mut child, control } = born;
    let failed = |doing| Error::io(doing, &place.dir);
    let control = tokio::net::UnixStream::from_std(control).map_err(failed("talk to the shim of"))?;
    let mut stream = BufReader::new(control);
    let process = watch_process(child.id() as i32).map_err(failed("watch the shim of"))?;
    let mut line = Vec::new();
    // A process that the shim had begun when it was killed would keep the connection open.
    let is_dead = tokio::select! {
        biased;
        _ = timeout(READY_DEADLINE, stream.read_until(b'\n', &mut line)) => false,
        _ = process.readable() => true,
    };
    if is_dead {
        // What it said before it ended is there.
        let _ = timeout(LAST_WORDS_DEADLINE, stream.read_until(b'\n', &mut line)).await;
    }
    drop(process);
    let answer = serde_json::from_slice::<Message>(&line).ok();
    if let Some(Message::Done) = answer {
        return Link::to_child(stream, child).map_err(failed("watch the shim of"));
    }
    // It ends by itself after a failure, and is of no use after silence.
    let _ = child.kill();
    tokio::task::spawn_blocking(move || child.wait())
        .await
        .expect("waiting does not panic")
        .map_err(failed("wait for the shim of"))?;
    Err(match answer {
        Some(Message::Failed(failure)) => refusal(&spec.id, failure),
        Some(_) | None => Error::Setup { id: spec.id.clone(), reason: last_words(place) },
    })
}

/// Turns what a shim refused into an error.
pub(crate) fn refusal(id: &str, failure: Failure) -> Error {
    let id = id.to_owned();
    match failure {
        Failure::Command { message, code } => Error::Command { message, code },
        Failure::User { message } => Error::User { message },
        Failure::Setup { reason } => Error::Setup { id, reason },
        Failure::NotRunning => Error::NotRunning { id },
        Failure::NoExec => Error::NoExec { id },
        Failure::ExecExists => Error::ExecExists { id },
    }
}

fn last_words(place: &Place) -> String {
    let words = fs::read_to_string(place.complaints()).unwrap_or_default();
    let words = words.trim();
    if words.is_empty() { "the shim ended without a word".into() } else { format!("the shim said: {words}") }
}
