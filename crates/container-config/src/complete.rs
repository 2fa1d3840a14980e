//! What Docker takes for what a client leaves open, and shows from then on.

use container::{MASKED_PATHS, READ_ONLY_PATHS};
use container_json::{Config, HostConfig};

use crate::Error;
use crate::check::NetworkMode;
use crate::spec::LOG_DRIVERS;

/// How many bytes `/dev/shm` has if nothing is said.
const SHM_BYTES: i64 = 64 << 20;

/// Gives the container its name as a host where it has one of its own.
pub fn config(mut config: Config, host_config: &HostConfig, id: &str) -> Result<Config, Error> {
    let network = NetworkMode::parse(&host_config.network_mode)?;
    let has_own =
        matches!(network, NetworkMode::Bridge | NetworkMode::None) && host_config.uts_mode != "host";
    if config.hostname.is_empty() && has_own {
        config.hostname = id.chars().take(12).collect();
    }
    Ok(config)
}

/// Writes out what Docker shows of what the client left open.
pub fn host_config(mut config: HostConfig) -> HostConfig {
    let or = |text: &mut String, default: &str| {
        if text.is_empty() {
            *text = default.to_owned();
        }
    };
    if matches!(config.network_mode.as_str(), "" | "default") {
        config.network_mode = "bridge".to_owned();
    }
    or(&mut config.log_config.kind, LOG_DRIVERS[0]);
    or(&mut config.restart_policy.name, "no");
    or(&mut config.ipc_mode, "private");
    or(&mut config.runtime, "runc");
    if config.shm_size == 0 && matches!(config.ipc_mode.as_str(), "private" | "shareable") {
        config.shm_size = SHM_BYTES;
    }
    let limits = &mut config.resources;
    if limits.memory > 0 && limits.memory_swap == 0 {
        limits.memory_swap = limits.memory.saturating_mul(2);
    }
    if limits.memory_swappiness == Some(-1) {
        limits.memory_swappiness = None;
    }
    config
}

/// Writes out which paths are hidden and which can only be read, where the client leaves that open.
pub fn paths(mut config: HostConfig) -> HostConfig {
    let list = |paths: &[&str]| Some(paths.iter().map(|path| (*path).to_owned()).collect());
    if !config.privileged {
        config.masked_paths = config.masked_paths.or_else(|| list(MASKED_PATHS));
        config.readonly_paths = config.readonly_paths.or_else(|| list(READ_ONLY_PATHS));
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_docker_shows() {
        let mut written = HostConfig::default();
        written.resources.memory = 64 << 20;

        let shown = host_config(written);

        assert_eq!((shown.network_mode.as_str(), shown.ipc_mode.as_str()), ("bridge", "private"));
        assert_eq!((shown.log_config.kind.as_str(), shown.restart_policy.name.as_str()), ("json-file", "no"));
        assert_eq!((shown.shm_size, shown.resources.memory_swap), (SHM_BYTES, 128 << 20));
    }

    #[test]
    fn privileged_containers_see_everything() {
        let privileged = HostConfig { privileged: true, ..HostConfig::default() };
        let unmasked = HostConfig { masked_paths: Some(Vec::new()), ..HostConfig::default() };

        assert_eq!(paths(privileged).masked_paths, None);
        assert_eq!(paths(unmasked).masked_paths, Some(Vec::new()));
        assert!(paths(HostConfig::default()).readonly_paths.is_some());
    }
}
