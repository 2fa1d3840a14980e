//! A place of its own for each test: root directory, cgroup parent and one layer with busybox.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use container::{
    Config, Containers, Error, Exit, LogLine, LogQuery, Mount, MountKind, Phase, Process, Removal, Spec,
    Streams,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

pub type Test = harness::Test<Host>;

/// Lists tests by their paths.
macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => { &[$((stringify!($name), $module::$name)),*] };
}
pub(crate) use tests;

/// Longer than anything here takes on a loaded machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

const APPLETS: &[&str] = &[
    "sh", "cat", "echo", "sleep", "ls", "id", "grep", "touch", "true", "head", "dd", "stat", "stty",
    "readlink", "unshare",
];
/// Files that hold a network namespace begin like this.
const NETWORK: &str = "net-";
const BUSYBOX: &str = "/bin/busybox";

/// Runs the tests whose names contain one of the arguments, or all, and says which failed.
pub fn run(tests: &[Test], wanted: impl Iterator<Item = OsString>) -> ExitCode {
    if !nix::unistd::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
        eprintln!("these tests make containers: run them as root, with the package busybox-static installed");
        return ExitCode::FAILURE;
    }
    let wanted: Vec<String> = wanted.filter_map(|arg| arg.into_string().ok()).collect();
    harness::run(tests, &wanted, |test| {
        let host = Host::new();
        test(&host);
        host.close();
    })
}

/// What one test needs; dropping it leaves nothing behind.
pub struct Host {
    pub dir: tempfile::TempDir,
    pub runtime: tokio::runtime::Runtime,
    pub containers: std::cell::RefCell<Containers>,
}

impl Host {
    fn new() -> Host {
        let dir = tempfile::Builder::new().prefix("container-").tempdir().unwrap();
        make_layer(&dir.path().join("layer"));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let containers = runtime.block_on(Containers::open(config(dir.path()))).unwrap().into();
        Host { dir, runtime, containers }
    }

    /// Removes every container and checks that the host is as it was.
    fn close(self) {
        for status in self.handle().list() {
            self.remove(&status.id);
        }
        self.leave_networks();
        self.assert_clean();
    }

    pub fn handle(&self) -> Containers {
        self.containers.borrow().clone()
    }

    /// Lets the handle go, and all that works for it, as a daemon that is killed does.
    pub fn forget(&self) {
        let elsewhere = tempfile::tempdir().unwrap();
        *self.containers.borrow_mut() =
            self.runtime.block_on(Containers::open(config(elsewhere.path()))).unwrap();
    }

    /// Lets the handle go and opens another, as a restarted daemon does.
    pub fn reopen(&self) {
        let opened = self.runtime.block_on(Containers::open(config(self.dir.path()))).unwrap();
        *self.containers.borrow_mut() = opened;
    }

    pub fn layer(&self) -> PathBuf {
        self.dir.path().join("layer")
    }

    /// A spec that runs a shell script, both of whose streams are one, so that their order is known.
    pub fn script(&self, id: &str, script: &str) -> Spec {
        self.shell(id, &format!("exec 2>&1; {script}"))
    }

    /// A spec that runs a shell script.
    pub fn shell(&self, id: &str, script: &str) -> Spec {
        Spec {
            id: id.into(),
            args: ["sh", "-c", script].map(String::from).to_vec(),
            hostname: "box".into(),
            layers: vec![self.layer()],
            ..Spec::default()
        }
    }

    pub fn run(&self, spec: &Spec) {
        let containers = self.handle();
        self.runtime.block_on(async {
            containers.create(spec).await.unwrap();
            containers.start(&spec.id).await.unwrap();
        });
    }

    pub fn lay_out(&self, spec: &Spec) {
        self.runtime.block_on(self.handle().lay_out(spec)).unwrap();
    }

    pub fn start(&self, id: &str) {
        self.runtime.block_on(self.handle().start(id)).unwrap();
    }

    pub fn wait(&self, id: &str) -> Exit {
        let containers = self.handle();
        self.runtime
            .block_on(async { tokio::time::timeout(DEADLINE, containers.wait(id)).await })
            .expect("the container ends in time")
            .unwrap()
    }

