//! Flags with one value that `service create` and `service update` share.

use clap::Args;
use engine_json::{ContainerSpec, Replicated, ServiceSpec, TaskSpec};
use flags::text::pair;
use flags::{Result, refuse};
use format::{duration, size};

use crate::health::Health;
use crate::rollout::Rollout;
use crate::{pairs, words};

/// Flags with one value.
#[derive(Debug, Args)]
pub struct Scalars {
    /// How the service's name resolves
    #[arg(long, value_parser = ["vip", "dnsrr"])]
    endpoint_mode: Option<String>,
    /// Replace the image's entrypoint
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
    /// The hostname inside the containers
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Reap processes with a small init
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    init: Option<bool>,
    /// Isolation technology; Linux knows only the default
    #[arg(long, value_name = "NAME")]
    isolation: Option<String>,
    /// How many CPUs a task may use
    #[arg(long, value_name = "DECIMAL", value_parser = pairs::cpus)]
    limit_cpu: Option<i64>,
    /// How much memory a task may use
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    limit_memory: Option<i64>,
    /// How many processes a task may have; 0 means without limit
    #[arg(long, value_name = "COUNT")]
    limit_pids: Option<i64>,
    /// Where output goes
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// An option of the log driver
    #[arg(long, value_name = "KEY=VALUE")]
    log_opt: Vec<String>,
    /// How many tasks of a job run at a time
    #[arg(long, value_name = "COUNT")]
    max_concurrent: Option<u64>,
    /// How willingly the kernel kills a container when memory is short, -1000 to 1000
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    oom_score_adj: Option<i64>,
    /// Make the containers' root read-only
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    read_only: Option<bool>,
    /// How many tasks
    #[arg(long, value_name = "COUNT")]
    pub(crate) replicas: Option<u64>,
    /// How many tasks one node may run; 0 means without limit
    #[arg(long, value_name = "COUNT")]
    replicas_max_per_node: Option<u64>,
    /// How many CPUs a node keeps for a task
    #[arg(long, value_name = "DECIMAL", value_parser = pairs::cpus)]
    reserve_cpu: Option<i64>,
    /// How much memory a node keeps for a task
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    reserve_memory: Option<i64>,
    /// How long a container may take to stop [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    stop_grace_period: Option<i64>,
    /// The signal that asks a container to stop
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Give the containers a terminal
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tty: Option<bool>,
    /// The user, `NAME|ID[:GROUP]`
    #[arg(short, long)]
    user: Option<String>,
    /// The working directory inside the containers
    #[arg(short, long, value_name = "PATH")]
    workdir: Option<String>,
    #[command(flatten)]
    health: Health,
    #[command(flatten)]
    rollout: Rollout,
}

impl Scalars {
    /// Writes what is given into a spec.
    pub(crate) fn apply(&self, spec: &mut ServiceSpec) -> Result<()> {
        self.mode(spec)?;
        if let Some(mode) = &self.endpoint_mode {
            spec.endpoint_spec.get_or_insert_default().mode.clone_from(mode);
        }
        let task = &mut spec.task_template;
        let container = task.container_spec.get_or_insert_default();
        self.container(container)?;
        self.health.apply(container)?;
        self.resources(task);
        self.logging(task);
        if let Some(max) = self.replicas_max_per_node {
            task.placement.get_or_insert_default().max_replicas = max;
        }
        self.rollout.apply(spec);
        Ok(())
    }

    fn mode(&self, spec: &mut ServiceSpec) -> Result<()> {
        if let Some(replicas) = self.replicas {
            match (&mut spec.mode.replicated, &mut spec.mode.replicated_job) {
                (Some(Replicated { replicas: count }), _) => *count = Some(replicas),
                (None, Some(job)) => job.total_completions = Some(replicas),
                (None, None) => {
                    return refuse("replicas can only be used with replicated or replicated-job mode");
                }
            }
        }
        if let Some(max) = self.max_concurrent {
            match &mut spec.mode.replicated_job {
                Some(job) => job.max_concurrent = Some(max),
                None => return refuse("max-concurrent can only be used with replicated-job mode"),
            }
        }
        Ok(())
    }

    fn container(&self, container: &mut ContainerSpec) -> Result<()> {
        if let Some(entrypoint) = &self.entrypoint {
            container.command = words::shell(entrypoint)?;
        }
        for (given, field) in [
            (&self.hostname, &mut container.hostname),
            (&self.isolation, &mut container.isolation),
            (&self.stop_signal, &mut container.stop_signal),
            (&self.user, &mut container.user),
            (&self.workdir, &mut container.dir),
        ] {
            if let Some(given) = given {
                field.clone_from(given);
            }
        }
        container.init = self.init.or(container.init);
        container.tty = self.tty.unwrap_or(container.tty);
        container.read_only = self.read_only.unwrap_or(container.read_only);
        container.stop_grace_period = self.stop_grace_period.or(container.stop_grace_period);
        container.oom_score_adj = self.oom_score_adj.unwrap_or(container.oom_score_adj);
        Ok(())
    }

    /// Touches only what is given: a service without limits must not get empty ones, which would restart its tasks.
    fn resources(&self, task: &mut TaskSpec) {
        if self.limit_cpu.is_some() || self.limit_memory.is_some() || self.limit_pids.is_some() {
            let limits = task.resources.get_or_insert_default().limits.get_or_insert_default();
            limits.nano_cpus = self.limit_cpu.unwrap_or(limits.nano_cpus);
            limits.memory_bytes = self.limit_memory.unwrap_or(limits.memory_bytes);
            limits.pids = self.limit_pids.unwrap_or(limits.pids);
        }
        if self.reserve_cpu.is_some() || self.reserve_memory.is_some() {
            let kept = task.resources.get_or_insert_default().reservations.get_or_insert_default();
            kept.nano_cpus = self.reserve_cpu.unwrap_or(kept.nano_cpus);
            kept.memory_bytes = self.reserve_memory.unwrap_or(kept.memory_bytes);
        }
    }

    /// Log options belong to a driver: given alone, without one in the spec, they say nothing, as in Docker.
    fn logging(&self, task: &mut TaskSpec) {
        if self.log_driver.is_none() && (self.log_opt.is_empty() || task.log_driver.is_none()) {
            return;
        }
        let driver = task.log_driver.get_or_insert_default();
        if let Some(name) = &self.log_driver {
            driver.name.clone_from(name);
            driver.options.clear();
        }
        driver.options.extend(self.log_opt.iter().map(|text| pair(text)));
    }
}
