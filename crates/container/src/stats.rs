//! What a container uses, as the kernel's files say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use cgroup::Cgroups;
use shim::Phase;
use tokio::task::spawn_blocking;

use crate::{Containers, Error};

/// What a container uses at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// When this was read.
    pub read_at: SystemTime,
    /// Processor time.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// Processes and threads.
    pub pids: Pids,
    /// Reads and writes of disks.
    pub block_io: BlockIo,
    /// Traffic by interface, the loopback left out; empty in the host's network.
    pub networks: BTreeMap<String, Network>,
}

/// Processor time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// All time.
    pub total_ns: u64,
    /// Time in programs.
    pub user_ns: u64,
    /// Time in the kernel on their behalf.
    pub kernel_ns: u64,
    /// All time by processor; empty in version 2, which does not tell.
    pub per_cpu_ns: Vec<u64>,
    /// How often there was a period of the quota.
    pub periods: u64,
    /// How often the quota was used up in one.
    pub throttled_periods: u64,
    /// How long it was kept waiting by that.
    pub throttled_ns: u64,
    /// The time of all processors of the host, the idle time included.
    pub host_total_ns: u64,
    /// The processors of the host that are in use.
    pub online_cpus: u32,
}

/// Memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What is in use, files in memory included.
    pub usage_bytes: u64,
    /// The most that was ever in use, where the kernel tells.
    pub max_usage_bytes: Option<u64>,
    /// The limit; none if there is none.
    pub limit_bytes: Option<u64>,
    /// How often the limit was hit: version 1 counts each time, version 2 those with nothing left to free.
    pub fail_count: u64,
    /// The lines of the kernel's `memory.stat`.
    pub details: BTreeMap<String, u64>,
    /// The memory of the host.
    pub host_bytes: u64,
}

/// Processes and threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pids {
    /// How many there are.
    pub current: u64,
    /// The most there may be; none if there is no limit.
    pub limit: Option<u64>,
}

/// Reads and writes of disks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockIo {
    /// Bytes by device and operation.
    pub bytes: Vec<BlockEntry>,
    /// Requests by device and operation.
    pub requests: Vec<BlockEntry>,
}

/// One count of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// The device's major number.
    pub major: u64,
    /// The device's minor number.
    pub minor: u64,
    /// The operation as the kernel names it: `Read` in version 1, `read` in version 2.
    pub operation: String,
    /// How much of it.
    pub value: u64,
}

/// Traffic of one interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// What came in.
    pub received: Traffic,
    /// What went out.
    pub sent: Traffic,
}

/// Traffic in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Broken packets.
    pub errors: u64,
    /// Packets thrown away.
    pub dropped: u64,
}

impl Containers {
    /// Reads what a running container uses.
    pub async fn stats(&self, id: &str) -> Result<Stats, Error> {
        let entry = self.entry(id)?;
        let started = match &*entry.news.phase.borrow() {
            Phase::Running(started) | Phase::Paused(started) => *started,
            Phase::Created | Phase::Exited(_) => return Err(Error::NotRunning { id: id.to_owned() }),
        };
        let has_network = entry.spec().network_namespace.is_some();
        let read = spawn_blocking(move || {
            let cgroups = Cgroups::find(&entry.cgroup)?;
            let networks =
                if has_network { text(format!("/proc/{}/net/dev", started.pid)) } else { String::new() };
            Ok(Stats {
                read_at: SystemTime::now(),
                cpu: cpu(&cgroups),
                memory: memory(&cgroups),
                pids: pids(&cgroups),
                block_io: block_io(&cgroups),
                networks: interfaces(&networks),
            })
        });
        read.await.expect("reading figures does not panic").map_err(Error::io("find the cgroups of", id))
    }

    /// Lists a container's processes as the host numbers them; empty if it does not run.
    pub async fn pids(&self, id: &str) -> Result<Vec<i32>, Error> {
        let entry = self.entry(id)?;
        let read = spawn_blocking(move || Ok(Cgroups::find(&entry.cgroup)?.processes()));
        read.await.expect("reading numbers does not panic").map_err(Error::io("find the cgroups of", id))
    }
}

