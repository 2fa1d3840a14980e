//! What keeps a container from its host, and what does not.

use clap::Args;
use container_json::HostConfig;
use engine_json::Labels;
use flags::text::{capability, pair, switch};
use flags::{Invalid, Result, refuse};

use crate::lines::open_error;
use crate::text::sysctl;

/// Flags of namespaces, capabilities and security modules.
#[derive(Debug, Args)]
pub(crate) struct IsolationFlags {
    /// Add a capability
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Drop a capability
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// The cgroup namespace, `host` or `private`
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    cgroupns: String,
    /// A further group of the user
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// The IPC namespace: `none`, `private`, `shareable`, `host` or `container:NAME`
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    ipc: String,
    /// How it is kept from the host; only `default` means something here
    #[arg(long, value_name = "TECHNOLOGY", default_value = "", hide_default_value = true)]
    isolation: String,
    /// The PID namespace: `host` or `container:NAME`
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    pid: String,
    /// Let nothing keep it from the host
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    privileged: Option<bool>,
    /// The runtime
    #[arg(long, value_name = "RUNTIME", default_value = "", hide_default_value = true)]
    runtime: String,
    /// An option of security, such as `no-new-privileges` or `seccomp=FILE`
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// A kernel parameter of its namespaces
    #[arg(long, value_name = "KEY=VALUE", value_parser = sysctl)]
    sysctl: Vec<String>,
    /// The user namespace: `host`
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    userns: String,
    /// The UTS namespace: `host`
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    uts: String,
}

impl IsolationFlags {
    /// Writes what is given into a container.
    pub(crate) fn apply(&self, host: &mut HostConfig) -> Result<()> {
        let one_of = |value: &str, allowed: &[&str], flag: &str, kind: &str| match value {
            value if value.is_empty() || allowed.contains(&value) => Ok(()),
            _ => refuse(format!("--{flag}: invalid {kind} mode")),
        };
        let is_joined = self.pid.strip_prefix("container:").is_some_and(|name| !name.is_empty());
        if !is_joined {
            one_of(&self.pid, &["host"], "pid", "PID")?;
        }
        one_of(&self.uts, &["host"], "uts", "UTS")?;
        one_of(&self.userns, &["host"], "userns", "USER")?;
        one_of(&self.cgroupns, &["host", "private"], "cgroupns", "CGROUP")?;
        host.cap_add = self.cap_add.iter().map(|name| capability(name)).collect();
        host.cap_drop = self.cap_drop.iter().map(|name| capability(name)).collect();
        host.cgroupns_mode.clone_from(&self.cgroupns);
        host.group_add = self.group_add.clone();
        host.ipc_mode.clone_from(&self.ipc);
        host.isolation.clone_from(&self.isolation);
        host.pid_mode.clone_from(&self.pid);
        host.privileged = self.privileged.unwrap_or(false);
        host.runtime.clone_from(&self.runtime);
        host.sysctls = self.sysctl.iter().map(|text| pair(text)).collect::<Labels>();
        host.userns_mode.clone_from(&self.userns);
        host.uts_mode.clone_from(&self.uts);
        for option in &self.security_opt {
            // It is for the client to write, as the API has no such option.
            if option == "systempaths=unconfined" {
                host.masked_paths = Some(Vec::new());
                host.readonly_paths = Some(Vec::new());
            } else {
                host.security_opt.push(security(option)?);
            }
        }
        Ok(())
    }
}

/// Reads an option of security; a profile is sent, and not the name of its file.
fn security(text: &str) -> Result<String> {
    let Some(at) = text.find('=').or_else(|| text.find(':')) else {
        return match text {
            "no-new-privileges" => Ok(text.to_owned()),
            _ => refuse(format!("Invalid --security-opt: {text:?}")),
        };
    };
    let (key, value) = (&text[..at], &text[at + 1..]);
    if key != "seccomp" || value == "unconfined" || value == "builtin" {
        return Ok(text.to_owned());
    }
    let wrong = |error: &dyn std::fmt::Display| {
        Invalid::because(format!("opening seccomp profile ({value}) failed: {error}"))
    };
    let profile = std::fs::read_to_string(value).map_err(|error| wrong(&open_error(value, &error)))?;
    let compact = compact(&profile).map_err(|error| {
        Invalid::because(format!("compacting json for seccomp profile ({value}) failed: {error}"))
    })?;
    Ok(format!("seccomp={compact}"))
}

/// Takes the space out of JSON, in whatever order it is written.
fn compact(json: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str::<serde_json::Value>(json)?;
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for c in json.chars() {
        if in_string || !c.is_ascii_whitespace() {
            out.push(c);
        }
        if c == '"' && !is_escaped {
            in_string = !in_string;
        }
        is_escaped = in_string && c == '\\' && !is_escaped;
    }
    Ok(out)
}
