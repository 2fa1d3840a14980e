//! The lab's commands: a whole cluster on this machine, each host in a network namespace.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use lab::{DaemonCommand, Direction, Host, Lab, Role, Spec, What};

/// How long a daemon may take to answer after its start.
const READY_DEADLINE: Duration = Duration::from_secs(20);
const READY_PAUSE: Duration = Duration::from_millis(20);

/// A command of the lab.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Bring up hosts and join them to a cluster
    Up {
        /// How many managers.
        #[arg(long, default_value_t = 3)]
        managers: u8,
        /// How many workers.
        #[arg(long, default_value_t = 2)]
        workers: u8,
        /// Only start the daemons, and leave the cluster to be founded by hand.
        #[arg(long)]
        no_init: bool,
        /// How much the daemons log.
        #[arg(long, default_value = "info")]
        log_level: String,
        /// A registry (HOST or HOST:PORT) that all hosts may reach without TLS; repeatable.
        #[arg(long = "insecure-registry", value_name = "REGISTRY")]
        insecure_registries: Vec<String>,
        #[command(flatten)]
        which: Which,
    },
    /// Take everything down, so that nothing of the lab is left
    Down {
        #[command(flatten)]
        which: Which,
    },
    /// List the hosts and their state
    Ps {
        #[command(flatten)]
        which: Which,
    },
    /// Run a command on a host, with DROVER_HOST and DOCKER_HOST set to its daemon
    Exec {
        #[command(flatten)]
        which: Which,
        /// The host, such as m1.
        host: String,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Kill a host, or only its daemon, without a warning
    Kill {
        #[command(flatten)]
        which: Which,
        /// Kill the daemon only; containers go on.
        #[arg(long)]
        daemon: bool,
        /// The hosts.
        #[arg(required = true)]
        hosts: Vec<String>,
    },
    /// Start a killed host, or its daemon
    Start {
        #[command(flatten)]
        which: Which,
        /// The hosts.
        #[arg(required = true)]
        hosts: Vec<String>,
    },
    /// Freeze all processes of a host
    Pause {
        #[command(flatten)]
        which: Which,
        /// The hosts.
        #[arg(required = true)]
        hosts: Vec<String>,
    },
    /// Let the processes of a frozen host go on
    Resume {
        #[command(flatten)]
        which: Which,
        /// The hosts.
        #[arg(required = true)]
        hosts: Vec<String>,
    },
    /// Cut the connection between hosts and all others
    Partition {
        #[command(flatten)]
        which: Which,
        /// The hosts that are cut off from the rest.
        #[arg(required = true)]
        hosts: Vec<String>,
    },
    /// Undo all cuts
    Heal {
        #[command(flatten)]
        which: Which,
    },
}

/// Which lab is meant.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The lab's name; several can stand side by side.
    #[arg(long, default_value = "lab")]
    name: String,
}

impl Which {
    fn folder(&self) -> PathBuf {
        lab::folder_of(&self.name)
    }

    fn open(&self) -> anyhow::Result<Lab> {
        Ok(Lab::open(&self.folder())?)
    }
}

/// Runs a command of the lab.
pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Up { managers, workers, no_init, log_level, insecure_registries, which } => {
            let mut flags = vec!["--log-level".to_owned(), log_level];
            for registry in insecure_registries {
                flags.extend(["--insecure-registry".to_owned(), registry]);
            }
            up(&which, managers, workers, no_init, &flags)
        }
        Command::Down { which } => {
            Ok(lab::down(&which.name, &which.folder(), &mut |progress| println!("{progress}"))?)
        }
        Command::Ps { which } => ps(&which.open()?),
        Command::Exec { which, host, command } => exec(&which.open()?, &host, &command),
        Command::Kill { which, daemon, hosts } => {
            let what = if daemon { What::Daemon } else { What::Host };
            each(&which, &hosts, |lab, host| lab.kill(host, what))
        }
        Command::Start { which, hosts } => {
            each(&which, &hosts, |lab, host| lab.start(host).map(|_| ()))?;
            let lab = which.open()?;
            hosts.iter().try_for_each(|host| wait_until_ready(lab.host(host)?))
        }
        Command::Pause { which, hosts } => each(&which, &hosts, Lab::pause),
        Command::Resume { which, hosts } => each(&which, &hosts, Lab::resume),
        Command::Partition { which, hosts } => {
            let lab = which.open()?;
            let cut: Vec<&str> = hosts.iter().map(String::as_str).collect();
            let rest: Vec<&str> = lab
                .hosts()
                .iter()
                .map(|host| host.name.as_str())
                .filter(|host| !cut.contains(host))
                .collect();
            Ok(lab.partition(&cut, &rest, Direction::Both)?)
        }
        Command::Heal { which } => Ok(which.open()?.heal()?),
    }
}

