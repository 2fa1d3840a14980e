//! Containers from the command line: how long `run --rm` takes from its start to its end, and a pull.

mod floor;
mod pull;
mod runs;

use anyhow::{Context, Result};

use super::{Setting, Site, drover, swarm};
use crate::image;
use runs::{Client, Times};

/// How much is measured.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many containers are run, one after the other and all at once
    #[arg(long, default_value_t = 20)]
    containers: usize,
    /// How often; medians are printed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    pub setting: Setting,
}

/// The image that is pulled: about 300 MB unpacked, two layers.
const PULLED: &str = "mariadb";

/// One line of the table.
struct Row {
    who: String,
    times: Times,
}

/// Runs the benchmark.
pub fn run(arguments: &Arguments, site: &Site<'_>) -> Result<()> {
    let small = image::build("busybox", false)?;
    let large = image::build(PULLED, false)?;
    let mut rows = Vec::new();
    let mut pulls = Vec::new();
    if !site.alone {
        let side = swarm::start(&site.ground)?;
        let client = Client::docker(&side.recipe.socket);
        client.load(&small)?;
        let times = runs::measure(&client, arguments).context("run containers with Docker")?;
        rows.push(Row { who: "docker run, Docker".into(), times });
        pulls.push(("Docker", pull::measure(&side, &client, &large, arguments.rounds)?));
    }
    let side = drover::start(&site.ground, site.drover)?;
    let own = Client::new(site.drover, &side.recipe.socket);
    own.load(&small)?;
    let times = runs::measure(&own, arguments).context("run containers with Drover")?;
    rows.push(Row { who: "drover run, Drover".into(), times });
    if !site.alone {
        let docker = Client::docker(&side.recipe.socket);
        let times = runs::measure(&docker, arguments).context("run containers with Drover and docker")?;
        rows.push(Row { who: "docker run, Drover".into(), times });
    }
    pulls.push(("Drover", pull::measure(&side, &own, &large, arguments.rounds)?));
    drop(side);
    let times = floor::measure(&site.ground, &small, arguments)?;
    rows.push(Row { who: "floor: unshare, chroot, true".into(), times });
    let unpack = floor::unpack(&site.ground, &large)?;
    print(arguments, &rows, &pulls, unpack.as_secs_f64());
    Ok(())
}

fn print(arguments: &Arguments, rows: &[Row], pulls: &[(&str, std::time::Duration)], unpack: f64) {
    let count = arguments.containers;
    let first = &rows[0].times;
    let ratio = |theirs: f64, own: f64| format!("{:.1}×", theirs / own);
    println!("\n{:<30} {:>16} {:>8} {:>16} {:>8}", "run --rm busybox true", "one", "", "", "");
    println!(
        "{:<30} {:>16} {:>8} {:>16} {:>8}",
        "",
        "after another",
        "ratio",
        format!("{count} at once"),
        "ratio"
    );
    for Row { who, times } in rows {
        let (one, all) = (times.one.as_secs_f64(), times.all.as_secs_f64());
        println!(
            "{who:<30} {:>16} {:>8} {:>16} {:>8}",
            format!("{:.1} ms", one * 1e3),
            ratio(first.one.as_secs_f64(), one),
            format!("{all:.2} s"),
            ratio(first.all.as_secs_f64(), all),
        );
    }
    println!("\npull of {PULLED} from a registry on loopback");
    let first = pulls[0].1.as_secs_f64();
    for (who, time) in pulls {
        let time = time.as_secs_f64();
        println!("{who:<30} {:>16} {:>8}", format!("{time:.2} s"), ratio(first, time));
    }
    println!(
        "{:<30} {:>16} {:>8}",
        "floor: tar -x, no network",
        format!("{unpack:.2} s"),
        ratio(first, unpack)
    );
    println!(
        "\nratio: how many times faster than the first line; medians of {} rounds, each {count} runs.",
        arguments.rounds
    );
}
