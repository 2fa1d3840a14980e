//! The demo: a cluster of five hosts on this machine, put to work and then damaged, with times.
//!
//! It uses the `drover` binary's own commands and the hosts' published port, nothing else.

mod cluster;
mod requests;
mod steps;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{dist, program};
use cluster::Cluster;

/// How the demo is shown.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The lab's name; one of that name that is up is taken down first
    #[arg(long, default_value = "lab")]
    name: String,
    /// A drover binary to use; without it the release binary is built
    #[arg(long, value_name = "FILE")]
    drover: Option<PathBuf>,
}

/// One thing that is shown.
struct Step {
    title: &'static str,
    /// Where to look when it fails.
    hint: &'static str,
    run: fn(&mut Cluster) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        title: "Five hosts: 3 managers and 2 workers, joined over mutual TLS",
        hint: "the daemons' logs are /var/lib/drover-lab/LAB/hosts/HOST/daemon.log",
        run: steps::bring_up,
    },
    Step {
        title: "A service of 3 replicas, published on port 8080",
        hint: "see `drover lab exec m1 -- drover service ps web --no-trunc`",
        run: steps::create,
    },
    Step {
        title: "Port 8080 of every host answers, from every replica",
        hint: "see `drover lab exec m1 -- drover service ps web` and curl port 8080 of the hosts in `drover lab ps`",
        run: steps::ask_every_host,
    },
    Step {
        title: "Scale to 10 replicas",
        hint: "see `drover lab exec m1 -- drover service ps web --no-trunc`",
        run: steps::scale,
    },
    Step {
        title: "Kill the leader's daemon: the others go on, no container stops, it catches up",
        hint: "see `drover lab exec m2 -- drover node ls` and the managers' daemon.log",
        run: steps::kill_leader,
    },
    Step {
        title: "Kill a worker host: its replicas come back on others, under requests",
        hint: "see `drover lab exec m1 -- drover service ps web` and `drover lab ps`",
        run: steps::kill_worker,
    },
    Step { title: "The lab stays up for you", hint: "", run: steps::say_how_to_go_on },
];

/// Shows everything, and leaves the lab up.
pub fn run(arguments: Arguments) -> Result<()> {
    require_root()?;
    let drover = match arguments.drover {
        Some(path) => std::fs::canonicalize(&path).with_context(|| format!("find {}", path.display()))?,
        None => dist::run(dist::Arguments::default())?,
    };
    let mut cluster = Cluster::new(drover, arguments.name);
    let began = Instant::now();
    for (index, step) in STEPS.iter().enumerate() {
        println!("\n=== {}. {}", index + 1, step.title);
        let failed = || {
            format!(
                "step {} failed\nhint: {}\nthe lab stays up as it is; take it down with: {} lab down --name {}",
                index + 1,
                step.hint,
                cluster.drover().display(),
                cluster.name()
            )
        };
        let failed = failed();
        (step.run)(&mut cluster).context(failed)?;
    }
    println!("\nall steps held; {} in all", seconds(began.elapsed()));
    Ok(())
}

/// Fails for anyone who may not make namespaces.
pub fn require_root() -> Result<()> {
    let user = program::output(std::process::Command::new("id").arg("-u"))?;
    if user.trim() != "0" {
        bail!("this makes network namespaces and containers, which only root may: run it as root");
    }
    Ok(())
}

/// Writes a time for a person.
pub fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Looks until there is something to see, and returns it with the time that took.
fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<(T, Duration)> {
    /// Short beside what is waited for, long beside what looking costs.
    const PAUSE: Duration = Duration::from_millis(20);
    let began = Instant::now();
    let mut last = None;
    while began.elapsed() < patience {
        match look() {
            Ok(Some(seen)) => return Ok((seen, began.elapsed())),
            Ok(None) => last = None,
            Err(error) => last = Some(error),
        }
        std::thread::sleep(PAUSE);
    }
    let gave_up = format!("{what} did not happen within {} s", patience.as_secs());
    Err(last.map_or_else(|| anyhow::anyhow!(gave_up.clone()), |last| last.context(gave_up.clone())))
}
