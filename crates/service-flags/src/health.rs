//! Flags of the health check.

use clap::Args;
use engine_json::{ContainerSpec, Healthcheck};
use flags::{Result, refuse};
use format::duration;

/// Flags of the health check.
#[derive(Debug, Args)]
pub struct Health {
    /// The command that finds out whether a container is well
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// The time between two checks
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    health_interval: Option<i64>,
    /// How many failures in a row make a container unhealthy
    #[arg(long, value_name = "COUNT")]
    health_retries: Option<u32>,
    /// The time between checks in the start period
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    health_start_interval: Option<i64>,
    /// How long failures do not count after the start
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    health_start_period: Option<i64>,
    /// How long one check may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    health_timeout: Option<i64>,
    /// Run no health check, not even the image's
    #[arg(long)]
    no_healthcheck: bool,
}

impl Health {
    /// Writes what is given into a spec.
    pub(crate) fn apply(&self, container: &mut ContainerSpec) -> Result<()> {
        let Self {
            health_cmd,
            health_interval,
            health_retries,
            health_start_interval,
            health_start_period,
            health_timeout,
            no_healthcheck,
        } = self;
        let durations = [health_interval, health_start_interval, health_start_period, health_timeout];
        let is_given = health_cmd.is_some()
            || health_retries.is_some()
            || durations.iter().any(|duration| duration.is_some());
        if *no_healthcheck {
            if is_given {
                return refuse("--no-healthcheck conflicts with --health-* options");
            }
            container.healthcheck = Some(Healthcheck { test: vec!["NONE".into()], ..Healthcheck::default() });
            return Ok(());
        }
        if !is_given {
            return Ok(());
        }
        let check = container.healthcheck.get_or_insert_default();
        if check.test.first().is_some_and(|test| test == "NONE") {
            check.test.clear();
        }
        if let Some(command) = health_cmd {
            let is_empty = command.is_empty();
            check.test = if is_empty { Vec::new() } else { vec!["CMD-SHELL".into(), command.clone()] };
        }
        check.interval = health_interval.unwrap_or(check.interval);
        check.timeout = health_timeout.unwrap_or(check.timeout);
        check.start_period = health_start_period.unwrap_or(check.start_period);
        check.start_interval = health_start_interval.unwrap_or(check.start_interval);
        check.retries = health_retries.map_or(check.retries, i64::from);
        Ok(())
    }
}
