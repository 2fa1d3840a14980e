//! Linux capabilities: their names and Docker's default set.

/// Every capability, at the index of its number.
const NAMES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

const DEFAULT: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// A set of capabilities, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set(u64);

impl Set {
    /// No capability.
    pub const EMPTY: Set = Set(0);

    /// Returns the set a container gets, or the name that is no capability.
    pub fn chosen(add: &[String], drop: &[String], privileged: bool) -> Result<Set, String> {
        if privileged {
            return Ok(Set::all());
        }
        let (add, drop) = (parse(add)?, parse(drop)?);
        let mut set = match (add.all, drop.all) {
            (true, _) => Set::all(),
            (false, true) => Set::EMPTY,
            (false, false) => DEFAULT.iter().fold(Set::EMPTY, |set, name| set.with(name)),
        };
        if !drop.all {
            set = Set(set.0 & !drop.set.0);
        }
        Ok(Set(set.0 | add.set.0))
    }

    /// All that this process may pass on: no container can have more.
    fn all() -> Set {
        let known = (1 << NAMES.len()) - 1;
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
        let bounding = bounding.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
        Set(bounding.unwrap_or(known) & known)
    }

    /// Returns the set with one more, named as this crate does.
    pub fn with(self, name: &str) -> Set {
        Set(self.0 | bit(name))
    }

    /// Returns whether one is in it.
    pub fn has(self, name: &str) -> bool {
        self.0 & bit(name) != 0
    }

    /// Returns it as the kernel has it.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Lists the names with `CAP_`.
    pub fn names(self) -> Vec<String> {
        NAMES.iter().filter(|name| self.has(name)).map(|name| format!("CAP_{name}")).collect()
    }
}

/// Says which name of these is no capability.
pub fn check_names<'a>(names: impl IntoIterator<Item = &'a String>) -> Result<(), String> {
    names.into_iter().try_for_each(|name| parse(std::slice::from_ref(name)).map(drop))
}

/// Returns the number of a capability this file names.
pub fn number(name: &str) -> usize {
    NAMES.iter().position(|known| *known == name).expect("callers name capabilities of the table")
}

fn bit(name: &str) -> u64 {
    1 << number(name)
}

struct Named {
    set: Set,
    all: bool,
}

fn parse(names: &[String]) -> Result<Named, String> {
    let mut named = Named { set: Set::EMPTY, all: false };
    for name in names {
        let upper = name.to_ascii_uppercase();
        let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
        match NAMES.iter().position(|known| *known == short) {
            Some(number) => named.set.0 |= 1 << number,
            None if short == "ALL" => named.all = true,
            None => return Err(format!("unknown capability {name}")),
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(add: &[&str], drop: &[&str]) -> u64 {
        let own = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        Set::chosen(&own(add), &own(drop), false).unwrap().bits()
    }

    #[test]
    fn default_set_is_dockers() {
        assert_eq!(chosen(&[], &[]), 0xa804_25fb);
    }

    #[test]
    fn added_and_dropped_capabilities_change_the_set() {
        assert_eq!(chosen(&["net_admin"], &["CAP_MKNOD"]), (0xa804_25fb | 1 << 12) & !(1 << 27));
        assert_eq!(chosen(&["CHOWN"], &["ALL"]), 1);
        assert_eq!(chosen(&["ALL"], &["CHOWN"]) & 1, 0);
    }

    #[test]
    fn unknown_capability_is_refused_by_name() {
        let refused = Set::chosen(&["SYS_MAGIC".to_owned()], &[], false);

        assert_eq!(refused, Err("unknown capability SYS_MAGIC".to_owned()));
    }
}
