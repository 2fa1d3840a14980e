//! The table.

use std::fs;
use std::time::Duration;

use super::round::{Measured, Plan};
use super::weight::Idle;

const MEBIBYTE: f64 = (1 << 20) as f64;

/// One line: what it is, and the two sides' values in the same unit.
struct Row {
    what: String,
    unit: &'static str,
    swarm: Option<f64>,
    own: f64,
}

/// Warns when other work on the machine will show in the times.
pub fn say_what_else_runs() {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|load| load.parse::<f64>().ok()).unwrap_or(0.0);
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get());
    eprintln!("{cpus} CPUs, load {load} before the start");
    if load > 0.5 {
        eprintln!("warning: something else is running; compare ratios, not times");
    }
}

/// Prints everything.
pub fn print(plan: &Plan, swarm: Option<&Measured>, own: &Measured, idle: &Idle) {
    let other = swarm.map_or("(left out)", |swarm| swarm.title);
    println!("\n{:<46} {:>14} {:>14} {:>8}", "", other, own.title, "ratio");
    for Row { what, unit, swarm, own } in rows(plan, swarm, own) {
        let theirs = swarm.map_or_else(String::new, |value| format!("{value:.2} {unit}"));
        let ratio = swarm.map_or_else(String::new, |value| format!("{:.1}×", value / own));
        println!("{what:<46} {theirs:>14} {:>14} {ratio:>8}", format!("{own:.2} {unit}"));
    }
    println!("\nratio: how many times Drover is faster or lighter; medians of {} rounds.", plan.rounds);
    println!(
        "CPU time is that of the whole side: daemons, shims, runtime and containers, and answering the polls."
    );
    let mebibytes = |bytes: u64| bytes as f64 / MEBIBYTE;
    println!("\nDrover against its own aims");
    let aims = [
        ("idle worker daemon, resident", mebibytes(idle.worker.resident), 25.0),
        ("idle manager daemon, resident", mebibytes(idle.manager.resident), 60.0),
        (
            "shim at rest, proportional",
            mebibytes(own.full.shims.proportional) / own.full.shim_count.max(1) as f64,
            1.5,
        ),
        ("all but the containers' programs, private", mebibytes(own.full.overhead().private), 50.0),
        ("release binary", mebibytes(idle.binary), 40.0),
    ];
    for (what, value, aim) in aims {
        let verdict = if value < aim { "held" } else { "missed" };
        println!("{what:<46} {:>14} {:>14} {verdict:>8}", format!("{value:.2} MiB"), format!("< {aim} MiB"));
    }
}

fn rows(plan: &Plan, swarm: Option<&Measured>, own: &Measured) -> Vec<Row> {
    let full = plan.replicas;
    let seconds = |time: Duration| time.as_secs_f64();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let mebibytes = |bytes: u64| bytes as f64 / MEBIBYTE;
    let row = |what: String, unit, value: &dyn Fn(&Measured) -> f64| Row {
        what,
        unit,
        swarm: swarm.map(value),
        own: value(own),
    };
    vec![
        row(format!("1 → {full} replicas, call to {full}/{full} running"), "s", &|side| {
            seconds(side.up.wall)
        }),
        row(format!("1 → {full} replicas, CPU time"), "s", &|side| seconds(side.up.cpu)),
        row(format!("{full} → 1 replicas"), "s", &|side| seconds(side.down.wall)),
        row(format!("{full} → 1 replicas, CPU time"), "s", &|side| seconds(side.down.cpu)),
        row("service create of 0 replicas, p50".into(), "ms", &|side| milliseconds(side.create_p50)),
        row("service create of 0 replicas, p99".into(), "ms", &|side| milliseconds(side.create_p99)),
        row("idle cluster of one node, private".into(), "MiB", &|side| mebibytes(side.idle.private)),
        row("idle cluster of one node, resident".into(), "MiB", &|side| mebibytes(side.idle.resident)),
        row(format!("{full} replicas, all but their programs, private"), "MiB", &|side| {
            mebibytes(side.full.overhead().private)
        }),
        row(format!("{full} replicas, all but their programs, PSS"), "MiB", &|side| {
            mebibytes(side.full.overhead().proportional)
        }),
        row("one shim, PSS".into(), "MiB", &|side| {
            mebibytes(side.full.shims.proportional) / side.full.shim_count.max(1) as f64
        }),
        row(format!("the {full} programs themselves, PSS"), "MiB", &|side| {
            mebibytes(side.full.payload.proportional)
        }),
        row("programs on disk".into(), "MiB", &|side| mebibytes(side.disk)),
    ]
}
