//! What a change of a container that is there makes of its configuration.

use container_json::Resources;

use crate::Error;

/// Returns the limits with those that are said in place of those before, or refuses what contradicts them.
pub fn limits(before: &Resources, said: Resources) -> Result<Resources, Error> {
    let mut limits = before.clone();
    let number = |limit: &mut i64, said: i64| {
        if said != 0 {
            *limit = said;
        }
    };
    if said.memory > 0 && said.memory_swap == 0 && before.memory_swap > 0 && said.memory > before.memory_swap
    {
        return Err(Error::conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ));
    }
    // A processor share is said in one way or the other.
    if said.nano_cpus > 0 && (before.cpu_period > 0 || before.cpu_quota > 0) {
        let which = if before.cpu_period > 0 { "CPU Period" } else { "CPU Quota" };
        return Err(Error::conflict(format!(
            "Conflicting options: Nano CPUs cannot be updated as {which} has already been set"
        )));
    }
    if before.nano_cpus > 0 && (said.cpu_period > 0 || said.cpu_quota > 0) {
        let which = if said.cpu_period > 0 { "CPU Period" } else { "CPU Quota" };
        return Err(Error::conflict(format!(
            "Conflicting options: {which} cannot be updated as NanoCPUs has already been set"
        )));
    }
    number(&mut limits.cpu_shares, said.cpu_shares);
    number(&mut limits.memory, said.memory);
    number(&mut limits.nano_cpus, said.nano_cpus);
    number(&mut limits.cpu_period, said.cpu_period);
    number(&mut limits.cpu_quota, said.cpu_quota);
    number(&mut limits.memory_reservation, said.memory_reservation);
    number(&mut limits.memory_swap, said.memory_swap);
    if said.blkio_weight != 0 {
        limits.blkio_weight = said.blkio_weight;
    }
    if !said.cpuset_cpus.is_empty() {
        limits.cpuset_cpus = said.cpuset_cpus;
    }
    if !said.cpuset_mems.is_empty() {
        limits.cpuset_mems = said.cpuset_mems;
    }
    if said.pids_limit.is_some() {
        limits.pids_limit = said.pids_limit;
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays() {
        let before =
            Resources { memory: 64 << 20, memory_swap: 128 << 20, cpu_shares: 5, ..Resources::default() };
        let said = Resources { cpu_shares: 7, pids_limit: Some(9), ..Resources::default() };

        let limits = limits(&before, said).unwrap();

        assert_eq!((limits.memory, limits.cpu_shares, limits.pids_limit), (64 << 20, 7, Some(9)));
    }

    #[test]
    fn contradictions_to_what_is_set_are_refused() {
        let before = Resources { memory_swap: 128 << 20, nano_cpus: 1, ..Resources::default() };
        for (said, text) in [
            (
                Resources { memory: 256 << 20, ..Resources::default() },
                "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same \
                 time",
            ),
            (
                Resources { cpu_quota: 5000, ..Resources::default() },
                "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
            ),
        ] {
            assert_eq!(limits(&before, said).unwrap_err().text(), text);
        }
    }
}