fn each(
    which: &Which,
    hosts: &[String],
    act: impl Fn(&Lab, &str) -> Result<(), lab::Error>,
) -> anyhow::Result<()> {
    let lab = which.open()?;
    hosts.iter().try_for_each(|host| act(&lab, host)).map_err(Into::into)
}

fn up(which: &Which, managers: u8, workers: u8, no_init: bool, flags: &[String]) -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("a lab makes network namespaces, which only root may: run it as root");
    }
    let began = Instant::now();
    let program = std::env::current_exe().context("find this program")?;
    let spec = Spec { name: which.name.clone(), managers, workers, folder: which.folder() };
    let lab = Lab::create(&spec, &mut |progress| println!("{progress}"))?;
    for host in lab.hosts() {
        let args = ["daemon", "--hostname", &host.name].map(str::to_owned);
        let placed = [
            ("--data-root", host.data().display().to_string()),
            ("--listen", host.endpoint()),
            ("--cgroup-parent", host.cgroup_parent().to_owned()),
        ];
        let args =
            args.into_iter().chain(placed.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
        let args = args.chain(flags.iter().cloned());
        lab.spawn(
            &host.name,
            &DaemonCommand { program: program.clone(), args: args.collect(), env: Vec::new() },
        )?;
    }
    for host in lab.hosts() {
        wait_until_ready(host)?;
    }
    if !no_init {
        found(&lab)?;
    }
    println!(
        "lab {} is up after {:.1} s: {} hosts",
        lab.name(),
        began.elapsed().as_secs_f64(),
        lab.hosts().len()
    );
    Ok(())
}

/// Founds a cluster on the first host and joins the others with real tokens.
fn found(lab: &Lab) -> anyhow::Result<()> {
    let Some((first, others)) = lab.hosts().split_first() else { return Ok(()) };
    let address = first.address.to_string();
    drover(first, &["swarm", "init", "--advertise-addr", &address])?;
    println!("{} founded the cluster", first.name);
    let token =
        |role: &str| drover(first, &["swarm", "join-token", "-q", role]).map(|token| token.trim().to_owned());
    let (manager, worker) = (token("manager")?, token("worker")?);
    for host in others {
        let (token, role) = match host.role {
            Role::Manager => (&manager, "manager"),
            Role::Worker => (&worker, "worker"),
        };
        let remote = format!("{address}:2377");
        drover(
            host,
            &["swarm", "join", "--advertise-addr", &host.address.to_string(), "--token", token, &remote],
        )?;
        println!("{} joined as {role}", host.name);
    }
    Ok(())
}

/// Runs this program's own command line against a host's daemon.
fn drover(host: &Host, args: &[&str]) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("find this program")?;
    let output =
        Process::new(program).arg("--host").arg(host.endpoint()).args(args).stdin(Stdio::null()).output();
    let output = output.context("run this program")?;
    if !output.status.success() {
        bail!("{} on {}: {}", args[..2].join(" "), host.name, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Waits until a host's daemon answers.
fn wait_until_ready(host: &Host) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_DEADLINE;
    while std::os::unix::net::UnixStream::connect(host.socket()).is_err() {
        if Instant::now() > deadline {
            bail!(
                "the daemon of {} does not answer after {} s: see {}",
                host.name,
                READY_DEADLINE.as_secs(),
                host.log().display()
            );
        }
        std::thread::sleep(READY_PAUSE);
    }
    Ok(())
}

fn ps(lab: &Lab) -> anyhow::Result<()> {
    println!("{:<8} {:<16} {:<10} {:<8} CUT FROM", "HOST", "ADDRESS", "STATE", "PID");
    for status in lab.status()? {
        let host = &status.host;
        let pid = status.pid.map(|pid| pid.to_string()).unwrap_or_default();
        println!(
            "{:<8} {:<16} {:<10} {:<8} {}",
            host.name,
            host.address.to_string(),
            status.state.as_str(),
            pid,
            status.cut_from.join(", ")
        );
    }
    Ok(())
}

fn exec(lab: &Lab, host: &str, command: &[OsString]) -> anyhow::Result<()> {
    // The host finds this very program under its name.
    let own = std::env::current_exe().context("find this program")?;
    let folder = own.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let status = lab.exec(host, command, &[("PATH".into(), path.into())])?;
    std::process::exit(status.code().unwrap_or(1));
}
