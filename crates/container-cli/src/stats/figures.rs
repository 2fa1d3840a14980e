//! A container's figures, as people read them.

use container_json::{BlkioEntry, CpuStats, MemoryStats, Stats};
use format::{short_id, size};
use serde_json::{Value, json};

/// Names of the caches that memory in use does not count: of the first version of cgroups, and of the second.
const CACHES: [&str; 2] = ["total_inactive_file", "inactive_file"];

/// Returns the row of a container that was asked for by a name.
pub(super) fn row(asked: &str, stats: &Stats, no_trunc: bool) -> Value {
    let used = used(&stats.memory_stats);
    let limit = stats.memory_stats.limit;
    let sum = |of: fn(&container_json::NetworkStats) -> u64| stats.networks.values().map(of).sum::<u64>();
    let disks = &stats.blkio_stats.io_service_bytes_recursive;
    let memory_share = if limit == 0 { 0.0 } else { used as f64 / limit as f64 * 100.0 };
    json!({
        "Container": asked,
        "ID": if no_trunc { &stats.id } else { short_id(&stats.id) },
        "Name": stats.name.trim_start_matches('/'),
        "CPUPerc": format!("{:.2}%", processor_share(&stats.precpu_stats, &stats.cpu_stats)),
        "MemUsage": format!("{} / {}", size::binary(signed(used)), size::binary(signed(limit))),
        "MemPerc": format!("{memory_share:.2}%"),
        "NetIO": both(sum(|network| network.rx_bytes), sum(|network| network.tx_bytes)),
        "BlockIO": both(moved(disks, 'r'), moved(disks, 'w')),
        "PIDs": stats.pids_stats.current.to_string(),
    })
}

/// Returns the row of a container of which nothing is known.
pub(super) fn blank(asked: &str) -> Value {
    json!({
        "Container": asked, "ID": asked, "Name": "--", "CPUPerc": "--", "MemUsage": "-- / --", "MemPerc": "--",
        "NetIO": "--", "BlockIO": "--", "PIDs": "--",
    })
}

/// Returns how much of one processor is used, in percent, so that two busy ones are 200.
fn processor_share(before: &CpuStats, after: &CpuStats) -> f64 {
    let own = after.cpu_usage.total_usage as f64 - before.cpu_usage.total_usage as f64;
    let all = after.system_cpu_usage as f64 - before.system_cpu_usage as f64;
    let processors = match after.online_cpus {
        0 => after.cpu_usage.percpu_usage.len() as f64,
        count => f64::from(count),
    };
    if own > 0.0 && all > 0.0 { own / all * processors * 100.0 } else { 0.0 }
}

/// Returns the memory in use without caches that could go at once.
fn used(memory: &MemoryStats) -> u64 {
    let cache = CACHES.iter().find_map(|name| memory.stats.get(*name)).copied().unwrap_or(0);
    if cache < memory.usage { memory.usage - cache } else { memory.usage }
}

fn moved(entries: &[BlkioEntry], direction: char) -> u64 {
    let is_meant = |entry: &&BlkioEntry| entry.op.to_ascii_lowercase().starts_with(direction);
    entries.iter().filter(is_meant).map(|entry| entry.value).sum()
}

fn both(one: u64, other: u64) -> String {
    format!("{} / {}", size::decimal(signed(one)), size::decimal(signed(other)))
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
