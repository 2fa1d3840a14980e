//! What idle daemons of a cluster weigh: a lab of one manager and one worker.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::memory::{self, Weight};
use crate::program;

const LAB: &str = "bench-weight";
/// Long enough for the work of joining to be over.
const REST: Duration = Duration::from_secs(5);

/// What idle daemons weigh.
pub struct Idle {
    pub manager: Weight,
    pub worker: Weight,
    pub binary: u64,
}

/// Brings up a lab, weighs its daemons and takes it down.
pub fn measure(drover: &Path) -> Result<Idle> {
    eprintln!("weighing idle daemons …");
    let up = program::output(lab(drover, "up").args(["--managers", "1", "--workers", "1"]));
    let weighed = up.and_then(|_| {
        thread::sleep(REST);
        let hosts = program::output(&mut lab(drover, "ps"))?;
        let weigh = |host: &str| -> Result<Weight> {
            let line = hosts.lines().find(|line| line.starts_with(host));
            let pid = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
            Ok(memory::weigh(
                pid.with_context(|| format!("`drover lab ps` shows no daemon of {host}:\n{hosts}"))?,
            ))
        };
        let binary =
            std::fs::metadata(drover).with_context(|| format!("look at {}", drover.display()))?.len();
        Ok(Idle { manager: weigh("m1")?, worker: weigh("w1")?, binary })
    });
    program::output(&mut lab(drover, "down"))?;
    weighed
}

/// Takes the lab down if it is up, with whatever program it was brought up.
pub fn clear(drover: &Path) {
    let is_up = program::output(&mut lab(drover, "ps")).is_ok();
    if is_up && let Err(error) = program::output(&mut lab(drover, "down")) {
        eprintln!("error: {error:#}");
    }
}

fn lab(drover: &Path, verb: &str) -> Command {
    let mut command = Command::new(drover);
    command.args(["lab", verb, "--name", LAB]);
    command
}
