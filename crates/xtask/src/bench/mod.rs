//! Drover beside Docker on this machine: how fast containers and replicas start, and what they weigh.
//!
//! Run by hand, and printed as ratios: a time on a shared machine says little alone. Each side gets network and mount
//! namespaces, a data folder and a cgroup of its own, the same image and the same requests over its socket.

mod api;
mod cgroup;
mod container;
mod drover;
mod ground;
mod memory;
mod report;
mod round;
mod side;
mod swarm;
mod weight;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::demo::require_root;
use crate::dist;
use ground::Ground;
use round::Plan;

/// Whether the process that watches over this one has ended.
static IS_LEFT_ALONE: AtomicBool = AtomicBool::new(false);

/// What is compared.
#[derive(Debug, clap::Subcommand)]
pub enum Bench {
    /// Start and stop many replicas on one node
    Start(Start),
    /// Run containers from the command line, and pull an image
    Container(container::Arguments),
}

/// How many replicas are started.
#[derive(Debug, clap::Args)]
pub struct Start {
    /// How many replicas to start
    #[arg(long, default_value_t = 50)]
    replicas: usize,
    /// How often; medians are printed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many services of no replicas to create
    #[arg(long, default_value_t = 200)]
    creates: usize,
    #[command(flatten)]
    setting: Setting,
}

/// What is compared with what, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct Setting {
    /// A drover binary to use; without it the release binary is built
    #[arg(long, value_name = "FILE")]
    drover: Option<PathBuf>,
    /// Leave Docker out
    #[arg(long)]
    alone: bool,
    /// The folder to work in, given by the process that watches over this one
    #[arg(long, hide = true)]
    ground: Option<PathBuf>,
}

/// Runs a benchmark.
pub fn run(bench: Bench) -> Result<()> {
    match bench {
        Bench::Start(arguments) => run_watched(&arguments.setting, |site| start(&arguments, site)),
        Bench::Container(arguments) => {
            run_watched(&arguments.setting, |site| container::run(&arguments, site))
        }
    }
}

/// Where a benchmark works, and with what.
pub struct Site<'a> {
    ground: Ground,
    drover: &'a Path,
    alone: bool,
}

/// Runs a benchmark in a process of its own.
fn run_watched(setting: &Setting, bench: impl FnOnce(&Site<'_>) -> Result<()>) -> Result<()> {
    let Some(folder) = &setting.ground else { return watch(setting) };
    let drover = setting.drover.as_deref().context("the watching process names the binary")?;
    let site = Site { ground: Ground::at(folder.clone()), drover, alone: setting.alone };
    clear_when_left_alone(&site.ground, drover);
    report::say_what_else_runs();
    let result = bench(&site);
    while IS_LEFT_ALONE.load(Ordering::SeqCst) {
        // The thread that clears up ends the process.
        thread::park();
    }
    result
}

/// Runs this command again in a process out of reach of the terminal's ctrl-C: what ends this process closes the
/// other's input, upon which that one clears its ground.
fn watch(setting: &Setting) -> Result<()> {
    require_root()?;
    let drover = match &setting.drover {
        Some(path) => std::fs::canonicalize(path).with_context(|| format!("find {}", path.display()))?,
        None => dist::run(dist::Arguments::default())?,
    };
    let ground = Ground::new()?;
    let mut own = Command::new(std::env::current_exe().context("find this program")?);
    own.args(std::env::args_os().skip(1)).arg("--ground").arg(ground.folder());
    if setting.drover.is_none() {
        own.arg("--drover").arg(drover);
    }
    std::os::unix::process::CommandExt::process_group(&mut own, 0);
    let mut child = own.stdin(Stdio::piped()).spawn().context("start the benchmark's own process")?;
    // Kept open until the child has ended; `wait` would close it first.
    let input = child.stdin.take();
    let status = child.wait().context("wait for the benchmark")?;
    drop(input);
    ground.clear()?;
    if status.success() { Ok(()) } else { bail!("the benchmark failed; everything it made is gone") }
}

fn start(arguments: &Start, site: &Site<'_>) -> Result<()> {
    let Site { ground, drover, alone } = site;
    let plan = Plan {
        replicas: arguments.replicas,
        rounds: arguments.rounds.max(1),
        creates: arguments.creates.max(1),
    };
    let image = ground.image(drover)?;
    let swarm = match alone {
        true => None,
        false => Some(round::measure(swarm::start(ground)?, &image, &plan).context("measure Docker Swarm")?),
    };
    let own = round::measure(drover::start(ground, drover)?, &image, &plan).context("measure Drover")?;
    let weight = weight::measure(drover).context("weigh idle daemons")?;
    report::print(&plan, swarm.as_ref(), &own, &weight);
    Ok(())
}

/// Clears the ground and ends this process once its input closes.
fn clear_when_left_alone(ground: &Ground, drover: &Path) {
    let (ground, drover) = (ground.clone(), drover.to_owned());
    thread::spawn(move || {
        let _closed = std::io::stdin().read_to_end(&mut Vec::new());
        IS_LEFT_ALONE.store(true, Ordering::SeqCst);
        eprintln!("\ninterrupted; clearing up");
        weight::clear(&drover);
        if let Err(error) = ground.clear() {
            eprintln!("error: {error:#}");
        }
        std::process::exit(130);
    });
}
