//! The container of a task, as the user describes it.

use std::time::Duration;

use crate::image_name::is_image;
use crate::{Invalid, Labels, Mount, mount};

/// The container of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerSpec {
    /// The image, as written or pinned by digest.
    pub image: String,
    /// Labels of the container.
    pub labels: Labels,
    /// Replaces the image's entrypoint.
    pub command: Vec<String>,
    /// Replaces the image's command.
    pub args: Vec<String>,
    /// The hostname inside.
    pub hostname: String,
    /// `KEY=value` pairs.
    pub env: Vec<String>,
    /// The working directory.
    pub dir: String,
    /// The user, as `name[:group]` or numbers.
    pub user: String,
    /// Further groups.
    pub groups: Vec<String>,
    /// Security settings.
    pub privileges: Option<Privileges>,
    /// Whether a small init reaps processes; absent means the node's default.
    pub init: Option<bool>,
    /// The signal that asks it to stop; empty means the image's.
    pub stop_signal: String,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its standard input stays open.
    pub open_stdin: bool,
    /// Whether its root cannot be written.
    pub read_only: bool,
    /// What is mounted into it.
    pub mounts: Vec<Mount>,
    /// How long it may take to stop; absent means 10 s.
    pub stop_grace_period: Option<Duration>,
    /// Replaces the image's health check.
    pub healthcheck: Option<Healthcheck>,
    /// Lines for `/etc/hosts`, `ADDRESS NAME [NAME..]`.
    pub hosts: Vec<String>,
    /// Name resolution.
    pub dns: Option<Dns>,
    /// Isolation technology; Linux knows only the default.
    pub isolation: String,
    /// Kernel parameters of its namespaces.
    pub sysctls: Labels,
    /// Capabilities it has beside the default ones.
    pub capability_add: Vec<String>,
    /// Capabilities it does not have.
    pub capability_drop: Vec<String>,
    /// Limits of its processes.
    pub ulimits: Vec<Ulimit>,
    /// How willingly the kernel kills it when memory is short, -1000 to 1000.
    pub oom_score_adj: i64,
}

impl ContainerSpec {
    /// How long a container may take to stop when nothing is said, as in Docker.
    pub const STOP_GRACE_DEFAULT: Duration = Duration::from_secs(10);

    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        if self.image.is_empty() {
            return Err(Invalid::because("ContainerSpec: image reference must be provided"));
        }
        if !is_image(&self.image) {
            return Err(Invalid::because(format!(
                "ContainerSpec: {:?} is not a valid repository/tag",
                self.image
            )));
        }
        mount::validate(&self.mounts)?;
        if let Some(healthcheck) = &self.healthcheck {
            healthcheck.validate()?;
        }
        Ok(())
    }
}

/// Security settings of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Privileges {
    /// The system-call filter; absent means the default one.
    pub seccomp: Option<Seccomp>,
    /// The AppArmor profile; absent means the default one.
    pub app_armor: Option<AppArmor>,
    /// Whether processes cannot gain privileges.
    pub no_new_privileges: bool,
}

/// The system-call filter of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seccomp {
    /// Docker's default profile.
    Default,
    /// No filter.
    Unconfined,
    /// A profile of the user's, JSON.
    Custom(Vec<u8>),
}

/// The AppArmor profile of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppArmor {
    /// The default profile.
    Default,
    /// None.
    Disabled,
}

/// How it is found out whether a container is well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Healthcheck {
    /// `NONE`, or `CMD` with arguments, or `CMD-SHELL` with a line; empty means the image's.
    pub test: Vec<String>,
    /// The time between two checks; zero means 30 s.
    pub interval: Duration,
    /// How long one check may take; zero means 30 s.
    pub timeout: Duration,
    /// How long failures do not count after the start.
    pub start_period: Duration,
    /// The time between checks in the start period; zero means 5 s.
    pub start_interval: Duration,
    /// How many failures in a row make it unhealthy; 0 means 3.
    pub retries: u32,
}

impl Healthcheck {
    fn validate(&self) -> Result<(), Invalid> {
        let durations = [
            ("Interval", self.interval),
            ("Timeout", self.timeout),
            ("StartPeriod", self.start_period),
            ("StartInterval", self.start_interval),
        ];
        for (name, duration) in durations {
            if !duration.is_zero() && duration < Duration::from_millis(1) {
                return Err(Invalid::because(format!("{name} in Healthcheck cannot be less than 1ms")));
            }
        }
        Ok(())
    }
}

/// Name resolution inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    /// Addresses of resolvers.
    pub nameservers: Vec<String>,
    /// Search domains.
    pub search: Vec<String>,
    /// Options of `resolv.conf`.
    pub options: Vec<String>,
}

/// A limit of a container's processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// Its name, such as `nofile`.
    pub name: String,
    /// The limit that applies; -1 means none.
    pub soft: i64,
    /// How far it may be raised; -1 means no end.
    pub hard: i64,
}

/// Where a container's output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDriver {
    /// The driver, such as `json-file`.
    pub name: String,
    /// Its options, such as `max-size`.
    pub options: Labels,
}
