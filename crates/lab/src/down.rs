//! Taking a lab down, however much of it is there.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::path::Path;

use crate::cgroup::Hierarchies;
use crate::error::{Error, Result};
use crate::host::{HOSTS, Host};
use crate::lab::{self, owner, power_off};
use crate::links;
use crate::namespace::{PINS, Pins};
use crate::process::{Placer, sweep};
use crate::spec::{BASE, Progress, Role, check_name};
use crate::state::{self, Lock, State};

/// Removes everything of the lab of that name and folder: processes, cgroups, namespaces, mounts,
/// links, files.
///
/// It does all it can and returns what it could not. A lab that is not there is fine, and so is one
/// that was left half made or half removed.
pub fn down(name: &str, folder: &Path, progress: &mut dyn FnMut(Progress)) -> Result<()> {
    check_name(name)?;
    let _lock = match Lock::take(folder) {
        Ok(lock) => lock,
        Err(Error::Absent(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut errors = Vec::new();
    let placer = Placer { pins: Pins::of(folder), hierarchies: Hierarchies::find()? };
    let (hosts, subnet) = remains(name, folder);
    for host in hosts {
        errors.extend(power_off(&placer, &host));
        progress(Progress::HostGone(host.name));
    }
    errors.extend(links::disconnect_machine(subnet, &owner(folder)).err());
    sweep(&placer.pins, links::SWITCH);
    errors.extend(placer.pins.remove());
    if errors.is_empty() {
        errors.extend(remove_files(folder).err());
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Leftovers(errors)) }
}

/// Returns the hosts and the subnet to look for; without a readable state file, by what lies about.
fn remains(name: &str, folder: &Path) -> (Vec<Host>, Option<u8>) {
    if let Ok(state) = State::load(folder) {
        return (state.hosts, state.subnet);
    }
    let Ok(entries) = fs::read_dir(folder.join(HOSTS)) else { return (Vec::new(), None) };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let hosts = names.map(|host| lab::host(name, folder, host, Role::Worker, Ipv4Addr::UNSPECIFIED));
    (hosts.collect(), None)
}

/// Removes only what a lab makes, in case the folder was given by mistake; the state comes last, so
/// that a failure can be tried again.
fn remove_files(folder: &Path) -> Result<()> {
    for name in [HOSTS, PINS] {
        let path = folder.join(name);
        gone(fs::remove_dir_all(&path)).map_err(Error::file("remove", &path))?;
    }
    for name in [state::PART, state::FILE, state::LOCK] {
        let path = folder.join(name);
        gone(fs::remove_file(&path)).map_err(Error::file("remove", &path))?;
    }
    let removed = gone(fs::remove_dir(folder));
    // The folder of all labs goes with the last of them; while there are others it is not empty.
    let _ = fs::remove_dir(BASE);
    match removed {
        Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => {
            Err(Error::file("remove", folder)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
