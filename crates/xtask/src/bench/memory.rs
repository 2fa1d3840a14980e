//! What processes weigh.

use std::fs;

/// Weights, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weight {
    /// What only the process has.
    pub private: u64,
    /// That, and its part of what it shares.
    pub proportional: u64,
    /// Everything it touches.
    pub resident: u64,
}

impl std::ops::AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        self.private += other.private;
        self.proportional += other.proportional;
        self.resident += other.resident;
    }
}

/// The processes of one side, by what they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weights {
    pub daemons: Weight,
    pub shims: Weight,
    pub shim_count: u64,
    /// The containers' own programs, which are the same on both sides.
    pub payload: Weight,
}

impl Weights {
    /// Weighs processes; `shim` marks the command line of a shim.
    pub fn of(pids: &[u32], shim: &str) -> Self {
        let own = namespace(std::process::id());
        let mut weights = Self::default();
        for pid in pids {
            let weight = weigh(*pid);
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if namespace(*pid) != own {
                weights.payload += weight;
            } else if String::from_utf8_lossy(&command).contains(shim) {
                weights.shims += weight;
                weights.shim_count += 1;
            } else {
                weights.daemons += weight;
            }
        }
        weights
    }

    /// Returns what running containers costs beside the containers' own programs.
    pub fn overhead(&self) -> Weight {
        let mut sum = self.daemons;
        sum += self.shims;
        sum
    }
}

/// Weighs one process; one that has ended weighs nothing.
pub fn weigh(pid: u32) -> Weight {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kibibytes = value.and_then(|value| value.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kibibytes.unwrap_or(0) * 1024
    };
    Weight {
        private: field("Private_Clean") + field("Private_Dirty"),
        proportional: field("Pss"),
        resident: field("Rss"),
    }
}

/// Returns the namespace of process ids: a container's program has one of its own.
fn namespace(pid: u32) -> Option<std::path::PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}
