//! Measures how long containers take to start, and what their shims weigh.
//!
//! Run as root: `cargo run -p container --release --example latency -- [IN PARALLEL]`. Needs a static `busybox`.
//! With `FAVOR_CGROUP_MOVES` set it first makes the kernel favour moves between cgroups, which stays so.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use container::{Config, Containers, Process, Removal, Spec};

const SINGLE: usize = 200;
const PARALLEL: usize = 50;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("shim") {
        return container::shim_main(std::env::args_os().skip(2));
    }
    if std::env::var_os("FAVOR_CGROUP_MOVES").is_some() {
        container::favor_cgroup_moves().expect("remount the cgroup hierarchy");
    }
    let parallel = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(PARALLEL);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime is needed to measure anything");
    runtime.block_on(measure(parallel));
    ExitCode::SUCCESS
}

async fn measure(parallel: usize) {
    let base = PathBuf::from(format!("/tmp/container-latency-{}", std::process::id()));
    // A name of its own: a run that was broken off leaves its containers running.
    let parent = format!("drover-latency-{}", std::process::id());
    let layer = base.join("layer");
    std::fs::create_dir_all(layer.join("bin")).expect("make the layer");
    std::fs::copy("/bin/busybox", layer.join("bin/sleep"))
        .expect("copy /bin/busybox (package busybox-static)");
    let config = Config {
        root: base.join("root"),
        run: base.join("run"),
        shim: vec!["/proc/self/exe".into(), "shim".into()],
        cgroup_parent: parent.clone(),
    };
    let containers = Containers::open(config).await.expect("open");

    let (mut creates, mut totals, mut removals) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..SINGLE {
        let spec = spec(&layer, number);
        let begin = Instant::now();
        containers.create(&spec).await.expect("create");
        creates.push(begin.elapsed());
        containers.start(&spec.id).await.expect("start");
        totals.push(begin.elapsed());
        let begin = Instant::now();
        containers.remove(&spec.id, Removal::Forced).await.expect("remove");
        removals.push(begin.elapsed());
    }
    print("create, one at a time", creates);
    print("create + start, one at a time", totals);
    print("kill + remove, one at a time", removals);

    println!("CPU time of one container's life   {:.2} ms", cpu_seconds() * 1e3 / SINGLE as f64);
    measure_execs(&containers, &layer).await;

    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..parallel {
        let (containers, spec) = (containers.clone(), spec(&layer, number));
        tasks.spawn(async move {
            containers.create(&spec).await.expect("create");
            containers.start(&spec.id).await.expect("start");
        });
    }
    tasks.join_all().await;
    println!("{parallel} in parallel: {:.0} ms", begin.elapsed().as_secs_f64() * 1e3);
    weigh();

    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for status in containers.list() {
        let containers = containers.clone();
        tasks.spawn(async move { containers.remove(&status.id, Removal::Forced).await.expect("remove") });
    }
    tasks.join_all().await;
    println!("remove {parallel} in parallel: {:.0} ms", begin.elapsed().as_secs_f64() * 1e3);
    std::fs::remove_dir_all(&base).expect("clean up");
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").expect("list the cgroup hierarchies").flatten() {
        // Not every hierarchy has it.
        let _ = std::fs::remove_dir(hierarchy.path().join(&parent));
    }
}

/// Measures further processes, and how long the shim answers nobody meanwhile.
async fn measure_execs(containers: &Containers, layer: &Path) {
    let spec = spec(layer, SINGLE);
    let process = Process { args: vec!["sleep".into(), "0".into()], ..Process::default() };
    containers.lay_out(&spec).await.expect("lay out");
    let begin = Instant::now();
    containers.start(&spec.id).await.expect("start");
    println!("start of a container laid out      {:.2} ms", begin.elapsed().as_secs_f64() * 1e3);
    weigh();

    let (mut starts, mut totals, mut silences) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..SINGLE {
        let id = format!("exec-{number}");
        let begin = Instant::now();
        let (made, silence) = tokio::join!(containers.exec(&spec.id, &id, &process), async {
            // Long enough for the shim to have begun with the process.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let begin = Instant::now();
            let _ = containers.exec_status(&spec.id, "unknown").await;
            begin.elapsed()
        });
        made.expect("exec");
        starts.push(begin.elapsed());
        silences.push(silence);
        containers.exec_wait(&spec.id, &id).await.expect("wait");
        totals.push(begin.elapsed());
    }
    print("exec, until it runs", starts);
    print("exec, until it has ended", totals);
    print("answers of the shim meanwhile", silences);
    weigh();
    containers.remove(&spec.id, Removal::Forced).await.expect("remove");
}

/// Tells the CPU time that this process and all that have ended below it have used.
fn cpu_seconds() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};

    let used = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].map(|who| {
        let usage = getrusage(who).expect("a process may ask for its own usage");
        let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 * 1e-6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    });
    used.iter().sum()
}

fn spec(layer: &Path, number: usize) -> Spec {
    Spec {
        id: format!("latency-{number}"),
        args: vec!["sleep".into(), "600".into()],
        hostname: "latency".into(),
        layers: vec![layer.to_owned()],
        ..Spec::default()
    }
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e3;
    println!(
        "{what:<32} min {:.2} p50 {:.2} p90 {:.2} p99 {:.2} max {:.2} ms",
        at(0),
        at(50),
        at(90),
        at(99),
        at(100)
    );
}

/// Prints the memory of the shims: this process's children.
fn weigh() {
    let own = std::process::id();
    let (mut shares, mut owned) = (Vec::new(), Vec::new());
    for task in std::fs::read_dir(format!("/proc/{own}/task")).expect("read the own tasks").flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for pid in children.split_whitespace() {
            let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            shares.extend(kilobytes(&rollup, "Pss:"));
            owned.extend(kilobytes(&rollup, "Private_Dirty:"));
        }
    }
    let each = |all: &[u64]| all.iter().sum::<u64>() / (all.len() as u64).max(1);
    println!("{} shims, each {} kB PSS, {} kB written to", shares.len(), each(&shares), each(&owned));
}

fn kilobytes(rollup: &str, name: &str) -> Option<u64> {
    let value = rollup.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().trim_end_matches(" kB").parse().ok()
}
