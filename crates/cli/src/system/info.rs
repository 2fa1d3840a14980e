//! `info` and `system info`

use anyhow::Result;
use clap::Args;
use client::{Context, Route};
use engine_json::{Info, SwarmInfo};
use format::{duration, size};
use serde_json::Value;

use format::capitalized;

/// How the daemon is shown.
#[derive(Debug, Default, Args)]
pub struct Arguments {
    /// Show it with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let raw: Value = context.engine.get(Route::new("/info")).await?;
    if let Some(format) = arguments.format {
        let shown = format::object(&raw, &format)?;
        return Ok(context.console.line(&shown)?);
    }
    let info: Info = serde_json::from_value(raw)?;
    let mut page = Page(format!("Client:\n Version:    {}\n\nServer:\n", env!("CARGO_PKG_VERSION")));
    page.daemon(&info);
    page.swarm(&info.swarm);
    page.host(&info);
    context.console.write(&page.0)?;
    for warning in info.warnings.unwrap_or_default() {
        context.console.complain(&warning);
    }
    Ok(())
}

struct Page(String);

impl Page {
    fn line(&mut self, depth: usize, name: &str, value: impl std::fmt::Display) {
        let value = value.to_string();
        let space = if value.is_empty() { "" } else { " " };
        self.0.push_str(&format!("{}{name}:{space}{value}\n", " ".repeat(depth)));
    }

    fn daemon(&mut self, info: &Info) {
        self.line(1, "Containers", info.containers);
        self.line(2, "Running", info.containers_running);
        self.line(2, "Paused", info.containers_paused);
        self.line(2, "Stopped", info.containers_stopped);
        self.line(1, "Images", info.images);
        self.line(1, "Server Version", &info.server_version);
        self.line(1, "Storage Driver", &info.driver);
        for [name, value] in &info.driver_status {
            self.line(2, name, value);
        }
        self.line(1, "Logging Driver", &info.logging_driver);
        self.line(1, "Cgroup Driver", &info.cgroup_driver);
        self.line(1, "Cgroup Version", &info.cgroup_version);
        self.line(1, "Plugins", "");
        self.line(2, "Volume", info.plugins.volume.join(" "));
        self.line(2, "Network", info.plugins.network.join(" "));
        self.line(2, "Log", info.plugins.log.join(" "));
    }

    fn swarm(&mut self, swarm: &SwarmInfo) {
        self.line(1, "Swarm", &swarm.local_node_state);
        if matches!(swarm.local_node_state.as_str(), "inactive" | "locked" | "") {
            return;
        }
        self.line(2, "NodeID", &swarm.node_id);
        if !swarm.error.is_empty() {
            self.line(2, "Error", &swarm.error);
        }
        self.line(2, "Is Manager", swarm.control_available);
        if let Some(cluster) = swarm.cluster.as_ref().filter(|_| swarm.control_available) {
            self.line(2, "ClusterID", &cluster.id);
            self.line(2, "Managers", swarm.managers);
            self.line(2, "Nodes", swarm.nodes);
            self.line(2, "Default Address Pool", cluster.default_addr_pool.join(" "));
            self.line(2, "SubnetSize", cluster.subnet_size);
            self.line(2, "Data Path Port", cluster.data_path_port);
            let spec = &cluster.spec;
            self.line(2, "Orchestration", "");
            let limit = spec.orchestration.task_history_retention_limit.unwrap_or(0);
            self.line(3, "Task History Retention Limit", limit);
            self.line(2, "Raft", "");
            self.line(3, "Snapshot Interval", spec.raft.snapshot_interval);
            self.line(3, "Number of Old Snapshots to Retain", spec.raft.keep_old_snapshots.unwrap_or(0));
            self.line(3, "Heartbeat Tick", spec.raft.heartbeat_tick);
            self.line(3, "Election Tick", spec.raft.election_tick);
            self.line(2, "Dispatcher", "");
            self.line(3, "Heartbeat Period", human(spec.dispatcher.heartbeat_period));
            self.line(2, "CA Configuration", "");
            self.line(3, "Expiry Duration", human(spec.ca_config.node_cert_expiry));
            self.line(3, "Force Rotate", spec.ca_config.force_rotate);
            self.line(2, "Autolock Managers", spec.encryption_config.auto_lock_managers);
            self.line(2, "Root Rotation In Progress", cluster.root_rotation_in_progress);
        }
        self.line(2, "Node Address", &swarm.node_addr);
        let mut managers: Vec<&str> =
            swarm.remote_managers.iter().flatten().map(|manager| manager.addr.as_str()).collect();
        managers.sort_unstable();
        if !managers.is_empty() {
            self.line(2, "Manager Addresses", "");
            managers.iter().for_each(|address| self.0.push_str(&format!("   {address}\n")));
        }
    }

    /// Shows an option such as `name=seccomp,profile=builtin`.
    fn security(&mut self, option: &str) {
        for pair in option.split(',') {
            match pair.split_once('=') {
                Some(("name", name)) => self.0.push_str(&format!("  {name}\n")),
                Some((key, value)) => self.line(3, &capitalized(key), value),
                None => self.0.push_str(&format!("  {pair}\n")),
            }
        }
    }

    fn host(&mut self, info: &Info) {
        self.line(1, "Runtimes", info.runtimes.keys().cloned().collect::<Vec<_>>().join(" "));
        self.line(1, "Default Runtime", &info.default_runtime);
        if !info.security_options.is_empty() {
            self.line(1, "Security Options", "");
            info.security_options.iter().for_each(|option| self.security(option));
        }
        self.line(1, "Kernel Version", &info.kernel_version);
        self.line(1, "Operating System", &info.operating_system);
        self.line(1, "OSType", &info.os_type);
        self.line(1, "Architecture", &info.architecture);
        self.line(1, "CPUs", info.n_cpu);
        self.line(1, "Total Memory", size::binary(i64::try_from(info.mem_total).unwrap_or(i64::MAX)));
        self.line(1, "Name", &info.name);
        self.line(1, "ID", &info.id);
        self.line(1, "Docker Root Dir", &info.docker_root_dir);
        self.line(1, "Debug Mode", info.debug);
        if !info.labels.is_empty() {
            self.line(1, "Labels", "");
            info.labels.iter().for_each(|label| self.0.push_str(&format!("  {label}\n")));
        }
        self.line(1, "Experimental", info.experimental_build);
        let insecure = &info.registry_config.insecure_registry_cidrs;
        if !insecure.is_empty() {
            self.line(1, "Insecure Registries", "");
            insecure.iter().for_each(|registry| self.0.push_str(&format!("  {registry}\n")));
        }
        self.line(1, "Live Restore Enabled", info.live_restore_enabled);
    }
}

fn human(nanoseconds: i64) -> String {
    duration::human(std::time::Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)))
}