fn cpu(cgroups: &Cgroups) -> Cpu {
    let (host_total_ns, online_cpus) = host_cpu(&text("/proc/stat"));
    let of = |controller: &str, file: &str| cgroups.dir(controller).map(|dir| text(dir.join(file)));
    let (used, throttling) = (of("cpuacct", "cpuacct.usage"), of("cpu", "cpu.stat"));
    let unified = cgroups.unified_dir().map(|dir| pairs(&text(dir.join("cpu.stat")))).unwrap_or_default();
    let in_us = |key: &str| unified.get(key).map_or(0, |us| us * 1_000);
    let mut cpu = Cpu { host_total_ns, online_cpus, ..Cpu::default() };
    match used {
        Some(total) => {
            cpu.total_ns = number(&total);
            cpu.user_ns = number(&of("cpuacct", "cpuacct.usage_user").unwrap_or_default());
            cpu.kernel_ns = number(&of("cpuacct", "cpuacct.usage_sys").unwrap_or_default());
            let each = of("cpuacct", "cpuacct.usage_percpu").unwrap_or_default();
            cpu.per_cpu_ns = each.split_whitespace().map(number).collect();
        }
        None => {
            cpu.total_ns = in_us("usage_usec");
            cpu.user_ns = in_us("user_usec");
            cpu.kernel_ns = in_us("system_usec");
        }
    }
    let of_version_1 = throttling.map(|text| pairs(&text));
    cpu.throttled_ns = match &of_version_1 {
        Some(found) => found.get("throttled_time").copied().unwrap_or(0),
        None => in_us("throttled_usec"),
    };
    let throttling = of_version_1.unwrap_or(unified);
    cpu.periods = throttling.get("nr_periods").copied().unwrap_or(0);
    cpu.throttled_periods = throttling.get("nr_throttled").copied().unwrap_or(0);
    cpu
}

fn memory(cgroups: &Cgroups) -> Memory {
    // Version 1 writes no limit as the most that fits whole pages.
    const NO_LIMIT: u64 = i64::MAX as u64 / (1 << 20) * (1 << 20);
    let host_bytes =
        pairs(&text("/proc/meminfo").replace(':', "")).get("MemTotal").map_or(0, |kib| kib * 1024);
    if let Some(dir) = cgroups.dir("memory") {
        let read = |file: &str| number(&text(dir.join(file)));
        return Memory {
            usage_bytes: read("memory.usage_in_bytes"),
            max_usage_bytes: Some(read("memory.max_usage_in_bytes")),
            limit_bytes: Some(read("memory.limit_in_bytes")).filter(|bytes| *bytes < NO_LIMIT),
            fail_count: read("memory.failcnt"),
            details: pairs(&text(dir.join("memory.stat"))),
            host_bytes,
        };
    }
    let Some(dir) = cgroups.unified_dir() else { return Memory { host_bytes, ..Memory::default() } };
    let optional = |file: &str| text(dir.join(file)).trim().parse().ok();
    Memory {
        usage_bytes: optional("memory.current").unwrap_or(0),
        max_usage_bytes: optional("memory.peak"),
        limit_bytes: optional("memory.max"),
        fail_count: pairs(&text(dir.join("memory.events"))).get("oom").copied().unwrap_or(0),
        details: pairs(&text(dir.join("memory.stat"))),
        host_bytes,
    }
}

fn pids(cgroups: &Cgroups) -> Pids {
    let dir = cgroups.dir("pids").or(cgroups.unified_dir());
    let Some(dir) = dir else { return Pids::default() };
    let current = text(dir.join("pids.current"));
    let limit = text(dir.join("pids.max")).trim().parse().ok();
    // Without the controller the kernel still lists them.
    let listed = || text(dir.join("cgroup.threads")).lines().count() as u64;
    Pids { current: current.trim().parse().unwrap_or_else(|_| listed()), limit }
}

fn block_io(cgroups: &Cgroups) -> BlockIo {
    if let Some(dir) = cgroups.dir("blkio") {
        let read = |name: &str| {
            let all = text(dir.join(format!("blkio.throttle.{name}_recursive")));
            let all = if all.is_empty() { text(dir.join(format!("blkio.throttle.{name}"))) } else { all };
            all.lines().filter_map(block_entry).collect()
        };
        return BlockIo { bytes: read("io_service_bytes"), requests: read("io_serviced") };
    }
    cgroups.unified_dir().map(|dir| io_stat(&text(dir.join("io.stat")))).unwrap_or_default()
}

