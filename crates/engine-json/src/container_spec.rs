//! The container of a task, as the user describes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::omit::{duration, empty, nanoseconds};
use crate::{Labels, Mount};

/// The container of a task.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(
    missing_docs,
    reason = "the fields mean what those of model::ContainerSpec mean, where they are described"
)]
pub struct ContainerSpec {
    #[serde(skip_serializing_if = "empty")]
    pub image: String,
    #[serde(skip_serializing_if = "empty")]
    pub labels: Labels,
    #[serde(skip_serializing_if = "empty")]
    pub command: Vec<String>,
    #[serde(skip_serializing_if = "empty")]
    pub args: Vec<String>,
    #[serde(skip_serializing_if = "empty")]
    pub hostname: String,
    #[serde(skip_serializing_if = "empty")]
    pub env: Vec<String>,
    #[serde(skip_serializing_if = "empty")]
    pub dir: String,
    #[serde(skip_serializing_if = "empty")]
    pub user: String,
    #[serde(skip_serializing_if = "empty")]
    pub groups: Vec<String>,
    #[serde(skip_serializing_if = "empty")]
    pub privileges: Option<Privileges>,
    #[serde(skip_serializing_if = "empty")]
    pub init: Option<bool>,
    #[serde(skip_serializing_if = "empty")]
    pub stop_signal: String,
    #[serde(rename = "TTY", skip_serializing_if = "empty")]
    pub tty: bool,
    #[serde(skip_serializing_if = "empty")]
    pub open_stdin: bool,
    #[serde(skip_serializing_if = "empty")]
    pub read_only: bool,
    #[serde(skip_serializing_if = "empty")]
    pub mounts: Vec<Mount>,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "empty")]
    pub stop_grace_period: Option<i64>,
    #[serde(skip_serializing_if = "empty")]
    pub healthcheck: Option<Healthcheck>,
    #[serde(skip_serializing_if = "empty")]
    pub hosts: Vec<String>,
    #[serde(rename = "DNSConfig", skip_serializing_if = "empty")]
    pub dns_config: Option<DnsConfig>,
    /// Kept so that a service which asks for one is refused by name.
    #[serde(skip_serializing_if = "empty")]
    pub secrets: Vec<SecretReference>,
    /// Kept so that a service which asks for one is refused by name.
    #[serde(skip_serializing_if = "empty")]
    pub configs: Vec<ConfigReference>,
    #[serde(skip_serializing_if = "empty")]
    pub isolation: String,
    #[serde(skip_serializing_if = "empty")]
    pub sysctls: Labels,
    #[serde(skip_serializing_if = "empty")]
    pub capability_add: Vec<String>,
    #[serde(skip_serializing_if = "empty")]
    pub capability_drop: Vec<String>,
    #[serde(skip_serializing_if = "empty")]
    pub ulimits: Vec<Ulimit>,
    #[serde(skip_serializing_if = "empty")]
    pub oom_score_adj: i64,
}

/// Security settings of a container.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Privileges {
    /// A Windows credential.
    pub credential_spec: Option<Value>,
    /// SELinux labels.
    #[serde(rename = "SELinuxContext")]
    pub selinux_context: Option<Value>,
    /// The system-call filter.
    #[serde(skip_serializing_if = "empty")]
    pub seccomp: Option<Seccomp>,
    /// The AppArmor profile.
    #[serde(skip_serializing_if = "empty")]
    pub app_armor: Option<AppArmor>,
    /// Whether processes cannot gain privileges.
    #[serde(skip_serializing_if = "empty")]
    pub no_new_privileges: bool,
}

/// The system-call filter of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Seccomp {
    /// `default`, `unconfined` or `custom`.
    #[serde(skip_serializing_if = "empty")]
    pub mode: String,
    /// A profile in base64, with `custom`.
    #[serde(skip_serializing_if = "empty")]
    pub profile: String,
}

/// The AppArmor profile of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AppArmor {
    /// `default` or `disabled`.
    #[serde(skip_serializing_if = "empty")]
    pub mode: String,
}

/// How it is found out whether a container is well; durations in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `NONE`, or `CMD` with arguments, or `CMD-SHELL` with a line.
    #[serde(skip_serializing_if = "empty")]
    pub test: Vec<String>,
    /// The time between two checks.
    #[serde(skip_serializing_if = "empty")]
    pub interval: i64,
    /// How long one check may take.
    #[serde(skip_serializing_if = "empty")]
    pub timeout: i64,
    /// How long failures do not count after the start.
    #[serde(skip_serializing_if = "empty")]
    pub start_period: i64,
    /// The time between checks in the start period.
    #[serde(skip_serializing_if = "empty")]
    pub start_interval: i64,
    /// How many failures in a row make it unhealthy.
    #[serde(skip_serializing_if = "empty")]
    pub retries: i64,
}

