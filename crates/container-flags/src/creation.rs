//! What a new container is.

use clap::Args;
use container_json::{Config, CreateBody, HostConfig, LogConfig, RestartPolicy};
use engine_json::Labels;
use flags::text::{pair, switch};
use flags::{Invalid, Result, refuse};

use crate::Surroundings;
use crate::isolation::IsolationFlags;
use crate::limits::LimitFlags;
use crate::network::NetworkFlags;
use crate::process::ProcessFlags;
use crate::storage::StorageFlags;

/// The flags that say what a new container is.
#[derive(Debug, Args)]
pub struct Creation {
    /// The image, and what replaces its command
    #[arg(value_names = ["IMAGE", "COMMAND"], required = true, num_args = 1.., trailing_var_arg = true)]
    command: Vec<String>,
    #[command(flatten)]
    process: ProcessFlags,
    #[command(flatten)]
    network: NetworkFlags,
    #[command(flatten)]
    storage: StorageFlags,
    #[command(flatten)]
    limits: LimitFlags,
    #[command(flatten)]
    isolation: IsolationFlags,
    /// A note for the runtime
    #[arg(long, value_name = "KEY=VALUE")]
    annotation: Vec<String>,
    /// Write the id to this file
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    cidfile: String,
    /// Run an init above its program, which passes signals on and reaps
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    init: Option<bool>,
    /// Where its output goes
    #[arg(long, value_name = "DRIVER", default_value = "", hide_default_value = true)]
    log_driver: String,
    /// An option of the log driver, such as `max-size=10m`
    #[arg(long, value_name = "KEY=VALUE")]
    log_opt: Vec<String>,
    /// When it is started again: `no`, `on-failure[:COUNT]`, `always` or `unless-stopped`
    #[arg(long, value_name = "POLICY", default_value = "no")]
    restart: String,
    /// Remove it when it has ended
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    rm: Option<bool>,
}

impl Creation {
    /// Returns the image as it is written.
    pub fn image(&self) -> &str {
        self.command.first().map(String::as_str).unwrap_or_default()
    }

    /// Returns the file that gets the id, if one is given.
    pub fn id_file(&self) -> Option<&str> {
        Some(self.cidfile.as_str()).filter(|file| !file.is_empty())
    }

    /// Claims that streams to attach to are named.
    pub fn names_streams(&self) -> bool {
        self.process.names_streams()
    }

    /// Builds the body of the creation, as the docker CLI would.
    pub fn body(&self, surroundings: Surroundings<'_>) -> Result<CreateBody> {
        let mut config = Config { image: self.image().to_owned(), ..Config::default() };
        config.cmd = self.command.get(1..).filter(|words| !words.is_empty()).map(<[String]>::to_vec);
        let mut host = HostConfig {
            annotations: self.annotation.iter().map(|text| pair(text)).collect::<Labels>(),
            auto_remove: self.rm.unwrap_or(false),
            container_id_file: self.cidfile.clone(),
            init: self.init,
            restart_policy: restart_policy(&self.restart)?,
            ..HostConfig::default()
        };
        self.process.apply(&mut config, surroundings)?;
        let networking_config = self.network.apply(&mut config, &mut host)?;
        self.storage.apply(&mut config, &mut host, surroundings)?;
        self.limits.apply(&mut host)?;
        self.isolation.apply(&mut host)?;
        host.log_config = LogConfig {
            kind: self.log_driver.clone(),
            config: self.log_opt.iter().map(|text| pair(text)).collect(),
        };
        if host.log_config.kind == "none" && !self.log_opt.is_empty() {
            return refuse("invalid logging opts for driver none");
        }
        let is_restarted = !["", "no"].contains(&host.restart_policy.name.as_str());
        if is_restarted && host.auto_remove {
            return refuse("conflicting options: cannot specify both --restart and --rm");
        }
        Ok(CreateBody { config, host_config: host, networking_config })
    }
}

/// Reads `NAME[:COUNT]`.
pub(crate) fn restart_policy(text: &str) -> Result<RestartPolicy> {
    let (name, count) = text.split_once(':').unwrap_or((text, "0"));
    if name.is_empty() && !text.is_empty() {
        return refuse("invalid restart policy format: no policy provided before colon");
    }
    let maximum_retry_count = count.parse().map_err(|_| {
        Invalid::because("invalid restart policy format: maximum retry count must be an integer")
    })?;
    Ok(RestartPolicy { name: name.to_owned(), maximum_retry_count })
}

#[cfg(test)]
#[path = "creation_tests.rs"]
mod tests;
