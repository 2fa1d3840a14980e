//! What is measured of one side.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::memory::{Weight, Weights};
use super::side::Side;

/// How often the API is asked how far things are; asking costs both sides the same.
const POLL: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a daemon is left alone before it counts as idle.
const REST: Duration = Duration::from_secs(3);

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub replicas: usize,
    pub rounds: usize,
    pub creates: usize,
}

/// What was measured of one side.
pub struct Measured {
    pub title: &'static str,
    pub up: Move,
    pub down: Move,
    pub create_p50: Duration,
    pub create_p99: Duration,
    pub idle: Weight,
    pub full: Weights,
    pub disk: u64,
}

/// One change of scale: how long it took, and the CPU time of the whole side meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    pub wall: Duration,
    pub cpu: Duration,
}

/// Measures one side, and ends it.
pub fn measure(mut side: Side, archive: &[u8], plan: &Plan) -> Result<Measured> {
    eprintln!("measuring {} …", side.recipe.title);
    side.api.init().context("found a cluster")?;
    side.api.load(archive).context("load the image")?;
    let image = side.api.image_id()?;
    thread::sleep(REST);
    let idle = weigh(&side).overhead();
    let creates = creates(&mut side, &image, plan.creates)?;
    let id = side.api.create("bench", &image, 1)?;
    settle(&mut side, &id, 1)?;
    let (mut ups, mut downs, mut full) = (Vec::new(), Vec::new(), Weights::default());
    for _ in 0..plan.rounds {
        ups.push(scale(&mut side, &id, plan.replicas)?);
        full = weigh(&side);
        thread::sleep(REST);
        downs.push(scale(&mut side, &id, 1)?);
        thread::sleep(REST);
    }
    let disk = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    Ok(Measured {
        title: side.recipe.title,
        up: median(ups),
        down: median(downs),
        create_p50: creates[creates.len() / 2],
        create_p99: creates[(creates.len() * 99 / 100).min(creates.len() - 1)],
        idle,
        full,
        disk: side.recipe.programs.iter().map(disk).sum(),
    })
}

fn weigh(side: &Side) -> Weights {
    Weights::of(&side.recipe.cgroup.processes(), side.recipe.shim)
}

/// Creates services of no replicas, one after the other, and returns how long each took, sorted.
fn creates(side: &mut Side, image: &str, count: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(count);
    let mut ids = Vec::with_capacity(count);
    for number in 0..count {
        let began = Instant::now();
        ids.push(side.api.create(&format!("empty{number}"), image, 0)?);
        times.push(began.elapsed());
    }
    for id in ids {
        side.api.remove(&id)?;
    }
    times.sort_unstable();
    Ok(times)
}

fn scale(side: &mut Side, id: &str, replicas: usize) -> Result<Move> {
    let service = side.api.service(id)?;
    let cpu = side.recipe.cgroup.cpu()?;
    let began = Instant::now();
    side.api.scale(service, replicas)?;
    settle(side, id, replicas)?;
    let wall = began.elapsed();
    Ok(Move { wall, cpu: side.recipe.cgroup.cpu()?.saturating_sub(cpu) })
}

fn settle(side: &mut Side, id: &str, replicas: usize) -> Result<()> {
    let began = Instant::now();
    loop {
        let running = side.api.running(id)?;
        if running == replicas {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            bail!(
                "{} runs {running} of {replicas} replicas after {} s",
                side.recipe.title,
                PATIENCE.as_secs()
            );
        }
        thread::sleep(POLL);
    }
}

/// Returns the middle one by time.
fn median(mut moves: Vec<Move>) -> Move {
    moves.sort_unstable_by_key(|each| each.wall);
    moves[moves.len() / 2]
}
