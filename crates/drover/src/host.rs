//! What this host says of itself.

use std::collections::BTreeMap;
use std::path::Path;

use model::{Description, Engine, Platform, Plugin};

/// Drover's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Facts about this host that do not change while the daemon runs.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name.
    pub hostname: String,
    /// How many CPUs it has.
    pub cpus: u64,
    /// How much memory it has.
    pub memory_bytes: u64,
    /// Whether the kernel accounts for swap, so that it can be limited.
    pub swap_limit: bool,
    /// The release of its kernel.
    pub kernel: String,
    /// The name of its operating system.
    pub operating_system: String,
    /// Labels of the daemon's configuration.
    pub labels: BTreeMap<String, String>,
}

impl Host {
    /// Looks at this host.
    pub fn look(hostname: Option<String>, labels: BTreeMap<String, String>) -> Self {
        let own =
            || nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self {
            hostname: hostname.unwrap_or_else(own),
            cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64),
            memory_bytes: memory_bytes(),
            swap_limit: has_swap_limit(Path::new("/sys/fs/cgroup")),
            kernel: line("/proc/sys/kernel/osrelease"),
            operating_system: os_name(),
            labels,
        }
    }

    /// Describes this host to the cluster.
    pub fn description(&self) -> Description {
        let plugin = |kind: &str, name: &str| Plugin { kind: kind.into(), name: name.into() };
        Description {
            hostname: self.hostname.clone(),
            platform: Platform { architecture: std::env::consts::ARCH.into(), os: "linux".into() },
            nano_cpus: self.cpus * 1_000_000_000,
            memory_bytes: self.memory_bytes,
            generic: Vec::new(),
            engine: Engine {
                version: VERSION.into(),
                labels: self.labels.clone(),
                plugins: vec![
                    plugin("Log", "json-file"),
                    plugin("Network", "overlay"),
                    plugin("Volume", "local"),
                ],
            },
        }
    }
}

fn line(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn memory_bytes() -> u64 {
    let text = line("/proc/meminfo");
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = total.and_then(|total| total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// Looks for the files that limit swap: in version 1 the top has one, in version 2 only what is below it.
fn has_swap_limit(cgroups: &Path) -> bool {
    let has_below = |dir: &Path| {
        let below = std::fs::read_dir(dir).into_iter().flatten().flatten();
        below.map(|entry| entry.path().join("memory.swap.max")).any(|file| file.exists())
    };
    cgroups.join("memory/memory.memsw.limit_in_bytes").exists()
        || has_below(cgroups)
        || has_below(&cgroups.join("unified"))
}

fn os_name() -> String {
    let text = line("/etc/os-release");
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".into(), |name| name.trim_matches('"').to_owned())
}