/// Name resolution inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DnsConfig {
    /// Addresses of resolvers.
    #[serde(skip_serializing_if = "empty")]
    pub nameservers: Vec<String>,
    /// Search domains.
    #[serde(skip_serializing_if = "empty")]
    pub search: Vec<String>,
    /// Options of `resolv.conf`.
    #[serde(skip_serializing_if = "empty")]
    pub options: Vec<String>,
}

/// A limit of a container's processes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Ulimit {
    /// Its name, such as `nofile`.
    pub name: String,
    /// How far it may be raised.
    pub hard: i64,
    /// The limit that applies.
    pub soft: i64,
}

/// A wish to see a secret.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SecretReference {
    /// Where it appears.
    pub file: Option<Value>,
    /// Its id.
    #[serde(rename = "SecretID")]
    pub secret_id: String,
    /// Its name.
    pub secret_name: String,
}

/// A wish to see a config.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfigReference {
    /// Where it appears.
    #[serde(skip_serializing_if = "empty")]
    pub file: Option<Value>,
    /// That it does not appear as a file.
    #[serde(skip_serializing_if = "empty")]
    pub runtime: Option<Value>,
    /// Its id.
    #[serde(rename = "ConfigID")]
    pub config_id: String,
    /// Its name.
    pub config_name: String,
}

impl TryFrom<ContainerSpec> for model::ContainerSpec {
    type Error = Invalid;

    fn try_from(spec: ContainerSpec) -> Result<Self, Invalid> {
        refuse_references(&spec)?;
        let ContainerSpec {
            image,
            labels,
            command,
            args,
            hostname,
            env,
            dir,
            user,
            groups,
            privileges,
            init,
            stop_signal,
            tty,
            open_stdin,
            read_only,
            mounts,
            stop_grace_period,
            healthcheck,
            hosts,
            dns_config,
            secrets: _,
            configs: _,
            isolation,
            sysctls,
            capability_add,
            capability_drop,
            ulimits,
            oom_score_adj,
        } = spec;
        Ok(Self {
            image,
            labels,
            command,
            args,
            hostname,
            env,
            dir,
            user,
            groups,
            privileges: privileges.map(model::Privileges::try_from).transpose()?,
            init,
            stop_signal,
            tty,
            open_stdin,
            read_only,
            mounts: mounts.into_iter().map(model::Mount::try_from).collect::<Result<_, _>>()?,
            stop_grace_period: stop_grace_period
                .map(|grace| duration(grace, "ContainerSpec: stop-grace-period"))
                .transpose()?,
            healthcheck: healthcheck.map(model::Healthcheck::try_from).transpose()?,
            hosts,
            dns: dns_config.map(model::Dns::from),
            isolation,
            sysctls,
            capability_add,
            capability_drop,
            ulimits: ulimits.into_iter().map(model::Ulimit::from).collect(),
            oom_score_adj,
        })
    }
}

fn refuse_references(spec: &ContainerSpec) -> Result<(), Invalid> {
    if let Some(secret) = spec.secrets.first() {
        return Err(Invalid::because(format!(
            "secret {:?} cannot be given to the service: this cluster has no secrets",
            secret.secret_name
        )));
    }
    if let Some(config) = spec.configs.first() {
        return Err(Invalid::because(format!(
            "config {:?} cannot be given to the service: this cluster has no configs",
            config.config_name
        )));
    }
    Ok(())
}

impl From<&model::ContainerSpec> for ContainerSpec {
    fn from(spec: &model::ContainerSpec) -> Self {
        let model::ContainerSpec {
            image,
            labels,
            command,
            args,
            hostname,
            env,
            dir,
            user,
            groups,
            privileges,
            init,
            stop_signal,
            tty,
            open_stdin,
            read_only,
            mounts,
            stop_grace_period,
            healthcheck,
            hosts,
            dns,
            isolation,
            sysctls,
            capability_add,
            capability_drop,
            ulimits,
            oom_score_adj,
        } = spec.clone();
        Self {
            image,
            labels,
            command,
            args,
            hostname,
            env,
            dir,
            user,
            groups,
            privileges: privileges.map(Privileges::from),
            init,
            stop_signal,
            tty,
            open_stdin,
            read_only,
            mounts: mounts.iter().map(Mount::from).collect(),
            stop_grace_period: stop_grace_period.map(nanoseconds),
            healthcheck: healthcheck.map(Healthcheck::from),
            hosts,
            dns_config: dns.map(DnsConfig::from),
            secrets: Vec::new(),
            configs: Vec::new(),
            isolation,
            sysctls,
            capability_add,
            capability_drop,
            ulimits: ulimits.into_iter().map(Ulimit::from).collect(),
            oom_score_adj,
        }
    }
}

