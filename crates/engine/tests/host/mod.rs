//! A host of its own for each test: directories, cgroup parent, and an image with busybox.

mod client;

use std::cell::{Ref, RefCell};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use container::Containers;
use container_json::{CreateBody, Inspect};
use engine::{Config, Engine, Parts, Removing, Sizes, Stopping};
use image::{Images, Import};
use network::Network;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use volume::Volumes;

pub use client::{Client, texts};

pub type Test = harness::Test<Host>;

/// Longer than anything here takes on a loaded machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

const BUSYBOX: &str = "/bin/busybox";
const APPLETS: &[&str] = &[
    "sh", "cat", "echo", "sleep", "ls", "id", "grep", "touch", "true", "false", "head", "rm", "pwd", "env",
    "stty", "kill", "trap", "test", "mkdir", "dd", "tty",
];
/// Says that this process is in a network namespace of its own.
const APART: &str = "apart";

/// Runs the tests whose names contain one of the arguments, or all, and says which failed.
pub fn run(tests: &[Test]) -> ExitCode {
    if fs::metadata(BUSYBOX).is_err() {
        eprintln!("these tests make containers: run them as root, with the package busybox-static installed");
        return ExitCode::FAILURE;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == APART) {
        let program = std::env::current_exe().unwrap();
        let status =
            Command::new("unshare").arg("--net").arg(program).arg(APART).args(args).status().unwrap();
        return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
    let wanted: Vec<String> = args.into_iter().filter(|arg| *arg != APART).collect();
    harness::run(tests, &wanted, |test| {
        let host = Host::new();
        test(&host);
        host.close();
    })
}

/// What one test needs; dropping it leaves nothing behind.
pub struct Host {
    pub dir: tempfile::TempDir,
    daemon: RefCell<Option<Daemon>>,
}

/// What goes when the daemon's process goes.
struct Daemon {
    runtime: Runtime,
    engine: Engine,
    parts: Parts,
}

impl Host {
    fn new() -> Host {
        let dir = tempfile::Builder::new().prefix("engine-").tempdir().unwrap();
        let daemon = Daemon::open(dir.path());
        let root = tar_of_busybox(dir.path());
        daemon.runtime.block_on(async {
            let file = tokio::fs::File::open(root).await.unwrap();
            let name = Some("busybox:latest".parse().unwrap());
            let import = Import { name, changes: vec!["CMD [\"sh\"]".to_owned()], ..Import::default() };
            daemon.parts.images.import(file, import).await.unwrap();
        });
        Host { dir, daemon: RefCell::new(Some(daemon)) }
    }

    /// Removes every container and checks that the host is as it was.
    fn close(self) {
        self.remove_all();
        self.assert_clean();
    }

    /// Lets the daemon go as if it was killed, and starts another.
    pub fn restart_daemon(&self) {
        self.kill_daemon();
        self.start_daemon();
    }

    /// Lets the daemon go as if it was killed.
    pub fn kill_daemon(&self) {
        let Daemon { runtime, engine, parts } = self.daemon.borrow_mut().take().unwrap();
        runtime.shutdown_timeout(DEADLINE);
        drop((engine, parts));
    }

    /// Starts a daemon where there is none.
    pub fn start_daemon(&self) {
        *self.daemon.borrow_mut() = Some(Daemon::open(self.dir.path()));
    }

    pub fn engine(&self) -> Engine {
        self.daemon().engine.clone()
    }

    pub fn parts(&self) -> Parts {
        self.daemon().parts.clone()
    }

    /// Runs something to its end, which has to come in time.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        let daemon = self.daemon();
        daemon
            .runtime
            .block_on(async { tokio::time::timeout(DEADLINE, work).await })
            .expect("it ends in time")
    }

    /// Lets something go on by itself.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.daemon().runtime.spawn(work)
    }

    fn daemon(&self) -> Ref<'_, Daemon> {
        Ref::map(self.daemon.borrow(), |daemon| daemon.as_ref().expect("the daemon runs"))
    }

    /// Makes a container; what `more` says is laid over what every container here has.
    pub fn create(&self, name: &str, script: &str, more: Value) -> String {
        let mut body = json!({
            "Image": "busybox",
            "Cmd": ["sh", "-c", script],
            "HostConfig": { "NetworkMode": "none" },
        });
        lay_over(&mut body, more);
        let body: CreateBody = engine_json::decode(body.to_string().as_bytes()).unwrap();
        self.block_on(self.engine().create(Some(name), body)).unwrap().id
    }

    pub fn start(&self, name: &str) {
        self.block_on(self.engine().start(name)).unwrap();
    }

    /// Makes and starts a container.
    pub fn run(&self, name: &str, script: &str, more: Value) -> String {
        let id = self.create(name, script, more);
        self.start(name);
        id
    }

    pub fn stop(&self, name: &str) {
        let how = Stopping { timeout: Some(0), ..Stopping::default() };
        self.block_on(self.engine().stop(name, how)).unwrap();
    }

    pub fn inspect(&self, name: &str) -> Inspect {
        self.block_on(self.engine().inspect(name, Sizes::Unknown)).unwrap()
    }

    pub fn remove(&self, name: &str) {
        let how = Removing { force: true, volumes: true, link: false };
        self.block_on(self.engine().remove(name, how)).unwrap();
    }

    /// Joins a client to a session.
    pub fn talk(&self, session: engine::Session) -> Client<'_> {
        Client::of(self, session)
    }

    /// Returns all that a container has said.
    pub fn said(&self, name: &str) -> String {
        let wanted = engine::LogsWanted { stdout: true, stderr: true, ..engine::LogsWanted::default() };
        let mut bytes = Vec::new();
        let is_raw = self.block_on(async {
            let mut logs = self.engine().logs(name, &wanted).unwrap();
            while let Some(piece) = logs.next().await {
                bytes.extend(piece);
            }
            logs.is_raw()
        });
        if is_raw { String::from_utf8(bytes).unwrap() } else { client::texts(&bytes) }
    }

    /// Waits for a condition, with a deadline.
    pub fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + DEADLINE;
        while !holds() {
            assert!(Instant::now() < end, "it did not come true in {DEADLINE:?}: {what}");
            self.sleep(5);
        }
    }

    /// Lets time go by, while the daemon works.
    pub fn sleep(&self, ms: u64) {
        self.block_on(async { tokio::time::sleep(Duration::from_millis(ms)).await });
    }

    fn remove_all(&self) {
        for container in self.block_on(self.engine().list(Sizes::Unknown)) {
            let how = Removing { force: true, volumes: true, link: false };
            // One that is removed when it has ended may be gone already.
            let _ = self.block_on(self.engine().remove(&container.id, how));
        }
    }

    /// Nothing of this test's containers may be left.
    fn assert_clean(&self) {
        let dir = self.dir.path().to_str().unwrap().to_owned();
        let left = |name: &str| fs::read_dir(self.dir.path().join(name)).unwrap().count();
        self.eventually("no file of a container is left", || left("containers") == 0 && left("run") == 0);
        // One that is removed at its end goes by itself, its record last.
        self.eventually("no record is left", || left("records") == 0);
        assert!(self.parts().network.attached().is_empty(), "a network namespace is left");
        assert!(!fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&dir), "a mount is left");
        for group in cgroups(&cgroup_parent(self.dir.path())) {
            let children = fs::read_dir(&group).unwrap().flatten().filter(|e| e.path().is_dir()).count();
            assert_eq!(children, 0, "a cgroup is left in {}", group.display());
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // After a failed test too: a container that runs on would disturb the others.
        if self.daemon.borrow().is_none() {
            self.start_daemon();
        }
        let _ = catch_unwind(AssertUnwindSafe(|| self.remove_all()));
        let network = self.parts().network;
        let _ = self.block_on(network.destroy());
        for group in cgroups(&cgroup_parent(self.dir.path())) {
            let _ = fs::remove_dir(group);
        }
    }
}

