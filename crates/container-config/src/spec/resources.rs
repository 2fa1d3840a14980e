//! What a container may use of its host.

use container::Ulimit;
use container_json::Resources;

/// Returns the limits its cgroup keeps.
pub fn resources(written: &Resources) -> container::Resources {
    let some = |value: i64| u64::try_from(value).ok().filter(|value| *value != 0);
    let text = |text: &String| Some(text).filter(|text| !text.is_empty()).cloned();
    container::Resources {
        memory_bytes: some(written.memory),
        memory_reservation_bytes: some(written.memory_reservation),
        memory_swap_bytes: Some(written.memory_swap).filter(|swap| *swap != 0),
        memory_swappiness: written.memory_swappiness.and_then(|value| u64::try_from(value).ok()),
        oom_kill_disable: written.oom_kill_disable.unwrap_or(false),
        nano_cpus: some(written.nano_cpus),
        cpu_quota_us: Some(written.cpu_quota).filter(|quota| *quota != 0),
        cpu_period_us: some(written.cpu_period),
        cpu_shares: some(written.cpu_shares),
        cpuset_cpus: text(&written.cpuset_cpus),
        cpuset_mems: text(&written.cpuset_mems),
        blkio_weight: Some(written.blkio_weight).filter(|weight| *weight != 0),
        pids: written.pids_limit.and_then(some),
    }
}

/// Returns the limits of its processes; below zero is without limit.
pub(super) fn ulimits(written: &Resources) -> Vec<Ulimit> {
    let value = |limit: i64| u64::try_from(limit).unwrap_or(u64::MAX);
    let limits = written.ulimits.iter();
    limits
        .map(|limit| Ulimit { name: limit.name.clone(), soft: value(limit.soft), hard: value(limit.hard) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_minus_one_are_no_limits() {
        assert_eq!(resources(&Resources::default()), container::Resources::default());
        let written = Resources {
            pids_limit: Some(-1),
            memory_swappiness: Some(-1),
            memory_swap: -1,
            memory: 64 << 20,
            ..Resources::default()
        };

        let limits = resources(&written);

        assert_eq!((limits.pids, limits.memory_swappiness), (None, None));
        assert_eq!((limits.memory_bytes, limits.memory_swap_bytes), (Some(64 << 20), Some(-1)));
    }
}
