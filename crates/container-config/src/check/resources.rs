//! Limits that can be kept.

use container_json::Resources;

use crate::Error;

const MEMORY_MIN: i64 = 6 << 20;

/// Checks limits for a host with so many processors.
pub fn check(limits: &Resources, processors: usize) -> Result<(), Error> {
    let said = memory(limits).or_else(|| cpu(limits, processors)).or_else(|| others(limits));
    said.map_or(Ok(()), |said| Err(Error::invalid(said)))
}

fn memory(limits: &Resources) -> Option<String> {
    let Resources { memory, memory_swap: swap, memory_reservation: reservation, .. } = *limits;
    let said = if memory < 0 || (memory != 0 && memory < MEMORY_MIN) {
        "Minimum memory limit allowed is 6MB".to_owned()
    } else if memory > 0 && swap > 0 && swap < memory {
        "Minimum memoryswap limit should be larger than memory limit, see usage".to_owned()
    } else if memory == 0 && swap > 0 {
        "You should always set the Memory limit when using Memoryswap limit, see usage".to_owned()
    } else if let Some(value) = limits.memory_swappiness.filter(|value| !(-1..=100).contains(value)) {
        format!("Invalid value: {value}, valid memory swappiness range is 0-100")
    } else if reservation != 0 && reservation < MEMORY_MIN {
        "Minimum memory reservation allowed is 6MB".to_owned()
    } else if memory > 0 && memory < reservation {
        "Minimum memory limit can not be less than memory reservation limit, see usage".to_owned()
    } else {
        return None;
    };
    Some(said)
}

fn cpu(limits: &Resources, processors: usize) -> Option<String> {
    let Resources { nano_cpus, cpu_period: period, cpu_quota: quota, cpu_shares: shares, .. } = *limits;
    let most = i64::try_from(processors).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    let said = if nano_cpus > 0 && period > 0 {
        "Conflicting options: Nano CPUs and CPU Period cannot both be set".to_owned()
    } else if nano_cpus > 0 && quota > 0 {
        "Conflicting options: Nano CPUs and CPU Quota cannot both be set".to_owned()
    } else if nano_cpus < 0 || nano_cpus > most {
        format!(
            "range of CPUs is from 0.01 to {processors}.00, as there are only {processors} CPUs available"
        )
    } else if shares < 0 {
        format!("invalid CPU shares ({shares}): value must be a positive integer")
    } else if period != 0 && !(1000..=1_000_000).contains(&period) {
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)".to_owned()
    } else if quota > 0 && quota < 1000 {
        "CPU cfs quota can not be less than 1ms (i.e. 1000)".to_owned()
    } else {
        return cpuset(&limits.cpuset_cpus, processors);
    };
    Some(said)
}

fn cpuset(written: &str, processors: usize) -> Option<String> {
    let number = |text: &str| text.parse::<usize>().ok();
    for part in written.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Some(format!("Invalid value {written} for cpuset cpus"));
        };
        if first > last {
            return Some(format!("Invalid value {written} for cpuset cpus"));
        }
        if last >= processors {
            let most = processors.saturating_sub(1);
            return Some(format!(
                "Requested CPUs are not available - requested {written}, available: 0-{most}"
            ));
        }
    }
    None
}

fn others(limits: &Resources) -> Option<String> {
    let weight = limits.blkio_weight;
    if weight != 0 && !(10..=1000).contains(&weight) {
        return Some("Range of blkio weight is from 10 to 1000".to_owned());
    }
    if let Some(limit) = limits.ulimits.iter().find(|limit| limit.hard >= 0 && limit.soft > limit.hard) {
        return Some(format!(
            "ulimit soft limit must be less than or equal to hard limit: {} > {}",
            limit.soft, limit.hard
        ));
    }
    if let Some(request) = limits.device_requests.first() {
        return Some(format!(
            "could not select device driver \"{}\" with capabilities: {:?}",
            request.driver, request.capabilities
        ));
    }
    for (given, what) in [
        (!limits.cgroup_parent.is_empty(), "--cgroup-parent"),
        (!limits.blkio_weight_device.is_empty(), "--blkio-weight-device"),
        (!limits.blkio_device_read_bps.is_empty(), "--device-read-bps"),
        (!limits.blkio_device_write_bps.is_empty(), "--device-write-bps"),
        (!limits.blkio_device_read_iops.is_empty(), "--device-read-iops"),
        (!limits.blkio_device_write_iops.is_empty(), "--device-write-iops"),
        (limits.cpu_realtime_period != 0, "--cpu-rt-period"),
        (limits.cpu_realtime_runtime != 0, "--cpu-rt-runtime"),
    ] {
        if given {
            return Some(format!("not supported: {what}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::check::tests::said;

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        for (limits, expected) in [
            (r#""Memory": 1"#, "Minimum memory limit allowed is 6MB"),
            (r#""Memory": -1"#, "Minimum memory limit allowed is 6MB"),
            (
                r#""Memory": 8000000, "MemorySwap": 7000000"#,
                "Minimum memoryswap limit should be larger than memory limit, see usage",
            ),
            (
                r#""MemorySwap": 7000000"#,
                "You should always set the Memory limit when using Memoryswap limit, see usage",
            ),
            (r#""MemorySwappiness": 101"#, "Invalid value: 101, valid memory swappiness range is 0-100"),
            (r#""MemoryReservation": 1"#, "Minimum memory reservation allowed is 6MB"),
            (
                r#""NanoCpus": 3000000000"#,
                "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
            ),
            (
                r#""NanoCpus": 1, "CpuQuota": 5000"#,
                "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
            ),
            (r#""CpuShares": -1"#, "invalid CPU shares (-1): value must be a positive integer"),
            (r#""CpuQuota": 10"#, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
            (r#""CpusetCpus": "0-x""#, "Invalid value 0-x for cpuset cpus"),
            (r#""CpusetCpus": "0,2""#, "Requested CPUs are not available - requested 0,2, available: 0-1"),
            (r#""BlkioWeight": 5"#, "Range of blkio weight is from 10 to 1000"),
            (r#""CgroupParent": "/x""#, "not supported: --cgroup-parent"),
            (
                r#""Ulimits": [{"Name": "nofile", "Soft": 2, "Hard": 1}]"#,
                "ulimit soft limit must be less than or equal to hard limit: 2 > 1",
            ),
        ] {
            let json = format!("{{\"HostConfig\": {{{limits}}}}}");
            assert_eq!(said(&json).as_deref(), Some(expected), "{json}");
        }
        assert_eq!(
            said(r#"{"HostConfig": {"Memory": 67108864, "MemorySwap": -1, "CpusetCpus": "0-1"}}"#),
            None
        );
    }
}
