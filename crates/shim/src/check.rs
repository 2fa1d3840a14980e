//! What can be seen to be wrong with a spec before anything is made, in Docker's words where it has some.

use std::fs;

use cgroup::DeviceRule;
use privilege::capability::{Set, check_names};

use crate::oci::is_confining;
use crate::placing::tmpfs_options;
use crate::{Ipc, MountKind, Spec, Ulimit, Uts};

/// Kernel parameters of System V and POSIX message queues, which belong to the namespace for these.
const OF_IPC: &[&str] = &[
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];
const ULIMITS: &[&str] = &[
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Says what is wrong with a spec's rights, limits and options; nothing is said of paths and images.
pub fn check(spec: &Spec) -> Result<(), String> {
    check_names(spec.capabilities_add.iter().chain(&spec.capabilities_drop))?;
    spec.resources.check()?;
    spec.ulimits.iter().try_for_each(check_ulimit)?;
    spec.sysctls.keys().try_for_each(|name| check_sysctl(name, spec))?;
    spec.device_rules.iter().try_for_each(|rule| rule.parse::<DeviceRule>().map(drop))?;
    for mount in &spec.mounts {
        if let MountKind::Tmpfs { size_bytes, mode, options } = &mount.kind {
            tmpfs_options(*size_bytes, *mode, options)?;
        }
    }
    if let Some(adjust) = spec.oom_score_adj.filter(|adjust| !(-1000..=1000).contains(adjust)) {
        return Err(format!("Invalid value {adjust}, range for oom score adj is [-1000, 1000]"));
    }
    if let Some(profile) = spec.apparmor.as_deref().filter(|name| is_confining(name) && !has_apparmor()) {
        return Err(format!(
            "AppArmor profile {profile} cannot be used: this host's kernel has no AppArmor; use apparmor=unconfined"
        ));
    }
    let wanted = Set::chosen(&spec.capabilities_add, &spec.capabilities_drop, spec.privileged)?;
    spec.filtering().filter(wanted).map(drop)
}

fn has_apparmor() -> bool {
    fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|enabled| enabled.trim() == "Y")
}

fn check_ulimit(limit: &Ulimit) -> Result<(), String> {
    let Ulimit { name, soft, hard } = limit;
    if !ULIMITS.contains(&name.as_str()) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    if soft > hard {
        return Err(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"));
    }
    Ok(())
}

/// Only what belongs to a namespace of the container's own may be set.
fn check_sysctl(name: &str, spec: &Spec) -> Result<(), String> {
    let dotted = name.replace('/', ".");
    if OF_IPC.contains(&dotted.as_str()) || dotted.starts_with("fs.mqueue.") {
        return match spec.ipc {
            Ipc::Host => Err(format!("sysctl {dotted:?} is not allowed in the hosts ipc namespace")),
            Ipc::Private | Ipc::Shareable | Ipc::WithoutShm | Ipc::Joined(_) => Ok(()),
        };
    }
    if dotted.starts_with("net.") {
        return match spec.network_namespace {
            None => Err(format!("sysctl {dotted:?} not allowed in host network namespace")),
            Some(_) => Ok(()),
        };
    }
    match (dotted.as_str(), spec.uts) {
        ("kernel.domainname", Uts::Private) => Ok(()),
        ("kernel.hostname", Uts::Private) => {
            Err(format!("sysctl {dotted:?} is not allowed as it conflicts with the OCI \"hostname\" field"))
        }
        _ => Err(format!("sysctl {dotted:?} is not in a separate kernel namespace")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Resources, Seccomp};

    fn refused(spec: Spec, words: &str) {
        let error = check(&spec).unwrap_err();
        assert!(error.contains(words), "{error}");
    }

    fn sysctl(name: &str, change: impl Fn(&mut Spec), expected: Result<(), &str>) {
        let mut spec = Spec { network_namespace: Some("/net".into()), ..Spec::default() };
        spec.sysctls = [(name.to_owned(), "1".to_owned())].into();
        change(&mut spec);
        assert_eq!(check(&spec), expected.map_err(str::to_owned), "{name}");
    }

    #[test]
    fn only_parameters_of_own_namespaces_can_be_set() {
        sysctl("net.core.somaxconn", |_| (), Ok(()));
        sysctl("net/core/somaxconn", |_| (), Ok(()));
        sysctl("kernel.shmmax", |_| (), Ok(()));
        sysctl("fs.mqueue.msg_max", |_| (), Ok(()));
        sysctl("kernel.domainname", |_| (), Ok(()));
        sysctl(
            "net.core.somaxconn",
            |spec| spec.network_namespace = None,
            Err("sysctl \"net.core.somaxconn\" not allowed in host network namespace"),
        );
        sysctl(
            "kernel.shmmax",
            |spec| spec.ipc = Ipc::Host,
            Err("sysctl \"kernel.shmmax\" is not allowed in the hosts ipc namespace"),
        );
        sysctl(
            "kernel.hostname",
            |_| (),
            Err("sysctl \"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" field"),
        );
        sysctl(
            "kernel.domainname",
            |spec| spec.uts = Uts::Host,
            Err("sysctl \"kernel.domainname\" is not in a separate kernel namespace"),
        );
        sysctl(
            "vm.swappiness",
            |_| (),
            Err("sysctl \"vm.swappiness\" is not in a separate kernel namespace"),
        );
    }

    #[test]
    fn limits_must_make_sense() {
        let limited = |resources| Spec { resources, ..Spec::default() };
        let memory = Some(1 << 20);
        refused(
            limited(Resources { memory_swap_bytes: Some(1), ..Resources::default() }),
            "always set the Memory",
        );
        let less = Resources { memory_bytes: memory, memory_swap_bytes: Some(1), ..Resources::default() };
        refused(limited(less), "Minimum memoryswap");
        refused(limited(Resources { memory_swappiness: Some(101), ..Resources::default() }), "0-100");
        refused(limited(Resources { blkio_weight: Some(9), ..Resources::default() }), "10 to 1000");
        let unlimited =
            Resources { memory_bytes: memory, memory_swap_bytes: Some(-1), ..Resources::default() };
        assert_eq!(check(&limited(unlimited)), Ok(()));
        refused(Spec { oom_score_adj: Some(1001), ..Spec::default() }, "[-1000, 1000]");
    }

    #[test]
    fn names_and_options_must_be_known() {
        let limit = |name: &str, soft, hard| Ulimit { name: name.into(), soft, hard };
        let limits = |limit| Spec { ulimits: vec![limit], ..Spec::default() };
        refused(limits(limit("nofiles", 1, 1)), "invalid ulimit type: nofiles");
        refused(limits(limit("nofile", 2, 1)), "less than or equal to hard limit: 2 > 1");
        assert_eq!(check(&limits(limit("rttime", 1, 2))), Ok(()));
        refused(Spec { device_rules: vec!["c 1".into()], ..Spec::default() }, "device cgroup rule");
        refused(Spec { capabilities_add: vec!["FLY".into()], ..Spec::default() }, "FLY");
        refused(Spec { seccomp: Seccomp::Profile("{".into()), ..Spec::default() }, "seccomp profile");
        let apparmor = |name: &str| Spec { apparmor: Some(name.into()), ..Spec::default() };
        assert_eq!(check(&apparmor("unconfined")), Ok(()));
        if !has_apparmor() {
            refused(apparmor("own"), "own");
        }
    }
}
