//! Labs stand side by side, and leave nothing behind.

use std::fs;
use std::process::Command;

use crate::support::{Lab, Said, Service, ask, eventually, turn};

#[test]
fn labs_stand_side_by_side_and_leave_nothing_behind() {
    let _turn = turn();
    let one = Lab::up("one", 1, 1);
    let two = Lab::up("two", 1, 1);
    let twice = Said::by(two.command("up").args(["--managers", "1", "--workers", "1"]));
    twice.refused(&[two.name(), "take it down first"]);
    for lab in [&one, &two] {
        Service::create(lab, "m1", "web", "--replicas 2 --publish 8080:8080 drover/whoami").until_running(2);
    }
    for lab in [&one, &two] {
        eventually(10, "its own hosts answer", || ask(lab.address("w1"), 8080));
    }
    assert_ne!(one.address("m1"), two.address("m1"));

    one.down();
    let said = Said::by(&mut one.command("ps"));
    said.refused(&[one.name()]);
    eventually(10, "the other lab goes on", || ask(two.address("w1"), 8080));
    everything_is_killed(&two);
    assert!(!traces(two.name()).is_empty(), "there is something to take down");
    two.down();
    for lab in [&one, &two] {
        eventually(10, "nothing stays behind", || {
            let left = traces(lab.name());
            if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
        });
    }

    let again = Lab::up("one", 1, 1);
    eventually(10, "a lab of the same name is fresh", || {
        let nodes = again.nodes("m1")?;
        if nodes.values().filter(|(status, _)| status == "Ready").count() == 2 {
            Ok(())
        } else {
            Err(format!("{nodes:?}"))
        }
    });
    assert_eq!(again.drover("m1", "service ls -q").ok(), "");
}

/// Daemons, shims and containers die at once; what they had made stays for `down`.
fn everything_is_killed(lab: &Lab) {
    let mark = format!("drover-{}-", lab.name());
    for pid in pids() {
        let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        if cgroup.contains(&mark) {
            Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
        }
    }
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Returns what the machine has of a lab: mounts, cgroups, links, tables, folders, processes.
fn traces(lab: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut note = |kind: &str, text: &str| {
        all.extend(text.lines().filter(|line| line.contains(lab)).map(|line| format!("{kind} {line}")));
    };
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    note("mount", &fs::read_to_string("/proc/self/mounts").unwrap());
    note("cgroup", &said("find", &["/sys/fs/cgroup", "-type", "d"]));
    note("link", &said("ip", &["-o", "link"]));
    note("tables", &said("nft", &["list", "ruleset"]));
    note("folder", &said("find", &["/var/lib/drover-lab", "/run", "/tmp", "-maxdepth", "1"]));
    for pid in pids() {
        // A dead process that nobody has waited for yet has no namespace any more.
        let Ok(home) = fs::read_link(format!("/proc/{pid}/ns/net")) else { continue };
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let words = read("cmdline").replace('\0', " ");
        note("process", &format!("{} {words} {}", home.display(), read("cgroup").replace('\n', " ")));
    }
    all
}
