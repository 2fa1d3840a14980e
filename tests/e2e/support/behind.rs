//! Looking behind the curtain: what hosts really run and keep.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::lab::Lab;
use super::wait::eventually;

/// The length of a container's id in hexadecimal digits.
const ID_LENGTH: usize = 64;

impl Lab {
    /// Returns the containers of a host with their processes: one that was restarted has others.
    pub fn containers(&self, host: &str) -> BTreeMap<String, BTreeSet<u32>> {
        let mark = format!("/drover-{}-{host}/", self.name());
        let mut found: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let text = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
            let Some((_, rest)) = text.split_once(&mark) else { continue };
            let id: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
            if id.len() == ID_LENGTH {
                found.entry(id).or_default().insert(pid);
            }
        }
        found
    }

    /// Returns the containers of all hosts with their processes.
    pub fn all_containers(&self) -> BTreeMap<String, BTreeSet<u32>> {
        self.hosts().iter().flat_map(|host| self.containers(host)).collect()
    }

    /// Waits until no host has anything left of any container.
    #[track_caller]
    pub fn until_nothing_is_left(&self) {
        for host in self.hosts() {
            eventually(20, &format!("{host} keeps nothing of a container"), || {
                let left = [self.records(host), self.live_parts(host)].concat();
                if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
            });
        }
    }

    /// Returns the folders that a host keeps of containers: those of ended tasks stay for their logs.
    pub fn records(&self, host: &str) -> Vec<String> {
        let folders = ["data/containers", "data/engine"].map(|name| self.folder(host).join(name));
        let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let names = entries.filter(|entry| entry.file_name().len() == ID_LENGTH);
        names.map(|entry| entry.path().display().to_string()).collect()
    }

    /// Returns what only living containers have: sockets, namespaces, links, mounts, cgroups, processes.
    pub fn live_parts(&self, host: &str) -> Vec<String> {
        let look = format!(
            "ls -d /run/drover/c/* /run/drover/net/netns/* /run/drover/net/attached/*; \
             ip -o link | grep -o 'dv[0-9a-f]*@.*'; grep '^overlay ' /proc/mounts; \
             find /sys/fs/cgroup -path '*drover-{}-{host}/*' -type d ! -name host",
            self.name()
        );
        let text = self.sh(host, &look).out;
        let mut left: Vec<String> = text.lines().map(str::to_owned).collect();
        left.extend(self.containers(host).keys().cloned());
        left
    }
}
