//! The daemon and its host, for the Engine API.

use async_trait::async_trait;
use container_json::DiskUsage;
use docker_api::ApiError;
use docker_api::engine::{EventStream, System, UsageOf};
use engine::Sizes;
use engine_json as json;

use super::Engine;
use super::refusal::told;
use crate::host::VERSION;

/// The one runtime.
const RUNTIME: &str = "drover";
/// What may become of what containers say.
const LOG_DRIVERS: &[&str] = &["json-file", "local", "none"];

#[async_trait]
impl System for Engine {
    fn version(&self) -> json::Version {
        let api = (json::ApiVersion::CURRENT.to_string(), json::ApiVersion::MIN.to_string());
        // Docker's client reads the server's side from these details, not from the fields beside them.
        let details = [
            ("ApiVersion", api.0.as_str()),
            ("MinAPIVersion", api.1.as_str()),
            ("Os", "linux"),
            ("Arch", architecture()),
            ("KernelVersion", self.host.kernel.as_str()),
            ("Experimental", "false"),
        ];
        let own = json::Component {
            name: "Engine".into(),
            version: VERSION.into(),
            details: details.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        };
        json::Version {
            platform: json::PlatformName { name: format!("Drover {VERSION}") },
            components: vec![own],
            version: VERSION.into(),
            api_version: api.0,
            min_api_version: api.1,
            os: "linux".into(),
            arch: architecture().into(),
            kernel_version: self.host.kernel.clone(),
            ..json::Version::default()
        }
    }

    async fn info(&self) -> json::Info {
        let containers = self.engine.list(Sizes::Unknown).await;
        let count = |state: &str| containers.iter().filter(|each| each.state == state).count() as u64;
        let (running, paused) = (count("running"), count("paused"));
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        json::Info {
            id: self.host.hostname.clone(),
            containers: containers.len() as u64,
            containers_running: running,
            containers_paused: paused,
            containers_stopped: containers.len() as u64 - running - paused,
            images: self.images.list().len() as u64,
            driver: "overlay2".into(),
            plugins: json::Plugins {
                volume: words(&["local"]),
                network: words(&["bridge", "host", "none", "overlay"]),
                authorization: None,
                log: words(LOG_DRIVERS),
            },
            memory_limit: true,
            swap_limit: self.host.swap_limit,
            cpu_cfs_period: true,
            cpu_cfs_quota: true,
            cpu_shares: true,
            cpu_set: true,
            pids_limit: true,
            ipv4_forwarding: true,
            system_time: json::Time::from(crate::clock::now()).to_string(),
            logging_driver: "json-file".into(),
            cgroup_driver: "cgroupfs".into(),
            cgroup_version: if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
                "2"
            } else {
                "1"
            }
            .into(),
            kernel_version: self.host.kernel.clone(),
            operating_system: self.host.operating_system.clone(),
            os_type: "linux".into(),
            architecture: std::env::consts::ARCH.into(),
            n_cpu: self.host.cpus,
            mem_total: self.host.memory_bytes,
            docker_root_dir: self.data_root.clone(),
            name: self.host.hostname.clone(),
            labels: self.host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect(),
            server_version: VERSION.into(),
            // It runs containers itself: there is one way, and no other program.
            runtimes: [(RUNTIME.to_owned(), json::Runtime { path: RUNTIME.into() })].into(),
            default_runtime: RUNTIME.into(),
            init_binary: "docker-init".into(),
            live_restore_enabled: true,
            security_options: words(&["name=seccomp,profile=builtin"]),
            ..json::Info::default()
        }
    }

    fn events(&self, since: Option<json::Time>) -> EventStream {
        let listener = self.engine.events().listen(since);
        Box::pin(futures_util::stream::unfold(listener, |mut listener| async move {
            let event = listener.next().await?;
            Some((event, listener))
        }))
    }

    async fn disk_usage(&self, of: UsageOf) -> Result<DiskUsage, ApiError> {
        let UsageOf { images, containers, volumes, build_cache } = of;
        let usage = self.images.usage();
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let all = if images || containers {
            self.engine.list(if containers { Sizes::Measured } else { Sizes::Unknown }).await
        } else {
            Vec::new()
        };
        Ok(DiskUsage {
            layers_size: bytes(usage.layers_bytes),
            images: images.then(|| super::image::list_with_usage(&self.images, &usage, &all)),
            containers: containers.then_some(all),
            volumes: match volumes {
                true => Some(self.engine.volumes_list(Sizes::Measured).await.map_err(told)?),
                false => None,
            },
            build_cache: build_cache.then(Vec::new),
        })
    }

    async fn login(&self, auth: json::RegistryAuth) -> Result<json::LoginAnswer, ApiError> {
        self.log_in(&auth).await
    }
}

/// Returns the processor in Go's words, as Docker prints it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