/// Reads a line such as `8:0 Read 4096`; the sum over all devices is none.
fn block_entry(line: &str) -> Option<BlockEntry> {
    let [device, operation, value] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let (major, minor) = device.split_once(':')?;
    let (major, minor, value) = (major.parse().ok()?, minor.parse().ok()?, value.parse().ok()?);
    Some(BlockEntry { major, minor, operation: operation.to_owned(), value })
}

/// Reads the lines of version 2, such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0`.
fn io_stat(text: &str) -> BlockIo {
    let mut all = BlockIo::default();
    for line in text.lines() {
        let Some((device, counts)) = line.split_once(' ') else { continue };
        for (key, value) in counts.split(' ').filter_map(|pair| pair.split_once('=')) {
            let (list, operation) = match key {
                "rbytes" => (&mut all.bytes, "read"),
                "wbytes" => (&mut all.bytes, "write"),
                "rios" => (&mut all.requests, "read"),
                "wios" => (&mut all.requests, "write"),
                _ => continue,
            };
            list.extend(block_entry(&format!("{device} {operation} {value}")));
        }
    }
    all
}

/// Reads the time of all processors and their number from `/proc/stat`.
fn host_cpu(text: &str) -> (u64, u32) {
    const TICK_NS: u64 = 10_000_000;
    // User, nice, system, idle, waiting and both kinds of interrupts; the rest is counted in these.
    const TIMES: usize = 7;
    let total = text.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let ticks: u64 = total.split_whitespace().take(TIMES).map(number).sum();
    let is_processor = |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| !rest.starts_with(' '));
    (ticks * TICK_NS, text.lines().filter(is_processor).count() as u32)
}

fn interfaces(text: &str) -> BTreeMap<String, Network> {
    let mut all = BTreeMap::new();
    for (name, counts) in text.lines().filter_map(|line| line.split_once(':')) {
        let counts: Vec<u64> = counts.split_whitespace().map(number).collect();
        let (Some([bytes, packets, errors, dropped]), Some(sent)) = (counts.first_chunk(), counts.get(8..12))
        else {
            continue;
        };
        if name.trim() == "lo" {
            continue;
        }
        let received = Traffic { bytes: *bytes, packets: *packets, errors: *errors, dropped: *dropped };
        let sent = Traffic { bytes: sent[0], packets: sent[1], errors: sent[2], dropped: sent[3] };
        all.insert(name.trim().to_owned(), Network { received, sent });
    }
    all
}

/// Reads lines of a name and a number.
fn pairs(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

/// Reads a file that an ending container may have taken along; then it is empty.
fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_of_the_host_are_counted() {
        let text = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1\ncpu1 0 0 0 0\nintr 5\n";

        assert_eq!(host_cpu(text), (280_000_000, 2));
    }

    #[test]
    fn interfaces_are_read_without_the_loopback() {
        let text = "Inter-|   Receive   |  Transmit\n face |bytes packets\n\
            lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n  eth0: 100 2 3 4 0 0 0 0 500 6 7 8 0 0 0 0\n";

        let found = interfaces(text);

        let received = Traffic { bytes: 100, packets: 2, errors: 3, dropped: 4 };
        let sent = Traffic { bytes: 500, packets: 6, errors: 7, dropped: 8 };
        assert_eq!(found, [("eth0".to_owned(), Network { received, sent })].into());
    }

    #[test]
    fn disks_are_read_in_both_versions() {
        let entry =
            |operation: &str, value| BlockEntry { major: 8, minor: 16, operation: operation.into(), value };

        assert_eq!(block_entry("8:16 Read 4096"), Some(entry("Read", 4096)));
        assert_eq!(block_entry("Total 4096"), None);
        let found = io_stat("8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:0 \n");
        assert_eq!(found.bytes, [entry("read", 1), entry("write", 2)]);
        assert_eq!(found.requests, [entry("read", 3), entry("write", 4)]);
    }
}
