//! What a task may use and what is kept for it.

use crate::Invalid;

/// A thousandth of a CPU, the least that can be asked for, in billionths of a CPU.
const NANO_CPUS_MIN: u64 = 1_000_000;
/// The least memory that can be asked for, as in Docker.
const MEMORY_BYTES_MIN: u64 = 4 << 20;

/// Limits and reservations of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resources {
    /// What it may use at the most.
    pub limits: Option<Limits>,
    /// What its node keeps for it.
    pub reservations: Option<Reservations>,
}

/// What a task may use at the most; 0 means without limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Billionths of a CPU.
    pub nano_cpus: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Number of processes and threads.
    pub pids: u64,
}

/// What a node keeps for a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reservations {
    /// Billionths of a CPU.
    pub nano_cpus: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Counted or named resources that nodes declare.
    pub generic: Vec<GenericResource>,
}

/// A resource that a node declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GenericResource {
    /// One of a kind, known by name.
    Named {
        /// The kind.
        kind: String,
        /// Which one.
        value: String,
    },
    /// A number of a kind.
    Discrete {
        /// The kind.
        kind: String,
        /// How many.
        value: i64,
    },
}

impl Resources {
    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        let limits = self.limits.iter().map(|limits| (limits.nano_cpus, limits.memory_bytes));
        let kept = self.reservations.iter().map(|kept| (kept.nano_cpus, kept.memory_bytes));
        for (nano_cpus, memory_bytes) in limits.chain(kept) {
            if nano_cpus != 0 && nano_cpus < NANO_CPUS_MIN {
                return Err(Invalid::because(format!(
                    "invalid cpu value {}: Must be at least {}",
                    nano_cpus as f64 / 1e9,
                    NANO_CPUS_MIN as f64 / 1e9
                )));
            }
            if memory_bytes != 0 && memory_bytes < MEMORY_BYTES_MIN {
                return Err(Invalid::because(format!(
                    "invalid memory value {memory_bytes}: Must be at least 4MiB"
                )));
            }
        }
        Ok(())
    }
}
