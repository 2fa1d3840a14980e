//! What runs in a container.

use clap::Args;
use container_json::Config;
use flags::text::{pair, switch};
use flags::{Result, refuse};

use crate::Surroundings;
use crate::health::HealthFlags;
use crate::lines;
use crate::text::{label, number, variable};

/// Environment variables, one by one or in files.
#[derive(Debug, Args)]
pub struct Variables {
    /// An environment variable
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = variable)]
    env: Vec<String>,
    /// A file of environment variables
    #[arg(long, value_name = "FILE")]
    env_file: Vec<String>,
}

impl Variables {
    /// Returns them as `KEY=VALUE`; one without a value gets the client's, and stays alone if the client has none.
    pub fn list(&self, surroundings: Surroundings<'_>) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for file in &self.env_file {
            all.extend(lines::variables(file, surroundings)?);
        }
        let mut own: Vec<String> = Vec::new();
        for text in &self.env {
            let value = if text.contains('=') { None } else { (surroundings.variable)(text) };
            let whole = value.map_or_else(|| text.clone(), |value| format!("{text}={value}"));
            own.retain(|known| name_of(known) != name_of(&whole));
            own.push(whole);
        }
        all.extend(own);
        Ok(all)
    }
}

fn name_of(variable: &str) -> &str {
    variable.split('=').next().unwrap_or_default()
}

/// Flags of what runs in a container.
#[derive(Debug, Args)]
pub(crate) struct ProcessFlags {
    #[command(flatten)]
    variables: Variables,
    #[command(flatten)]
    health: HealthFlags,
    /// Attach to `stdin`, `stdout` or `stderr`
    #[arg(short, long, value_name = "STREAM", value_parser = stream)]
    attach: Vec<String>,
    /// The domain of the hostname
    #[arg(long, value_name = "DOMAIN", default_value = "", hide_default_value = true)]
    domainname: String,
    /// What runs in place of the image's entrypoint
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// The hostname
    #[arg(short = 'h', long, value_name = "NAME", default_value = "", hide_default_value = true)]
    hostname: String,
    /// Keep its standard input open
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    interactive: Option<bool>,
    /// A label
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<String>,
    /// A file of labels
    #[arg(long, value_name = "FILE")]
    label_file: Vec<String>,
    /// The signal that asks it to stop
    #[arg(long, value_name = "SIGNAL", default_value = "", hide_default_value = true)]
    stop_signal: String,
    /// How many seconds it has to stop; -1 is without end
    #[arg(long, value_name = "SECONDS", value_parser = number, allow_negative_numbers = true)]
    stop_timeout: Option<i64>,
    /// Give it a terminal
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    tty: Option<bool>,
    /// The user, or `USER:GROUP`
    #[arg(short, long, value_name = "USER", default_value = "", hide_default_value = true)]
    user: String,
    /// The working directory
    #[arg(short, long, value_name = "PATH", default_value = "", hide_default_value = true)]
    workdir: String,
}

impl ProcessFlags {
    /// Writes what is given into a container.
    pub(crate) fn apply(&self, config: &mut Config, surroundings: Surroundings<'_>) -> Result<()> {
        let attaches = |name: &str| self.attach.iter().any(|stream| stream == name);
        let attaches_all = self.attach.is_empty();
        config.open_stdin = self.interactive.unwrap_or(false);
        config.attach_stdin = attaches("stdin") || config.open_stdin;
        config.attach_stdout = attaches("stdout") || attaches_all;
        config.attach_stderr = attaches("stderr") || attaches_all;
        config.stdin_once = config.open_stdin && config.attach_stdin;
        config.tty = self.tty.unwrap_or(false);
        config.env = self.variables.list(surroundings)?;
        config.healthcheck = self.health.check()?;
        config.domainname.clone_from(&self.domainname);
        config.hostname.clone_from(&self.hostname);
        config.entrypoint = self.entrypoint.clone().map(|program| vec![program]);
        for file in &self.label_file {
            config.labels.extend(lines::labels(file)?.iter().map(|label| pair(label)));
        }
        config.labels.extend(self.label.iter().map(|label| pair(label)));
        config.stop_signal.clone_from(&self.stop_signal);
        config.stop_timeout = self.stop_timeout;
        config.user.clone_from(&self.user);
        config.working_dir.clone_from(&self.workdir);
        Ok(())
    }

    /// Claims that streams to attach to are named.
    pub(crate) fn names_streams(&self) -> bool {
        !self.attach.is_empty()
    }
}

fn stream(text: &str) -> Result<String> {
    let name = text.to_ascii_lowercase();
    match name.as_str() {
        "stdin" | "stdout" | "stderr" => Ok(name),
        _ => refuse("valid streams are STDIN, STDOUT and STDERR"),
    }
}
