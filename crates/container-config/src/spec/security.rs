//! What keeps a container from its host, as `SecurityOpt` says it.

use container::Seccomp;
use container_json::HostConfig;

use crate::Error;

/// What the options say together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Security {
    pub seccomp: Seccomp,
    pub no_new_privileges: bool,
    pub apparmor: Option<String>,
}

/// Reads the options.
pub(super) fn of(config: &HostConfig) -> Result<Security, Error> {
    let mut security = Security::default();
    for written in &config.security_opt {
        let refuse = || Error::invalid(format!("invalid --security-opt 2: \"{written}\""));
        // The colon is how it once was written.
        let (key, value) = match written.split_once('=').or_else(|| written.split_once(':')) {
            Some((key, value)) => (key, Some(value)),
            None => (written.as_str(), None),
        };
        match (key, value) {
            ("no-new-privileges", None) => security.no_new_privileges = true,
            ("no-new-privileges", Some(value)) => {
                security.no_new_privileges = value.parse().map_err(|_| refuse())?;
            }
            ("seccomp", Some("unconfined")) => security.seccomp = Seccomp::Unconfined,
            ("seccomp", Some("builtin" | "default")) => security.seccomp = Seccomp::Default,
            ("seccomp", Some(profile)) => security.seccomp = Seccomp::Profile(profile.to_owned()),
            ("apparmor", Some(profile)) => security.apparmor = Some(profile.to_owned()),
            // Without SELinux a label has nothing to hold on to, as in Docker.
            ("label", Some(_)) => {}
            ("writable-cgroups", Some(_)) => {
                return Err(Error::invalid("writable-cgroups is not supported: use --privileged"));
            }
            ("disable", None) => return Err(refuse()),
            _ => return Err(Error::invalid(format!("invalid --security-opt 2: \"{written}\""))),
        }
    }
    Ok(security)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[&str]) -> Result<Security, Error> {
        let security_opt = options.iter().map(|option| (*option).to_owned()).collect();
        of(&HostConfig { security_opt, ..HostConfig::default() })
    }

    #[test]
    fn options_are_read_in_both_forms() {
        let security = read(&["no-new-privileges", "seccomp=unconfined", "apparmor:mine", "label=disable"]);

        let expected =
            Security { seccomp: Seccomp::Unconfined, no_new_privileges: true, apparmor: Some("mine".into()) };
        assert_eq!(security, Ok(expected));
        assert!(!read(&["no-new-privileges:false"]).unwrap().no_new_privileges);
        let profile = "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}";
        let written = format!("seccomp={profile}");
        assert_eq!(read(&[&written]).unwrap().seccomp, Seccomp::Profile(profile.into()));
    }

    #[test]
    fn unknown_options_are_refused() {
        for option in ["nonsense", "seccomp", "no-new-privileges=maybe", "x=y"] {
            let said = read(&[option]).unwrap_err();
            assert_eq!(said.text(), format!("invalid --security-opt 2: \"{option}\""));
        }
    }
}