impl TryFrom<Privileges> for model::Privileges {
    type Error = Invalid;

    fn try_from(privileges: Privileges) -> Result<Self, Invalid> {
        let Privileges { credential_spec, selinux_context, seccomp, app_armor, no_new_privileges } =
            privileges;
        if credential_spec.is_some() {
            return Err(Invalid::because("invalid CredentialSpec: credential specs exist on Windows only"));
        }
        if selinux_context.is_some() {
            return Err(Invalid::because("invalid SELinuxContext: SELinux labels are not supported"));
        }
        let app_armor = match app_armor.as_ref().map(|profile| profile.mode.as_str()) {
            None => None,
            Some("" | "default") => Some(model::AppArmor::Default),
            Some("disabled") => Some(model::AppArmor::Disabled),
            Some(other) => return Err(Invalid::because(format!("unknown AppArmor mode {other:?}"))),
        };
        Ok(Self { seccomp: seccomp.map(model::Seccomp::try_from).transpose()?, app_armor, no_new_privileges })
    }
}

impl From<model::Privileges> for Privileges {
    fn from(privileges: model::Privileges) -> Self {
        let model::Privileges { seccomp, app_armor, no_new_privileges } = privileges;
        let app_armor = app_armor.map(|profile| match profile {
            model::AppArmor::Default => AppArmor { mode: "default".into() },
            model::AppArmor::Disabled => AppArmor { mode: "disabled".into() },
        });
        Self {
            credential_spec: None,
            selinux_context: None,
            seccomp: seccomp.map(Seccomp::from),
            app_armor,
            no_new_privileges,
        }
    }
}

impl TryFrom<Seccomp> for model::Seccomp {
    type Error = Invalid;

    fn try_from(Seccomp { mode, profile }: Seccomp) -> Result<Self, Invalid> {
        match mode.as_str() {
            "" | "default" => Ok(Self::Default),
            "unconfined" => Ok(Self::Unconfined),
            "custom" => STANDARD
                .decode(profile)
                .map(Self::Custom)
                .map_err(|error| Invalid::because(format!("invalid seccomp profile: {error}"))),
            other => Err(Invalid::because(format!("unknown seccomp mode {other:?}"))),
        }
    }
}

impl From<model::Seccomp> for Seccomp {
    fn from(seccomp: model::Seccomp) -> Self {
        let (mode, profile) = match seccomp {
            model::Seccomp::Default => ("default", String::new()),
            model::Seccomp::Unconfined => ("unconfined", String::new()),
            model::Seccomp::Custom(profile) => ("custom", STANDARD.encode(profile)),
        };
        Self { mode: mode.into(), profile }
    }
}

impl TryFrom<Healthcheck> for model::Healthcheck {
    type Error = Invalid;

    fn try_from(check: Healthcheck) -> Result<Self, Invalid> {
        let Healthcheck { test, interval, timeout, start_period, start_interval, retries } = check;
        let read = |value: i64, name: &str| {
            duration(value, "")
                .map_err(|_| Invalid::because(format!("{name} in Healthcheck cannot be less than 1ms")))
        };
        Ok(Self {
            test,
            interval: read(interval, "Interval")?,
            timeout: read(timeout, "Timeout")?,
            start_period: read(start_period, "StartPeriod")?,
            start_interval: read(start_interval, "StartInterval")?,
            retries: u32::try_from(retries)
                .map_err(|_| Invalid::because("Retries in Healthcheck cannot be negative"))?,
        })
    }
}

impl From<model::Healthcheck> for Healthcheck {
    fn from(check: model::Healthcheck) -> Self {
        let model::Healthcheck { test, interval, timeout, start_period, start_interval, retries } = check;
        Self {
            test,
            interval: nanoseconds(interval),
            timeout: nanoseconds(timeout),
            start_period: nanoseconds(start_period),
            start_interval: nanoseconds(start_interval),
            retries: retries.into(),
        }
    }
}

impl From<DnsConfig> for model::Dns {
    fn from(DnsConfig { nameservers, search, options }: DnsConfig) -> Self {
        Self { nameservers, search, options }
    }
}

impl From<model::Dns> for DnsConfig {
    fn from(model::Dns { nameservers, search, options }: model::Dns) -> Self {
        Self { nameservers, search, options }
    }
}

impl From<Ulimit> for model::Ulimit {
    fn from(Ulimit { name, hard, soft }: Ulimit) -> Self {
        Self { name, soft, hard }
    }
}

impl From<model::Ulimit> for Ulimit {
    fn from(model::Ulimit { name, soft, hard }: model::Ulimit) -> Self {
        Self { name, hard, soft }
    }
}
