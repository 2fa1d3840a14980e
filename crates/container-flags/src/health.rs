//! Flags of the health check.

use clap::Args;
use engine_json::Healthcheck;
use flags::text::switch;
use flags::{Result, refuse};
use format::duration;

use crate::text::number;

/// Flags of the health check.
#[derive(Debug, Args)]
pub(crate) struct HealthFlags {
    /// The command that finds out whether the container is well
    #[arg(long, value_name = "COMMAND", default_value = "", hide_default_value = true)]
    health_cmd: String,
    /// The time between two checks
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    health_interval: Option<i64>,
    /// How many failures in a row make it unhealthy
    #[arg(long, value_name = "COUNT", value_parser = number, allow_negative_numbers = true)]
    health_retries: Option<i64>,
    /// The time between checks in the start period
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    health_start_interval: Option<i64>,
    /// How long failures do not count after the start
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    health_start_period: Option<i64>,
    /// How long one check may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    health_timeout: Option<i64>,
    /// Run no health check, not even the image's
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    no_healthcheck: Option<bool>,
}

impl HealthFlags {
    /// Returns the health check, if flags speak of one.
    pub(crate) fn check(&self) -> Result<Option<Healthcheck>> {
        let number = |value: Option<i64>, flag: &str| match value.unwrap_or(0) {
            ..0 => refuse(format!("--{flag} cannot be negative")),
            value => Ok(value),
        };
        let line = vec!["CMD-SHELL".to_owned(), self.health_cmd.clone()];
        let check = Healthcheck {
            test: if self.health_cmd.is_empty() { Vec::new() } else { line },
            interval: number(self.health_interval, "health-interval")?,
            timeout: number(self.health_timeout, "health-timeout")?,
            retries: number(self.health_retries, "health-retries")?,
            start_period: number(self.health_start_period, "health-start-period")?,
            start_interval: number(self.health_start_interval, "health-start-interval")?,
        };
        let is_given = check != Healthcheck::default();
        match (self.no_healthcheck.unwrap_or(false), is_given) {
            (true, true) => refuse("--no-healthcheck conflicts with --health-* options"),
            (true, false) => Ok(Some(Healthcheck { test: vec!["NONE".into()], ..Healthcheck::default() })),
            (false, true) => Ok(Some(check)),
            (false, false) => Ok(None),
        }
    }
}
