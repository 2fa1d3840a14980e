//! What a container may use of its host.

use clap::Args;
use container_json::{HostConfig, Resources};
use engine_json::Ulimit;
use flags::text::switch;
use flags::{Invalid, Result, refuse};
use format::size;

use crate::device::DeviceFlags;
use crate::text::{cpus, number};

/// What a value of `--memory-swappiness` may be; -1 leaves it to the host.
const SWAPPINESS_MAX: i64 = 100;
/// The limits of a process that there are.
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Limits that are also changed while a container runs.
#[derive(Debug, Args)]
pub(crate) struct Live {
    /// Its weight for disks, 10 to 1000
    #[arg(long, value_name = "WEIGHT", default_value_t = 0, hide_default_value = true)]
    blkio_weight: u16,
    /// Microseconds over which `--cpu-quota` counts
    #[arg(long, value_name = "MICROSECONDS", value_parser = number)]
    cpu_period: Option<i64>,
    /// Microseconds of processor time in each period
    #[arg(long, value_name = "MICROSECONDS", value_parser = number, allow_negative_numbers = true)]
    cpu_quota: Option<i64>,
    /// The same for real-time processes
    #[arg(long, value_name = "MICROSECONDS", value_parser = number)]
    cpu_rt_period: Option<i64>,
    /// Microseconds of real-time processes in each period
    #[arg(long, value_name = "MICROSECONDS", value_parser = number)]
    cpu_rt_runtime: Option<i64>,
    /// Its weight for processors
    #[arg(short, long, value_name = "WEIGHT", value_parser = number)]
    cpu_shares: Option<i64>,
    /// How many CPUs, such as 1.5
    #[arg(long, value_name = "COUNT", value_parser = cpus)]
    cpus: Option<i64>,
    /// Processors it may use, such as `0-3` or `0,1`
    #[arg(long, value_name = "LIST", default_value = "", hide_default_value = true)]
    cpuset_cpus: String,
    /// Memory nodes it may use
    #[arg(long, value_name = "LIST", default_value = "", hide_default_value = true)]
    cpuset_mems: String,
    /// Without effect
    #[arg(long, value_name = "BYTES", value_parser = size::parse, hide = true)]
    kernel_memory: Option<i64>,
    /// How much memory
    #[arg(short, long, value_name = "BYTES", value_parser = size::parse, allow_negative_numbers = true)]
    memory: Option<i64>,
    /// What its memory is pressed down to when memory is scarce
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    memory_reservation: Option<i64>,
    /// Memory and swap together; -1 is without limit
    #[arg(long, value_name = "BYTES", value_parser = swap, allow_negative_numbers = true)]
    memory_swap: Option<i64>,
    /// How many processes and threads; -1 is without limit
    #[arg(long, value_name = "COUNT", value_parser = number, allow_negative_numbers = true)]
    pids_limit: Option<i64>,
}

impl Live {
    /// Claims that some flag is given.
    pub(crate) fn is_given(&self) -> bool {
        let Self {
            blkio_weight,
            cpu_period,
            cpu_quota,
            cpu_rt_period,
            cpu_rt_runtime,
            cpu_shares,
            cpus,
            cpuset_cpus,
            cpuset_mems,
            kernel_memory,
            memory,
            memory_reservation,
            memory_swap,
            pids_limit,
        } = self;
        let numbers = [
            cpu_period,
            cpu_quota,
            cpu_rt_period,
            cpu_rt_runtime,
            cpu_shares,
            cpus,
            kernel_memory,
            memory,
            memory_reservation,
            memory_swap,
            pids_limit,
        ];
        *blkio_weight != 0
            || !cpuset_cpus.is_empty()
            || !cpuset_mems.is_empty()
            || numbers.iter().any(|number| number.is_some())
    }