    pub fn remove(&self, id: &str) {
        let containers = self.handle();
        self.runtime.block_on(containers.remove(id, Removal::Forced)).unwrap();
    }

    /// Runs a spec to its end and returns its exit and all it said.
    pub fn output(&self, spec: &Spec) -> (Exit, String) {
        self.run(spec);
        let exit = self.wait(&spec.id);
        (exit, self.said(&spec.id))
    }

    pub fn said(&self, id: &str) -> String {
        self.lines(id, LogQuery::default()).into_iter().map(|line| line.line).collect()
    }

    pub fn lines(&self, id: &str, query: LogQuery) -> Vec<LogLine> {
        let containers = self.handle();
        self.runtime.block_on(async {
            let mut log = containers.logs(id, query).unwrap();
            let mut lines = Vec::new();
            while let Some(line) =
                tokio::time::timeout(DEADLINE, log.recv()).await.expect("the log ends in time")
            {
                lines.push(line);
            }
            lines
        })
    }

    pub fn pid(&self, id: &str) -> i32 {
        match self.handle().status(id).unwrap().phase {
            Phase::Running(started) => started.pid,
            other => panic!("{id} does not run: {other:?}"),
        }
    }

    /// Starts a further process.
    pub fn exec(&self, id: &str, exec: &str, process: &Process) -> Result<UnixStream, Error> {
        let containers = self.handle();
        self.runtime.block_on(async { timeout(DEADLINE, containers.exec(id, exec, process)).await }).unwrap()
    }

    /// Waits for the end of a further process.
    pub fn exec_wait(&self, id: &str, exec: &str) -> i32 {
        let containers = self.handle();
        self.runtime
            .block_on(async { timeout(DEADLINE, containers.exec_wait(id, exec)).await })
            .expect("the process ends in time")
            .unwrap()
    }

    /// Runs a further process to its end, and returns its exit code and all it said.
    pub fn exec_output(&self, id: &str, exec: &str, process: &Process) -> (i32, String) {
        let mut stream = self.exec(id, exec, process).unwrap();
        let said = self.read(&mut stream);
        (self.exec_wait(id, exec), text_of(&said))
    }

    /// Joins the streams of a container.
    pub fn attach(&self, id: &str) -> UnixStream {
        let containers = self.handle();
        self.runtime.block_on(containers.attach(id, Streams::ALL)).unwrap()
    }

    pub fn write(&self, stream: &mut UnixStream, text: &str) {
        self.runtime.block_on(stream.write_all(text.as_bytes())).unwrap();
    }

    /// Says that nothing more will be written.
    pub fn end_input(&self, stream: &mut UnixStream) {
        self.runtime.block_on(stream.shutdown()).unwrap();
    }

    /// Reads a stream to its end.
    pub fn read(&self, stream: &mut UnixStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = self.runtime.block_on(async { timeout(DEADLINE, stream.read_to_end(&mut bytes)).await });
        read.expect("the stream ends in time").unwrap();
        bytes
    }

    /// Reads a stream until a text has come.
    pub fn read_until(&self, stream: &mut UnixStream, wanted: &str) -> String {
        let mut bytes = Vec::new();
        let read = self.runtime.block_on(async {
            timeout(DEADLINE, async {
                while !String::from_utf8_lossy(&bytes).contains(wanted) {
                    assert_ne!(
                        stream.read_buf(&mut bytes).await.unwrap(),
                        0,
                        "the stream ended without {wanted:?}"
                    );
                }
            })
            .await
        });
        let said = String::from_utf8_lossy(&bytes).into_owned();
        assert!(read.is_ok(), "{wanted:?} did not come, but {said:?}");
        said
    }

    /// Waits until the container has said something.
    pub fn await_said(&self, id: &str, text: &str) {
        eventually(|| self.said(id).contains(text));
    }

