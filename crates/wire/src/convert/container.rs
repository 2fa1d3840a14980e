//! The container of a task.

use bytes::Bytes;
use model::{ContainerSpec, Healthcheck, Privileges, Seccomp};

use crate::field::{all, choice, each, maybe, nested, optional, required};
use crate::{Error, pb};

impl From<&ContainerSpec> for pb::ContainerSpec {
    fn from(spec: &ContainerSpec) -> Self {
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
            dns,
            isolation,
            sysctls,
            capability_add,
            capability_drop,
            ulimits,
            oom_score_adj,
        } = spec;
        Self {
            image: image.clone(),
            labels: labels.clone(),
            command: command.clone(),
            args: args.clone(),
            hostname: hostname.clone(),
            env: env.clone(),
            dir: dir.clone(),
            user: user.clone(),
            groups: groups.clone(),
            privileges: maybe(privileges),
            init: *init,
            stop_signal: stop_signal.clone(),
            tty: *tty,
            open_stdin: *open_stdin,
            read_only: *read_only,
            mounts: all(mounts),
            stop_grace_period: maybe(stop_grace_period),
            healthcheck: maybe(healthcheck),
            hosts: hosts.clone(),
            dns: maybe(dns),
            isolation: isolation.clone(),
            sysctls: sysctls.clone(),
            capability_add: capability_add.clone(),
            capability_drop: capability_drop.clone(),
            ulimits: all(ulimits),
            oom_score_adj: *oom_score_adj,
        }
    }
}

impl TryFrom<pb::ContainerSpec> for ContainerSpec {
    type Error = Error;

    fn try_from(spec: pb::ContainerSpec) -> Result<Self, Error> {
        let pb::ContainerSpec {
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
            privileges: optional(privileges, "privileges")?,
            init,
            stop_signal,
            tty,
            open_stdin,
            read_only,
            mounts: each(mounts, "mounts")?,
            stop_grace_period: optional(stop_grace_period, "stop_grace_period")?,
            healthcheck: optional(healthcheck, "healthcheck")?,
            hosts,
            dns: optional(dns, "dns")?,
            isolation,
            sysctls,
            capability_add,
            capability_drop,
            ulimits: each(ulimits, "ulimits")?,
            oom_score_adj,
        })
    }
}

impl From<&Privileges> for pb::Privileges {
    fn from(privileges: &Privileges) -> Self {
        let Privileges { seccomp, app_armor, no_new_privileges } = privileges;
        Self {
            seccomp: maybe(seccomp),
            app_armor: app_armor.map(|profile| pb::AppArmor::from(profile).into()),
            no_new_privileges: *no_new_privileges,
        }
    }
}

impl TryFrom<pb::Privileges> for Privileges {
    type Error = Error;

    fn try_from(privileges: pb::Privileges) -> Result<Self, Error> {
        let pb::Privileges { seccomp, app_armor, no_new_privileges } = privileges;
        Ok(Self {
            seccomp: optional(seccomp, "seccomp")?,
            app_armor: app_armor.map(|profile| choice(profile, "app_armor")).transpose()?,
            no_new_privileges,
        })
    }
}

impl From<&Seccomp> for pb::Seccomp {
    fn from(seccomp: &Seccomp) -> Self {
        use pb::seccomp::{Default, Profile, Unconfined};
        let profile = match seccomp {
            Seccomp::Default => Profile::Default(Default {}),
            Seccomp::Unconfined => Profile::Unconfined(Unconfined {}),
            Seccomp::Custom(json) => Profile::Custom(Bytes::copy_from_slice(json)),
        };
        Self { profile: Some(profile) }
    }
}

impl TryFrom<pb::Seccomp> for Seccomp {
    type Error = Error;

    fn try_from(seccomp: pb::Seccomp) -> Result<Self, Error> {
        use pb::seccomp::{Default, Profile, Unconfined};
        let pb::Seccomp { profile } = seccomp;
        Ok(match required(profile, "profile")? {
            Profile::Default(Default {}) => Self::Default,
            Profile::Unconfined(Unconfined {}) => Self::Unconfined,
            Profile::Custom(json) => Self::Custom(json.into()),
        })
    }
}

impl From<&Healthcheck> for pb::Healthcheck {
    fn from(healthcheck: &Healthcheck) -> Self {
        let Healthcheck { test, interval, timeout, start_period, start_interval, retries } = healthcheck;
        Self {
            test: test.clone(),
            interval: Some(interval.into()),
            timeout: Some(timeout.into()),
            start_period: Some(start_period.into()),
            start_interval: Some(start_interval.into()),
            retries: *retries,
        }
    }
}

impl TryFrom<pb::Healthcheck> for Healthcheck {
    type Error = Error;

    fn try_from(healthcheck: pb::Healthcheck) -> Result<Self, Error> {
        let pb::Healthcheck { test, interval, timeout, start_period, start_interval, retries } = healthcheck;
        Ok(Self {
            test,
            interval: nested(interval, "interval")?,
            timeout: nested(timeout, "timeout")?,
            start_period: nested(start_period, "start_period")?,
            start_interval: nested(start_interval, "start_interval")?,
            retries,
        })
    }
}

same!(Dns { nameservers, search, options });
same!(Ulimit { name, soft, hard });
same!(LogDriver { name, options });
