//! Whatever happens, nothing is left.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use container::{Containers, Error, Phase, Removal};
use nix::sys::signal::{Signal as Kernel, kill};
use nix::unistd::Pid;
use tokio::task::JoinSet;

use crate::host::{DEADLINE, Host, config, eventually};

const MANY: usize = 200;
const AT_ONCE: usize = 20;

fn mounts() -> usize {
    fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn whole_life(containers: Containers, spec: container::Spec) -> Result<(), Error> {
    containers.create(&spec).await?;
    containers.start(&spec.id).await?;
    containers.wait(&spec.id).await?;
    containers.remove(&spec.id, Removal::OnlyStopped).await
}

pub fn two_hundred_leave_nothing(host: &Host) {
    let (mounts_before, descriptors_before) = (mounts(), descriptors());
    let containers = host.handle();

    host.runtime.block_on(async {
        for bunch in 0..MANY / AT_ONCE {
            let mut lives = JoinSet::new();
            for number in 0..AT_ONCE {
                let spec = host.script(&format!("c{bunch}-{number}"), "echo x > /x");
                lives.spawn(whole_life(containers.clone(), spec));
            }
            lives.join_all().await.into_iter().for_each(Result::unwrap);
        }
    });

    assert!(containers.list().is_empty());
    host.assert_clean();
    assert_eq!(mounts(), mounts_before);
    eventually(|| descriptors() <= descriptors_before);
}

/// The shim that serves a container, known to nobody but the kernel.
fn shims(host: &Host) -> Vec<i32> {
    let dir = host.dir.path().join("root");
    let is_shim = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let parts: Vec<String> =
            line.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        parts.get(1).is_some_and(|word| word == "shim")
            && parts.iter().any(|part| part.starts_with(dir.to_str().unwrap()))
    };
    let numbers =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    numbers.filter(is_shim).collect()
}

pub fn shim_killed_at_any_moment_of_a_start_leaves_nothing(host: &Host) {
    let containers = host.handle();
    for delay in (0..24).map(|step| Duration::from_millis(step / 2)) {
        let spec = host.script("victim", "sleep 1000");
        let life = containers.clone();
        let starting = host.runtime.spawn(async move {
            life.create(&spec).await?;
            life.start("victim").await.map(drop)
        });
        let end = std::time::Instant::now() + DEADLINE;
        while shims(host).is_empty() && !starting.is_finished() && std::time::Instant::now() < end {}
        std::thread::sleep(delay);
        // Its children are copies of it with the same words; all die as one.
        for shim in shims(host) {
            let _ = kill(Pid::from_raw(shim), Kernel::SIGKILL);
        }
        let _ = host
            .runtime
            .block_on(async { tokio::time::timeout(DEADLINE, starting).await })
            .expect("it ends")
            .unwrap();

        host.reopen();

        if host.handle().status("victim").is_ok() {
            host.remove("victim");
        }
        host.assert_clean();
    }
}

/// What a process does that is killed while it does it.
pub fn daemon(dir: &std::path::Path) -> std::process::ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let layer = dir.join("layer");
    let result: Result<(), Error> = runtime.block_on(async {
        let containers = Containers::open(config(dir)).await?;
        for round in 0.. {
            let args = ["sh", "-c", "sleep 0.02"].map(String::from).to_vec();
            let spec = container::Spec {
                id: format!("r{round}"),
                args,
                layers: vec![layer.clone()],
                ..container::Spec::default()
            };
            containers.create(&spec).await?;
            println!("created");
            containers.start(&spec.id).await?;
            containers.pause(&spec.id).await?;
            containers.unpause(&spec.id).await?;
            containers.visit_root(&spec.id, |_| ()).await?;
            containers.wait(&spec.id).await?;
            containers.visit_root(&spec.id, |_| ()).await?;
            containers.remove(&spec.id, Removal::OnlyStopped).await?;
        }
        Ok(())
    });
    eprintln!("the daemon of the test ended: {result:?}");
    std::process::ExitCode::FAILURE
}

pub fn daemon_killed_at_any_moment_leaves_what_the_next_adopts_or_cleans(host: &Host) {
    use std::io::{BufRead, BufReader};

    for delay in (0..25).map(|step| Duration::from_millis(step * 4)) {
        let own = std::env::current_exe().unwrap();
        let mut child: Child =
            Command::new(own).arg("daemon").arg(host.dir.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap();

        host.reopen();

        for status in host.handle().list() {
            let is_known = matches!(
                status.phase,
                Phase::Created | Phase::Running(_) | Phase::Paused(_) | Phase::Exited(_)
            );
            assert!(is_known, "{status:?}");
            if let Phase::Paused(_) = status.phase {
                host.runtime.block_on(host.handle().unpause(&status.id)).unwrap();
            }
            if !matches!(status.phase, Phase::Created) {
                assert_eq!(host.wait(&status.id).code, 0, "{}", status.id);
            }
            host.remove(&status.id);
        }
        host.assert_clean();
    }
}
