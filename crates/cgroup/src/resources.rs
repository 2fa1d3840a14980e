//! What may be used of the host.

use serde::{Deserialize, Serialize};

/// Limits kept by cgroups; none means no limit. What this host's cgroups do not know is left out, as in Docker:
/// swap without accounting, swappiness and disabled killing in version 2, weights without a scheduler that has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// The most memory.
    pub memory_bytes: Option<u64>,
    /// What memory is pressed back to when the host runs short.
    pub memory_reservation_bytes: Option<u64>,
    /// The most memory and swap together, -1 for no limit; none means twice the memory.
    pub memory_swap_bytes: Option<i64>,
    /// How readily its memory is swapped out, from 0 to 100.
    pub memory_swappiness: Option<u64>,
    /// Lets its processes wait for memory where the kernel would kill one.
    pub oom_kill_disable: bool,
    /// CPU time per time, in billionths of one CPU.
    pub nano_cpus: Option<u64>,
    /// CPU time per period, -1 for no limit; counts if `nano_cpus` is none.
    pub cpu_quota_us: Option<i64>,
    /// The period of the quota; none means 100 ms.
    pub cpu_period_us: Option<u64>,
    /// The relative weight when CPUs are short (1024 is usual).
    pub cpu_shares: Option<u64>,
    /// The CPUs it may run on, such as `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// The memory nodes it may use, such as `0,1`.
    pub cpuset_mems: Option<String>,
    /// The relative weight when disks are short, from 10 to 1000.
    pub blkio_weight: Option<u16>,
    /// The most processes and threads.
    pub pids: Option<u64>,
}

impl Resources {
    /// Says what is wrong with them, in Docker's words.
    pub fn check(&self) -> Result<(), String> {
        let memory = self.memory_bytes.filter(|bytes| *bytes != 0);
        match (memory, self.memory_swap_bytes.filter(|bytes| *bytes > 0)) {
            (None, Some(_)) => {
                return Err(
                    "You should always set the Memory limit when using Memoryswap limit, see usage".into()
                );
            }
            (Some(memory), Some(both)) if both.unsigned_abs() < memory => {
                return Err("Minimum memoryswap limit should be larger than memory limit, see usage".into());
            }
            _ => {}
        }
        if let Some(value) = self.memory_swappiness.filter(|value| *value > 100) {
            return Err(format!("Invalid value: {value}, valid memory swappiness range is 0-100"));
        }
        if self.blkio_weight.is_some_and(|weight| weight != 0 && !(10..=1000).contains(&weight)) {
            return Err("Range of blkio weight is from 10 to 1000".into());
        }
        Ok(())
    }
}
