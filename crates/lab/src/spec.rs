//! What a lab should be.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::state;

/// Where labs live: on disk, since their data roots hold images and logs that must survive a restart.
pub(crate) const BASE: &str = "/var/lib/drover-lab";
/// Leaves room for `drover-NAME-HOST` as one name of a cgroup, and for a socket path below the folder.
const NAME_BYTES_MAX: usize = 30;
/// A subnet's last byte: managers from 11, workers from 101, the machine itself 254.
const MANAGERS_MAX: u8 = 80;
const WORKERS_MAX: u8 = 150;
const MANAGER_BASE: u8 = 10;
const WORKER_BASE: u8 = 100;
/// The longest path of a unix socket is 107 bytes; `/hosts/w150/drover.sock` comes after the folder.
const FOLDER_BYTES_MAX: usize = 80;

/// Describes a lab to create.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The lab's name: lower-case letters, digits and hyphens.
    pub name: String,
    /// How many hosts called m1, m2 … there are.
    pub managers: u8,
    /// How many hosts called w1, w2 … there are.
    pub workers: u8,
    /// The folder for everything the lab keeps; see [`folder_of`].
    pub folder: PathBuf,
}

/// What a host is meant for; the lab treats both alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Called m1, m2 …
    Manager,
    /// Called w1, w2 …
    Worker,
}

/// What has just been done, for a person who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The lab's subnet was chosen.
    Subnet(Ipv4Addr),
    /// A host is up, without a daemon yet.
    HostUp {
        /// Its name.
        host: String,
        /// Its address.
        address: Ipv4Addr,
    },
    /// A host and all its processes are gone.
    HostGone(String),
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subnet(subnet) => write!(f, "subnet {subnet}/24"),
            Self::HostUp { host, address } => write!(f, "{host} up at {address}"),
            Self::HostGone(host) => write!(f, "{host} gone"),
        }
    }
}

/// Returns the usual folder of a lab.
pub fn folder_of(name: &str) -> PathBuf {
    Path::new(BASE).join(name)
}

/// Returns the names of the labs in the usual place, sorted.
pub fn list() -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(BASE) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("list", Path::new(BASE))(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::file("list", Path::new(BASE)))?;
        if entry.path().join(state::FILE).exists() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    names.sort();
    Ok(names)
}

impl Spec {
    /// Checks what can be checked before anything is made.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { name, managers, workers, folder } = self;
        check_name(name)?;
        let fail = |text: String| Err(Error::Spec(text));
        if *managers == 0 && *workers == 0 {
            return fail("a lab needs at least one host".to_owned());
        }
        if *managers > MANAGERS_MAX || *workers > WORKERS_MAX {
            return fail(format!("a lab has at most {MANAGERS_MAX} managers and {WORKERS_MAX} workers"));
        }
        if !folder.is_absolute() {
            return fail(format!("the lab's folder {} is not an absolute path", folder.display()));
        }
        if folder.starts_with("/run") || folder.starts_with("/var/run") {
            return fail(format!(
                "the lab's folder {} is under /run, which each host has for itself",
                folder.display()
            ));
        }
        if folder.as_os_str().len() > FOLDER_BYTES_MAX {
            return fail(format!(
                "the lab's folder {} is longer than {FOLDER_BYTES_MAX} bytes, too long for the sockets in it",
                folder.display()
            ));
        }
        Ok(())
    }

    /// Returns name, role and last address byte of every host.
    pub(crate) fn hosts(&self) -> Vec<(String, Role, u8)> {
        let managers = (1..=self.managers).map(|n| (format!("m{n}"), Role::Manager, MANAGER_BASE + n));
        let workers = (1..=self.workers).map(|n| (format!("w{n}"), Role::Worker, WORKER_BASE + n));
        managers.chain(workers).collect()
    }
}

/// Checks a lab's name, which becomes part of paths and cgroups.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len())
        && !name.starts_with('-')
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if fits {
        return Ok(());
    }
    Err(Error::Spec(format!(
        "{name:?} is not a lab's name: it is 1 to {NAME_BYTES_MAX} lower-case letters, digits and hyphens"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, managers: u8, workers: u8, folder: &str) -> Spec {
        Spec { name: name.to_owned(), managers, workers, folder: PathBuf::from(folder) }
    }

    #[test]
    fn impossible_labs_are_refused_with_the_reason() {
        let long = format!("/{}", "x".repeat(100));
        let cases = [
            (spec("", 1, 0, "/x"), "not a lab's name"),
            (spec("../etc", 1, 0, "/x"), "not a lab's name"),
            (spec("Lab", 1, 0, "/x"), "not a lab's name"),
            (spec("-x", 1, 0, "/x"), "not a lab's name"),
            (spec(&"x".repeat(31), 1, 0, "/x"), "not a lab's name"),
            (spec("x", 0, 0, "/x"), "at least one host"),
            (spec("x", 81, 0, "/x"), "at most 80 managers"),
            (spec("x", 0, 151, "/x"), "150 workers"),
            (spec("x", 1, 0, "x"), "absolute"),
            (spec("x", 1, 0, "/run/x"), "under /run"),
            (spec("x", 1, 0, &long), "too long"),
        ];

        for (spec, expected) in cases {
            let error = spec.check().expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn hosts_have_distinct_addresses_below_the_machines_own() {
        let hosts = spec("x", MANAGERS_MAX, WORKERS_MAX, "/x").hosts();
        let bytes: std::collections::BTreeSet<u8> = hosts.iter().map(|(_, _, byte)| *byte).collect();

        assert_eq!(bytes.len(), hosts.len());
        assert!(bytes.iter().all(|byte| (11..=250).contains(byte)));
    }
}
