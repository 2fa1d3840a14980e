//! What containers use, as the API tells it.

use container::{BlockEntry, BlockIo, Cpu, Memory, Network, Pids};
use container_json::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats, Stats, ThrottlingData,
};

use crate::engine::json_time;
use crate::{Engine, Error};

impl Engine {
    /// Reads what a container uses at the moment; without figures if it does not run. What it used before is for
    /// whoever reads repeatedly to fill in.
    pub async fn stats(&self, name: &str) -> Result<Stats, Error> {
        let entry = self.entry(name)?;
        let of_whom = Stats { name: format!("/{}", entry.name()), id: entry.id.clone(), ..Stats::default() };
        match self.containers().stats(&entry.id).await {
            Ok(figures) => Ok(Stats { name: of_whom.name, id: of_whom.id, ..json(figures) }),
            Err(container::Error::NotRunning { .. }) => Ok(of_whom),
            Err(error) => Err(error.into()),
        }
    }
}

fn json(figures: container::Stats) -> Stats {
    let container::Stats { read_at, cpu, memory, pids, block_io, networks } = figures;
    let Pids { current, limit } = pids;
    let BlockIo { bytes, requests } = block_io;
    Stats {
        read: json_time(read_at),
        pids_stats: PidsStats { current, limit: limit.unwrap_or(0) },
        blkio_stats: BlkioStats {
            io_service_bytes_recursive: bytes.into_iter().map(block).collect(),
            io_serviced_recursive: requests.into_iter().map(block).collect(),
            ..BlkioStats::default()
        },
        cpu_stats: processor(cpu),
        memory_stats: memory_in_use(memory),
        networks: networks.into_iter().map(|(name, network)| (name, traffic(network))).collect(),
        ..Stats::default()
    }
}

fn processor(cpu: Cpu) -> CpuStats {
    let Cpu {
        total_ns,
        user_ns,
        kernel_ns,
        per_cpu_ns,
        periods,
        throttled_periods,
        throttled_ns,
        host_total_ns,
        online_cpus,
    } = cpu;
    CpuStats {
        cpu_usage: CpuUsage {
            total_usage: total_ns,
            percpu_usage: per_cpu_ns,
            usage_in_kernelmode: kernel_ns,
            usage_in_usermode: user_ns,
        },
        system_cpu_usage: host_total_ns,
        online_cpus,
        throttling_data: ThrottlingData { periods, throttled_periods, throttled_time: throttled_ns },
    }
}

fn memory_in_use(memory: Memory) -> MemoryStats {
    let Memory { usage_bytes, max_usage_bytes, limit_bytes, fail_count, details, host_bytes } = memory;
    MemoryStats {
        usage: usage_bytes,
        max_usage: max_usage_bytes.unwrap_or(0),
        stats: details,
        failcnt: fail_count,
        // Nobody can use more than there is.
        limit: limit_bytes.map_or(host_bytes, |limit| limit.min(host_bytes)),
    }
}

fn block(entry: BlockEntry) -> BlkioEntry {
    let BlockEntry { major, minor, operation, value } = entry;
    BlkioEntry { major, minor, op: operation, value }
}

fn traffic(network: Network) -> NetworkStats {
    let Network { received, sent } = network;
    NetworkStats {
        rx_bytes: received.bytes,
        rx_packets: received.packets,
        rx_errors: received.errors,
        rx_dropped: received.dropped,
        tx_bytes: sent.bytes,
        tx_packets: sent.packets,
        tx_errors: sent.errors,
        tx_dropped: sent.dropped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_the_host_is_the_limit_of_who_has_none() {
        for (limit_bytes, expected) in [(None, 100), (Some(40), 40), (Some(400), 100)] {
            let memory = Memory { limit_bytes, host_bytes: 100, usage_bytes: 7, ..Memory::default() };
            let shown = memory_in_use(memory);
            assert_eq!((shown.limit, shown.usage, shown.max_usage), (expected, 7, 0));
        }
    }

    #[test]
    fn processor_time_is_told_by_its_kinds() {
        let cpu = Cpu {
            total_ns: 10,
            user_ns: 6,
            kernel_ns: 4,
            per_cpu_ns: vec![3, 7],
            throttled_ns: 5,
            host_total_ns: 1_000,
            online_cpus: 2,
            ..Cpu::default()
        };

        let CpuStats { cpu_usage, system_cpu_usage, online_cpus, throttling_data } = processor(cpu);

        assert_eq!((cpu_usage.total_usage, cpu_usage.percpu_usage), (10, vec![3, 7]));
        assert_eq!((cpu_usage.usage_in_usermode, cpu_usage.usage_in_kernelmode), (6, 4));
        assert_eq!((system_cpu_usage, online_cpus, throttling_data.throttled_time), (1_000, 2, 5));
    }
}