impl Daemon {
    fn open(dir: &Path) -> Daemon {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (parts, engine) = runtime.block_on(async {
            let shims = container::Config {
                root: dir.join("containers"),
                run: dir.join("run"),
                shim: vec!["/proc/self/exe".into(), "shim".into()],
                cgroup_parent: cgroup_parent(dir),
            };
            let images = image::Config { root: dir.join("images"), ..image::Config::default() };
            let parts = Parts {
                containers: Containers::open(shims).await.unwrap(),
                images: Images::open(images).await.unwrap(),
                volumes: Volumes::open(&dir.join("volumes")).unwrap(),
                network: Network::open(network::Config::new(dir.join("network"), None)).unwrap(),
            };
            let engine = Engine::open(Config { root: dir.join("records") }, parts.clone()).await.unwrap();
            (parts, engine)
        });
        Daemon { runtime, engine, parts }
    }
}

fn lay_over(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

fn tar_of_busybox(dir: &Path) -> PathBuf {
    let root = dir.join("root");
    for name in ["bin", "etc", "tmp", "srv", "store"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::copy(BUSYBOX, root.join("bin/busybox")).unwrap();
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n").unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nweb:x:34:\n").unwrap();
    fs::write(root.join("store/seed"), "seed\n").unwrap();
    fs::set_permissions(root.join("store"), fs::Permissions::from_mode(0o750)).unwrap();
    chown(root.join("store"), Some(33), Some(34)).unwrap();
    let archive = dir.join("root.tar");
    let packed = Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&root).arg(".").status();
    assert!(packed.unwrap().success());
    archive
}

fn cgroup_parent(dir: &Path) -> String {
    format!("drover-test-{}", dir.file_name().unwrap().to_str().unwrap())
}

/// The directories of one path in all hierarchies.
pub fn cgroups(path: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let dirs = mounts.filter(|row| row[2].starts_with("cgroup")).map(|row| Path::new(row[1]).join(path));
    dirs.filter(|dir| dir.exists()).collect()
}
