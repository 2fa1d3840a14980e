//! Where on the host the files are that Docker keeps for each container.

use std::path::Path;

use container::{FileInRoot, Phase};

use crate::Engine;

/// The paths on the host; those that are nowhere are empty.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub log: String,
    pub hostname: String,
    pub hosts: String,
    pub resolv_conf: String,
}

impl Engine {
    /// Returns where the files of a container are.
    ///
    /// The small ones are in memory that its shim alone has mounted, and as long as it runs: what is in the container
    /// in their places are they.
    pub(crate) fn places(&self, id: &str) -> Places {
        let containers = self.containers();
        let log = containers.log_path(id).ok().flatten().map(|path| path.display().to_string());
        let places = Places { log: log.unwrap_or_default(), ..Places::default() };
        let pid = match containers.status(id).map(|status| status.phase) {
            Ok(Phase::Running(started) | Phase::Paused(started)) => started.pid,
            Ok(Phase::Created | Phase::Exited(_)) | Err(_) => return places,
        };
        let files = containers.spec(id).map(|spec| spec.files).unwrap_or_default();
        let place = |target: &str| place_of(&files, pid, target);
        Places {
            hostname: place("/etc/hostname"),
            hosts: place("/etc/hosts"),
            resolv_conf: place("/etc/resolv.conf"),
            ..places
        }
    }
}

fn place_of(files: &[FileInRoot], pid: i32, target: &str) -> String {
    let is_ours = files.iter().any(|file| file.target == Path::new(target));
    if is_ours { format!("/proc/{pid}/root{target}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_ours_have_no_place() {
        let file = FileInRoot {
            target: "/etc/hosts".into(),
            contents: String::new(),
            mode: 0o644,
            read_only: false,
        };

        assert_eq!(place_of(&[file], 7, "/etc/hosts"), "/proc/7/root/etc/hosts");
        assert_eq!(place_of(&[], 7, "/etc/hosts"), "");
    }
}