    pub fn shim_of(&self, id: &str) -> i32 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid(id))).unwrap();
        status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
    }

    /// Makes a network namespace that lasts as long as the test.
    pub fn network(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(format!("{NETWORK}{name}"));
        fs::write(&path, "").unwrap();
        // A thread of its own makes the namespace, so that this process stays in its own.
        let pinned = path.clone();
        std::thread::spawn(move || {
            use nix::mount::{MsFlags, mount};
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let own = format!("/proc/self/task/{}/ns/net", nix::unistd::gettid());
            mount(Some(own.as_str()), &pinned, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        })
        .join()
        .unwrap();
        path
    }

    fn leave_networks(&self) {
        for entry in fs::read_dir(self.dir.path()).unwrap().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(NETWORK)) {
                let _ = nix::mount::umount2(&entry.path(), nix::mount::MntFlags::MNT_DETACH);
            }
        }
    }

    pub fn cgroup_parent(&self) -> String {
        cgroup_parent(self.dir.path())
    }

    /// Nothing of this test's containers may be left.
    pub fn assert_clean(&self) {
        let dir = self.dir.path().to_str().unwrap();
        let left = |name: &str| fs::read_dir(self.dir.path().join(name)).unwrap().count();
        eventually(|| left("root") == 0 && left("run") == 0);
        assert!(!fs::read_to_string("/proc/self/mountinfo").unwrap().contains(dir), "a mount is left");
        for group in cgroups(&self.cgroup_parent()) {
            let children = fs::read_dir(&group).unwrap().flatten().filter(|e| e.path().is_dir()).count();
            assert_eq!(children, 0, "a cgroup is left in {}", group.display());
        }
        eventually(|| processes_naming(dir) == 0);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // After a failed test too: a container that runs on would disturb the others.
        for status in self.handle().list() {
            let containers = self.handle();
            let _ = self.runtime.block_on(containers.remove(&status.id, Removal::Forced));
        }
        self.leave_networks();
        for group in cgroups(&self.cgroup_parent()) {
            let _ = fs::remove_dir(group);
        }
    }
}

pub fn config(dir: &Path) -> Config {
    Config {
        root: dir.join("root"),
        run: dir.join("run"),
        shim: vec!["/proc/self/exe".into(), "shim".into()],
        cgroup_parent: cgroup_parent(dir),
    }
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

/// Takes Docker's frames apart: the number of the stream and the text of each.
pub fn frames(said: &[u8]) -> Vec<(u8, String)> {
    let (mut rest, mut found) = (said, Vec::new());
    while let [kind, 0, 0, 0, a, b, c, d, after @ ..] = rest {
        let (text, next) = after.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        found.push((*kind, String::from_utf8(text.to_vec()).unwrap()));
        rest = next;
    }
    assert!(rest.is_empty(), "a frame is not whole: {rest:?}");
    found
}

/// Returns all that the frames hold.
pub fn text_of(said: &[u8]) -> String {
    frames(said).into_iter().map(|(_, text)| text).collect()
}

/// Mounts for this binary, which is not static, to run in a container.
pub fn host_libraries() -> Vec<Mount> {
    let dirs = ["/lib", "/lib64", "/usr/lib"].into_iter().filter(|dir| Path::new(dir).exists());
    let mount = |dir: &str| Mount { target: dir.into(), kind: MountKind::bind(dir), read_only: true };
    dirs.map(mount).collect()
}

/// Waits for a condition, with a deadline.
pub fn eventually(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "it did not come true in {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn processes_naming(text: &str) -> usize {
    let own = std::process::id().to_string();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_str() != Some(&own))
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .filter(|cmdline| String::from_utf8_lossy(cmdline).contains(text))
        .count()
}

fn make_layer(layer: &Path) {
    for dir in ["bin", "etc", "tmp", "secret"] {
        fs::create_dir_all(layer.join(dir)).unwrap();
    }
    fs::copy(BUSYBOX, layer.join("bin/busybox")).unwrap();
    for applet in APPLETS {
        symlink("busybox", layer.join("bin").join(applet)).unwrap();
    }
    fs::write(layer.join("bin/broken"), "no program at all").unwrap();
    fs::set_permissions(layer.join("bin/broken"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(layer.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n").unwrap();
    fs::write(layer.join("etc/group"), "root:x:0:\nweb:x:34:\nlogs:x:44:web\n").unwrap();
}