    /// Writes what is given into limits.
    pub(crate) fn apply(&self, resources: &mut Resources) {
        resources.blkio_weight = self.blkio_weight;
        resources.cpu_period = self.cpu_period.unwrap_or(0);
        resources.cpu_quota = self.cpu_quota.unwrap_or(0);
        resources.cpu_realtime_period = self.cpu_rt_period.unwrap_or(0);
        resources.cpu_realtime_runtime = self.cpu_rt_runtime.unwrap_or(0);
        resources.cpu_shares = self.cpu_shares.unwrap_or(0);
        resources.nano_cpus = self.cpus.unwrap_or(0);
        resources.cpuset_cpus.clone_from(&self.cpuset_cpus);
        resources.cpuset_mems.clone_from(&self.cpuset_mems);
        resources.memory = self.memory.unwrap_or(0);
        resources.memory_reservation = self.memory_reservation.unwrap_or(0);
        resources.memory_swap = self.memory_swap.unwrap_or(0);
        resources.pids_limit = self.pids_limit;
    }
}

/// Limits of a new container.
#[derive(Debug, Args)]
pub(crate) struct LimitFlags {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    devices: DeviceFlags,
    /// The cgroup above its own
    #[arg(long, value_name = "CGROUP", default_value = "", hide_default_value = true)]
    cgroup_parent: String,
    /// How eagerly its memory is swapped, 0 to 100
    #[arg(long, value_name = "PERCENT", value_parser = number, allow_negative_numbers = true)]
    memory_swappiness: Option<i64>,
    /// Stall it when its memory is used up, in place of killing it
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    oom_kill_disable: Option<bool>,
    /// How readily the kernel kills it for memory, -1000 to 1000
    #[arg(long, value_name = "SCORE", value_parser = number, allow_negative_numbers = true)]
    oom_score_adj: Option<i64>,
    /// The size of `/dev/shm`
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    shm_size: Option<i64>,
    /// A limit of its processes, `NAME=SOFT[:HARD]`
    #[arg(long, value_name = "LIMIT", value_parser = ulimit)]
    ulimit: Vec<Ulimit>,
}

impl LimitFlags {
    /// Writes what is given into a container.
    pub(crate) fn apply(&self, host: &mut HostConfig) -> Result<()> {
        let swappiness = self.memory_swappiness.unwrap_or(-1);
        if !(-1..=SWAPPINESS_MAX).contains(&swappiness) {
            return refuse(format!("invalid value: {swappiness}. Valid memory swappiness range is 0-100"));
        }
        let resources = &mut host.resources;
        self.live.apply(resources);
        self.devices.apply(resources)?;
        resources.pids_limit.get_or_insert(0);
        resources.cgroup_parent.clone_from(&self.cgroup_parent);
        resources.memory_swappiness = Some(swappiness);
        resources.oom_kill_disable = Some(self.oom_kill_disable.unwrap_or(false));
        for limit in &self.ulimit {
            resources.ulimits.retain(|known| known.name != limit.name);
            resources.ulimits.push(limit.clone());
        }
        resources.ulimits.sort_by(|a, b| a.name.cmp(&b.name));
        host.oom_score_adj = self.oom_score_adj.unwrap_or(0);
        host.shm_size = self.shm_size.unwrap_or(0);
        Ok(())
    }
}

fn swap(text: &str) -> Result<i64> {
    match text {
        "-1" => Ok(-1),
        text => size::parse(text).map_err(|error| Invalid::because(error.to_string())),
    }
}

/// Reads `NAME=SOFT[:HARD]`.
fn ulimit(text: &str) -> Result<Ulimit> {
    let Some((name, limits)) = text.split_once('=') else {
        return refuse(format!("invalid ulimit argument: {text}"));
    };
    if !ULIMITS.contains(&name) {
        return refuse(format!("invalid ulimit type: {name}"));
    }
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    if hard.contains(':') {
        return refuse(format!(
            "too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`"
        ));
    }
    let (soft, hard) = (number(soft)?, number(hard)?);
    if hard != -1 && soft == -1 {
        return refuse(format!(
            "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: {hard}"
        ));
    }
    if hard != -1 && soft > hard {
        return refuse(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        ));
    }
    Ok(Ulimit { name: name.to_owned(), hard, soft })
}
