//! Runs containers with a client, as a person would.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Arguments;
use crate::program;

/// A command line client and the daemon it speaks to.
pub struct Client {
    program: PathBuf,
    host: String,
}

/// How long one run takes, and how long many take that begin at once.
pub struct Times {
    pub one: Duration,
    pub all: Duration,
}

impl Client {
    /// Returns a client of a socket.
    pub fn new(program: &Path, socket: &Path) -> Self {
        Self { program: program.to_owned(), host: format!("unix://{}", socket.display()) }
    }

    /// Returns the docker command line on a socket.
    pub fn docker(socket: &Path) -> Self {
        Self::new(Path::new("docker"), socket)
    }

    /// Makes a command of the client.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env("DOCKER_HOST", &self.host).args(arguments);
        command
    }

    /// Loads an image from an archive.
    pub fn load(&self, archive: &Path) -> Result<()> {
        program::output(self.command(&["load", "-q", "-i"]).arg(archive)).map(drop)
    }

    fn begin(&self) -> Result<Child> {
        let mut run = self.command(&["run", "--rm", "busybox", "true"]);
        run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        run.spawn().with_context(|| format!("start {}", program::shown(&run)))
    }
}

/// Measures a client: medians over the rounds.
pub fn measure(client: &Client, arguments: &Arguments) -> Result<Times> {
    measure_runs(arguments, || client.begin())
}

/// Measures what `begin` starts, one after the other and all at once.
pub fn measure_runs(arguments: &Arguments, begin: impl Fn() -> Result<Child>) -> Result<Times> {
    // The first run of all pays for what later ones find warm.
    finish(begin()?)?;
    let (mut ones, mut alls) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds.max(1) {
        for _ in 0..arguments.containers {
            let began = Instant::now();
            finish(begin()?)?;
            ones.push(began.elapsed());
        }
        let began = Instant::now();
        let runs = (0..arguments.containers).map(|_| begin()).collect::<Result<Vec<_>>>()?;
        runs.into_iter().try_for_each(finish)?;
        alls.push(began.elapsed());
    }
    Ok(Times { one: median(ones)?, all: median(alls)? })
}

fn finish(mut run: Child) -> Result<()> {
    let status = run.wait().context("wait for a run")?;
    if status.success() { Ok(()) } else { bail!("a run failed: {status}") }
}

/// Returns the middle one.
pub fn median(mut times: Vec<Duration>) -> Result<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied().context("nothing was measured")
}
