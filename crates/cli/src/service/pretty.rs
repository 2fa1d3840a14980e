//! A service as `service inspect --pretty` shows it.

use std::fmt::Write as _;

use client::{Context, Route};
use engine_json::{
    ContainerSpec, Healthcheck, Mode, NetworkInspect, Placement, Resources, Service, ServiceSpec, Time,
    UpdateConfig, UpdateStatus,
};
use format::{duration, size};

/// Returns the names of the networks a service is attached to; one that cannot be found keeps its id.
pub(super) async fn network_names(context: &Context, service: &Service) -> Vec<String> {
    let mut names = Vec::new();
    for network in &service.spec.task_template.networks {
        let found =
            context.engine.get::<NetworkInspect>(Route::new(format!("/networks/{}", network.target))).await;
        names.push(found.map_or_else(|_| network.target.clone(), |network| network.name));
    }
    names
}

/// Shows a service.
pub(super) fn page(service: &Service, networks: &[String], now: Time) -> String {
    let mut page = Page(String::new());
    let spec = &service.spec;
    page.line(format!("\nID:\t\t{}\nName:\t\t{}", service.id, spec.name));
    if !spec.labels.is_empty() {
        page.line("Labels:");
        spec.labels.iter().for_each(|(key, value)| page.line(format!(" {key}={value}")));
    }
    page.mode(&spec.mode);
    if let Some(status) = &service.update_status {
        page.update_status(status, now);
    }
    page.line("Placement:");
    if let Some(placement) = &spec.task_template.placement {
        page.placement(placement);
    }
    if let Some(config) = &spec.update_config {
        page.update("Update", config);
    }
    if let Some(config) = &spec.rollback_config {
        page.update("Rollback", config);
    }
    if let Some(container) = &spec.task_template.container_spec {
        page.container(container);
    }
    page.rest(service, spec, networks);
    page.line("");
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, text: impl AsRef<str>) {
        self.0.push_str(text.as_ref());
        self.0.push('\n');
    }

    fn mode(&mut self, mode: &Mode) {
        match (&mode.replicated, &mode.replicated_job) {
            (Some(replicated), _) => {
                self.line(format!(
                    "Service Mode:\tReplicated\n Replicas:\t{}",
                    replicated.replicas.unwrap_or(1)
                ));
            }
            (None, Some(job)) => self.line(format!(
                "Service Mode:\tReplicated Job\n Max Concurrent:\t{}\n Total Completions:\t{}",
                job.max_concurrent.unwrap_or(1),
                job.total_completions.unwrap_or(1)
            )),
            (None, None) if mode.global_job.is_some() => self.line("Service Mode:\tGlobal Job"),
            (None, None) => self.line("Service Mode:\tGlobal"),
        }
    }

    fn update_status(&mut self, status: &UpdateStatus, now: Time) {
        self.line(format!("UpdateStatus:\n State:\t\t{}", status.state));
        for (name, time) in [("Started", status.started_at), ("Completed", status.completed_at)] {
            if let Some(time) = time {
                self.line(format!(" {name}:\t{} ago", duration::human(now.since(time)).to_lowercase()));
            }
        }
        self.line(format!(" Message:\t{}", status.message));
    }

    fn placement(&mut self, placement: &Placement) {
        if !placement.constraints.is_empty() {
            self.line(format!(" Constraints:\t[{}]", placement.constraints.join(" ")));
        }
        let spread: Vec<String> = placement
            .preferences
            .iter()
            .filter_map(|preference| preference.spread.as_ref())
            .map(|over| format!("spread={}", over.spread_descriptor))
            .collect();
        if !spread.is_empty() {
            self.line(format!(" Preferences:   [{}]", spread.join(" ")));
        }
        if placement.max_replicas > 0 {
            self.line(format!(" Max Replicas Per Node:   {}", placement.max_replicas));
        }
    }

    fn update(&mut self, name: &str, config: &UpdateConfig) {
        self.line(format!("{name}Config:\n Parallelism:\t{}", config.parallelism));
        if config.delay != 0 {
            self.line(format!(" Delay:\t\t{}", duration::show(config.delay)));
        }
        self.line(format!(" On failure:\t{}", config.failure_action));
        if config.monitor != 0 {
            self.line(format!(" Monitoring Period: {}", duration::show(config.monitor)));
        }
        self.line(format!(" Max failure ratio: {}", config.max_failure_ratio));
        let order = format!("{name} order:");
        self.line(format!(" {order:<18} {}", config.order));
    }

    fn container(&mut self, container: &ContainerSpec) {
        self.line(format!("ContainerSpec:\n Image:\t\t{}", container.image));
        for (name, words) in [("Args", &container.args), ("Env", &container.env)] {
            if !words.is_empty() {
                self.line(format!(" {name}:\t\t{} ", words.join(" ")));
            }
        }
        if !container.dir.is_empty() {
            self.line(format!(" Dir:\t\t{}", container.dir));
        }
        if let Some(init) = container.init {
            self.line(format!(" Init:\t\t{init}"));
        }
        if !container.user.is_empty() {
            self.line(format!(" User: {}", container.user));
        }
        if !container.capability_add.is_empty() || !container.capability_drop.is_empty() {
            self.line("Capabilities:");
            for (name, list) in [("Add", &container.capability_add), ("Drop", &container.capability_drop)] {
                if !list.is_empty() {
                    self.line(format!(" {name}: {}", list.join(", ")));
                }
            }
        }
        if !container.sysctls.is_empty() {
            self.line("SysCtls:");
            container.sysctls.iter().for_each(|(key, value)| self.line(format!(" {key}: {value}")));
        }
        if !container.ulimits.is_empty() {
            self.line("Ulimits:");
            container
                .ulimits
                .iter()
                .for_each(|limit| self.line(format!(" {}: {}:{}", limit.name, limit.soft, limit.hard)));
        }
        if !container.mounts.is_empty() {
            self.line("Mounts:");
        }
        for mount in &container.mounts {
            self.line(format!(
                " Target:\t{}\n  Source:\t{}\n  ReadOnly:\t{}\n  Type:\t\t{}",
                mount.target, mount.source, mount.read_only, mount.kind
            ));
        }
    }

    fn rest(&mut self, service: &Service, spec: &ServiceSpec, networks: &[String]) {
        if let Some(driver) = &spec.task_template.log_driver {
            self.line(format!("Log Driver:\n Name:\t\t{}", driver.name));
            if !driver.options.is_empty() {
                self.line(" LogOpts:");
                driver
                    .options
                    .iter()
                    .for_each(|(key, value)| self.line(format!("  {:<15} {value}", format!("{key}:"))));
                self.line("");
            }
        }
        if let Some(resources) = &spec.task_template.resources {
            self.resources(resources);
        }
        if !networks.is_empty() {
            self.line(format!("Networks: {} ", networks.join(" ")));
        }
        let mode = spec.endpoint_spec.as_ref().map(|endpoint| endpoint.mode.as_str()).unwrap_or_default();
        self.line(format!("Endpoint Mode:\t{mode}"));
        if !service.endpoint.ports.is_empty() {
            self.line("Ports:");
        }
        for port in &service.endpoint.ports {
            self.line(format!(
                " PublishedPort = {}\n  Protocol = {}\n  TargetPort = {}\n  PublishMode = {}",
                port.published_port, port.protocol, port.target_port, port.publish_mode
            ));
        }
        let container = spec.task_template.container_spec.as_ref();
        if let Some(check) = container.and_then(|container| container.healthcheck.as_ref()) {
            self.health(check);
        }
    }

    fn resources(&mut self, resources: &Resources) {
        self.line("Resources:");
        let mut part = |name: &str, cpus: i64, memory: i64, pids: i64| {
            if cpus == 0 && memory == 0 && pids == 0 {
                return;
            }
            let mut lines = format!(" {name}:");
            if cpus != 0 {
                let _ = write!(lines, "\n  CPU:\t\t{}", cpus as f64 / 1e9);
            }
            if memory != 0 {
                let _ = write!(lines, "\n  Memory:\t{}", size::binary(memory));
            }
            if pids != 0 {
                let _ = write!(lines, "\n  PIDs:\t\t{pids}");
            }
            self.line(lines);
        };
        if let Some(kept) = &resources.reservations {
            part("Reservations", kept.nano_cpus, kept.memory_bytes, 0);
        }
        if let Some(limits) = &resources.limits {
            part("Limits", limits.nano_cpus, limits.memory_bytes, limits.pids);
        }
    }

    fn health(&mut self, check: &Healthcheck) {
        self.line(format!(
            " Healthcheck:\n  Interval = {}\n  Retries = {}\n  StartPeriod =\t{}\n  Timeout =\t{}",
            duration::show(check.interval),
            check.retries,
            duration::show(check.start_period),
            duration::show(check.timeout)
        ));
        if !check.test.is_empty() {
            self.line("  Tests:");
            check.test.iter().for_each(|word| self.line(format!("\t Test = {word}")));
        }
    }
}
