//! Labs on the real kernel; every test makes its own and takes it down.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lab::{DaemonCommand, Direction, Error, HostState, Lab, Progress, Spec, What};

const PORT: u16 = 7000;
const HELPER: &str = "LAB_TEST_HELPER";

/// A lab in a folder of its own, taken down when the test ends, however it ends.
struct Trial {
    name: String,
    folder: PathBuf,
    lab: Lab,
}

impl Trial {
    fn create(managers: u8, workers: u8) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test makes namespaces and needs root: run it as root"
        );
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("lab-{name}"));
        let spec = Spec { name: name.clone(), managers, workers, folder: folder.clone() };
        let lab = Lab::create(&spec, &mut |_| {}).unwrap_or_else(|error| panic!("create a lab: {error:?}"));
        Self { name, folder, lab }
    }

    fn down(&self) {
        lab::down(&self.name, &self.folder, &mut |_| {}).unwrap_or_else(|error| panic!("{error:?}"));
    }

    fn address(&self, host: &str) -> Ipv4Addr {
        self.lab.host(host).unwrap().address
    }

    fn state(&self, host: &str) -> HostState {
        let status = self.lab.status().unwrap();
        status.into_iter().find(|status| status.host.name == host).unwrap().state
    }

    /// Starts a daemon that answers on [`PORT`].
    fn serve(&self, host: &str) -> i32 {
        let pid = self.lab.spawn(host, &helper("listen")).unwrap();
        eventually("the daemon to listen", || (self.asked_by(host, host) == *host).then_some(()));
        pid
    }

    /// Returns what the daemon of `host` answers to a client on `client`.
    fn asked_by(&self, client: &str, host: &str) -> String {
        let argv = helper_argv(&format!("ask {}:{PORT}", self.address(host)));
        let output = self.lab.output(client, &argv).unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| line.strip_prefix("answer ")).unwrap_or_default().to_owned()
    }

    fn run(&self, host: &str, script: &str) -> String {
        let output = self.lab.output(host, &["sh", "-c", script]).unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Err(error) = lab::down(&self.name, &self.folder, &mut |_| {}) {
            eprintln!("left behind by a test: {error:?}");
        }
    }
}

/// This program is its own daemon and client: with the variable set, it plays the part it names.
#[test]
fn helper_process() {
    let Ok(part) = std::env::var(HELPER) else { return };
    let (verb, rest) = part.split_once(' ').unwrap_or((&part, ""));
    match verb {
        "listen" => answer_forever(),
        "ask" => println!("\nanswer {}", ask(rest.parse().unwrap()).unwrap_or_default()),
        "receive" => receive_forever(Path::new(rest)),
        "send" => drop(UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"word", rest).unwrap()),
        other => panic!("unknown part {other}"),
    }
}

fn helper_argv(part: &str) -> Vec<String> {
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let env = format!("{HELPER}={part}");
    ["env", &env, &program, "--exact", "helper_process", "--nocapture", "--test-threads=1"]
        .map(str::to_owned)
        .to_vec()
}

fn helper(part: &str) -> DaemonCommand {
    DaemonCommand {
        program: std::env::current_exe().unwrap(),
        args: ["--exact", "helper_process", "--nocapture", "--test-threads=1"].map(str::to_owned).to_vec(),
        env: vec![(HELPER.to_owned(), part.to_owned())],
    }
}

fn sleeper() -> DaemonCommand {
    DaemonCommand { program: "sleep".into(), args: vec!["1000".to_owned()], env: Vec::new() }
}

fn answer_forever() {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).unwrap();
    let name = nix::unistd::gethostname().unwrap().into_string().unwrap();
    for stream in listener.incoming() {
        // A client that is gone does not end the server.
        let _ = stream.and_then(|mut stream| stream.write_all(name.as_bytes()));
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(500))?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn receive_forever(file: &Path) {
    let socket = UdpSocket::bind(("0.0.0.0", PORT)).unwrap();
    fs::write(file, "listening\n").unwrap();
    let mut buffer = [0; 64];
    loop {
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        fs::OpenOptions::new().append(true).open(file).unwrap().write_all(&buffer[..length]).unwrap();
    }
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Everything on the machine that bears the lab's mark.
fn traces(name: &str, folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let mut found = Vec::new();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    found.extend(mounts.lines().filter(|line| line.contains(folder)).map(str::to_owned));
    let hierarchies =
        mounts.lines().filter(|line| line.contains("cgroup")).map(|line| line.split(' ').nth(1).unwrap());
    for hierarchy in hierarchies {
        let entries = fs::read_dir(hierarchy).into_iter().flatten().flatten();
        let ours = entries
            .filter(|entry| entry.file_name().to_str().unwrap().starts_with(&format!("drover-{name}-")));
        found.extend(ours.map(|entry| entry.path().display().to_string()));
    }
    for entry in fs::read_dir("/sys/class/net").unwrap().flatten() {
        let alias = fs::read_to_string(entry.path().join("ifalias")).unwrap_or_default();
        if alias.contains(folder) {
            found.push(format!("link {}", entry.path().display()));
        }
    }
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let cgroups = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        let pid: i32 = entry.file_name().to_str().unwrap().parse().unwrap_or(0);
        if cgroups.contains(&format!("drover-{name}-")) && alive(pid) {
            found.push(format!("process {pid}"));
        }
    }
    found.extend(Path::new(folder).exists().then(|| folder.to_owned()));
    found
}

fn namespaces(trial: &Trial) -> BTreeSet<u64> {
    use std::os::unix::fs::MetadataExt;
    let pins = fs::read_dir(trial.folder.join("ns")).unwrap().flatten();
    pins.map(|pin| fs::metadata(pin.path()).unwrap().ino()).collect()
}

fn inhabitants(namespaces: &BTreeSet<u64>) -> BTreeSet<i32> {
    use std::os::unix::fs::MetadataExt;
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str().unwrap().parse::<i32>().ok());
    let lives_there = |pid: &i32| {
        let kinds = ["net", "mnt", "uts"].map(|kind| fs::metadata(format!("/proc/{pid}/ns/{kind}")));
        kinds.into_iter().flatten().any(|namespace| namespaces.contains(&namespace.ino()))
    };
    pids.filter(lives_there).collect()
}

#[test]
fn hosts_have_names_addresses_and_reach_each_other() {
    let trial = Trial::create(2, 1);
    let hosts: Vec<&str> = trial.lab.hosts().iter().map(|host| host.name.as_str()).collect();
    assert_eq!(hosts, ["m1", "m2", "w1"]);
    for host in &hosts {
        trial.serve(host);
    }

    for client in &hosts {
        for host in &hosts {
            assert_eq!(trial.asked_by(client, host), *host);
        }
    }
    let from_the_machine = ask(SocketAddr::from((trial.address("w1"), PORT))).unwrap();
    assert_eq!(from_the_machine, "w1");
    assert!(trial.lab.status().unwrap().iter().all(|status| status.state == HostState::Running));
}

#[test]
fn commands_run_inside_a_host_with_its_endpoint() {
    let trial = Trial::create(1, 1);
    let host = trial.lab.host("w1").unwrap().clone();
    let socket = format!("unix://{}/hosts/w1/drover.sock", trial.folder.display());

    assert_eq!(trial.run("w1", "hostname"), "w1");
    assert_eq!(trial.run("w1", "echo $DROVER_HOST $DOCKER_HOST"), format!("{socket} {socket}"));
    assert_eq!(trial.run("w1", "pwd"), std::env::current_dir().unwrap().to_str().unwrap());
    assert_eq!(trial.run("w1", "grep -c eth0 /proc/self/net/dev"), "1");
    assert_eq!(
        trial.run("w1", "getent hosts m1").split_whitespace().next(),
        Some(&*trial.address("m1").to_string())
    );
    assert_eq!(trial.run("w1", "ls -A /run"), "");
    assert_eq!(host.endpoint(), socket);
    let env = [("GREETING".into(), "hello".into())];
    let status = trial.lab.exec("w1", &["sh", "-c", "test $GREETING = hello && exit 7"], &env).unwrap();
    assert_eq!(status.code(), Some(7));
}

#[test]
fn run_and_data_are_each_hosts_own() {
    let trial = Trial::create(2, 0);
    trial.run(
        "m1",
        "mkdir /run/drover && echo one > /run/drover/socket && mount -t tmpfs t /mnt && touch /mnt/x",
    );

    assert_eq!(trial.run("m1", "cat /run/drover/socket; ls /mnt"), "one\nx");
    assert_eq!(trial.run("m2", "ls -A /run; test ! -e /mnt/x && echo no x"), "no x");
    assert!(!Path::new("/run/drover/socket").exists());
    assert_ne!(trial.lab.host("m1").unwrap().data(), trial.lab.host("m2").unwrap().data());
}

#[test]
fn wrong_input_is_refused_by_name() {
    let trial = Trial::create(1, 0);
    let argv = ["/no/such/program"];

    let unknown = trial.lab.output("w9", &["true"]).unwrap_err().to_string();
    assert!(unknown.contains("no host w9") && unknown.contains("m1"), "{unknown}");
    let missing = trial.lab.output("m1", &argv).unwrap_err().to_string();
    assert!(missing.contains("/no/such/program") && missing.contains("m1"), "{missing}");
    let nothing: [&str; 0] = [];
    assert!(trial.lab.output("m1", &nothing).is_err());
    assert!(matches!(trial.lab.kill("m1", What::Daemon), Err(Error::NotRunning(_))));
    assert!(matches!(trial.lab.start("m1"), Err(Error::NoCommand(_))));
    assert!(trial.lab.partition(&["m1"], &["m1"], Direction::Both).is_err());
    trial.lab.spawn("m1", &sleeper()).unwrap();
    assert!(matches!(trial.lab.spawn("m1", &sleeper()), Err(Error::Running { .. })));
    let spec = Spec { name: trial.name.clone(), managers: 1, workers: 0, folder: trial.folder.clone() };
    assert!(matches!(Lab::create(&spec, &mut |_| {}), Err(Error::Exists { .. })));
    assert_eq!(trial.state("m1"), HostState::Running);
}

#[test]
fn killing_a_daemon_leaves_the_hosts_other_processes() {
    let trial = Trial::create(1, 0);
    let daemon = DaemonCommand {
        program: "sh".into(),
        args: vec!["-c".to_owned(), "setsid sleep 1000 & echo $! > $DATA/child; wait".to_owned()],
        env: vec![("DATA".to_owned(), trial.lab.host("m1").unwrap().data().to_str().unwrap().to_owned())],
    };
    let pid = trial.lab.spawn("m1", &daemon).unwrap();
    let file = trial.lab.host("m1").unwrap().data().join("child");
    let child: i32 = eventually("the child", || fs::read_to_string(&file).ok()?.trim().parse().ok());

    trial.lab.kill("m1", What::Daemon).unwrap();

    assert!(!alive(pid) && alive(child));
    assert_eq!(trial.state("m1"), HostState::NoDaemon);
    let again = trial.lab.start("m1").unwrap();
    assert!(again != pid && alive(again));
    assert_eq!(trial.state("m1"), HostState::Running);
}

#[test]
fn killing_a_host_ends_everything_and_starting_brings_it_back() {
    let trial = Trial::create(1, 1);
    trial.serve("m1");
    let pid = trial.serve("w1");
    let host = trial.lab.host("w1").unwrap().clone();
    fs::write(host.data().join("kept"), "x").unwrap();
    // A container: a cgroup of its own below the host's, in another hierarchy too.
    trial.run("w1", "setsid sleep 1000 > /dev/null 2>&1 & echo $! > /run/container");
    let container: i32 = trial.run("w1", "cat /run/container").parse().unwrap();
    let legacy = Path::new("/sys/fs/cgroup/pids").join(host.cgroup_parent()).join("container");
    if Path::new("/sys/fs/cgroup/pids").exists() {
        fs::create_dir_all(&legacy).unwrap();
        fs::write(legacy.join("cgroup.procs"), container.to_string()).unwrap();
    }

    trial.lab.kill("w1", What::Host).unwrap();

    assert!(!alive(pid) && !alive(container) && !legacy.exists());
    assert_eq!(trial.state("w1"), HostState::Down);
    assert_eq!(trial.asked_by("m1", "w1"), "");
    assert!(matches!(trial.lab.output("w1", &["true"]), Err(Error::HostDown(_))));
    assert!(matches!(trial.lab.spawn("w1", &sleeper()), Err(Error::HostDown(_))));
    trial.lab.kill("w1", What::Host).unwrap();
    trial.lab.start("w1").unwrap();
    eventually("w1 to answer again", || (trial.asked_by("m1", "w1") == "w1").then_some(()));
    assert!(host.data().join("kept").exists());
    assert_eq!(trial.run("w1", "ls -A /run"), "");
}

#[test]
fn process_that_left_its_cgroup_dies_with_its_host() {
    let trial = Trial::create(1, 0);
    let root = fs::read_to_string("/proc/self/mounts").unwrap();
    let root = root
        .lines()
        .find(|line| line.split(' ').nth(2) == Some("cgroup2"))
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap();
    trial.run("m1", "setsid sleep 1000 > /dev/null 2>&1 & echo $! > /run/pid");
    let pid: i32 = trial.run("m1", "cat /run/pid").parse().unwrap();
    fs::write(Path::new(root).join("cgroup.procs"), pid.to_string()).unwrap();

    trial.lab.kill("m1", What::Host).unwrap();

    eventually("the stray process to end", || (!alive(pid)).then_some(()));
}

#[test]
fn paused_host_keeps_its_connections_and_answers_nothing() {
    let trial = Trial::create(1, 1);
    let pid = trial.serve("w1");

    trial.lab.pause("w1").unwrap();

    assert_eq!(trial.state("w1"), HostState::Paused);
    assert_eq!(trial.asked_by("m1", "w1"), "");
    assert!(alive(pid));
    assert!(matches!(trial.lab.output("w1", &["true"]), Err(Error::HostPaused(_))));
    trial.lab.resume("w1").unwrap();
    assert_eq!(trial.asked_by("m1", "w1"), "w1");
    assert_eq!(trial.state("w1"), HostState::Running);
    trial.lab.pause("w1").unwrap();
    trial.lab.kill("w1", What::Host).unwrap();
    assert!(!alive(pid));
}

#[test]
fn partition_cuts_groups_off_until_healed() {
    let trial = Trial::create(3, 0);
    for host in ["m1", "m2", "m3"] {
        trial.serve(host);
    }

    trial.lab.partition(&["m1"], &["m2", "m3"], Direction::Both).unwrap();

    assert_eq!(trial.asked_by("m1", "m2"), "");
    assert_eq!(trial.asked_by("m3", "m1"), "");
    assert_eq!(trial.asked_by("m2", "m3"), "m3");
    assert_eq!(trial.lab.status().unwrap()[0].cut_from, ["m2", "m3"]);
    // A cut outlives the hosts it separates.
    trial.lab.kill("m2", What::Host).unwrap();
    trial.lab.start("m2").unwrap();
    eventually("m2 to answer m3", || (trial.asked_by("m3", "m2") == "m2").then_some(()));
    assert_eq!(trial.asked_by("m1", "m2"), "");
    trial.lab.heal().unwrap();
    eventually("m1 and m2 to meet", || (trial.asked_by("m1", "m2") == "m2").then_some(()));
    assert_eq!(trial.asked_by("m3", "m1"), "m1");
}

#[test]
fn one_way_partition_lets_the_other_way_pass() {
    let trial = Trial::create(2, 0);
    let files = ["m1", "m2"].map(|name| trial.lab.host(name).unwrap().data().join("received"));
    for (name, file) in ["m1", "m2"].iter().zip(&files) {
        trial.lab.spawn(name, &helper(&format!("receive {}", file.display()))).unwrap();
        eventually("the daemon to listen", || file.exists().then_some(()));
    }
    let send = |from: &str, to: &str| {
        let argv = helper_argv(&format!("send {}:{PORT}", trial.address(to)));
        assert!(trial.lab.output(from, &argv).unwrap().status.success());
    };

    trial.lab.partition(&["m1"], &["m2"], Direction::FirstToSecond).unwrap();

    send("m1", "m2");
    send("m2", "m1");
    eventually("m1 to receive", || fs::read_to_string(&files[0]).unwrap().contains("word").then_some(()));
    assert_eq!(fs::read_to_string(&files[1]).unwrap(), "listening\n");
}

#[test]
fn two_labs_stand_side_by_side_and_one_goes_alone() {
    let (one, two) = (Trial::create(1, 1), Trial::create(1, 1));
    one.serve("m1");
    let pid = two.serve("m1");

    assert_ne!(one.address("m1"), two.address("m1"));
    let across = helper_argv(&format!("ask {}:{PORT}", two.address("m1")));
    let output = one.lab.output("m1", &across).unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).lines().any(|line| line == "answer "), "labs are apart");
    let seen_by_two = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
    assert!(!seen_by_two.lines().any(|line| line.contains("nsfs")), "{seen_by_two}");
    one.down();
    assert_eq!(traces(&one.name, &one.folder), Vec::<String>::new());
    assert_eq!(two.asked_by("w1", "m1"), "m1");
}

#[test]
fn down_leaves_nothing_and_may_be_repeated() {
    let trial = Trial::create(2, 1);
    for host in ["m1", "m2", "w1"] {
        trial.serve(host);
    }
    trial.run("m1", "mount -t tmpfs t /mnt; setsid sleep 1000 > /dev/null 2>&1 &");
    trial.lab.pause("m2").unwrap();
    trial.lab.kill("w1", What::Host).unwrap();
    trial.lab.partition(&["m1"], &["m2"], Direction::Both).unwrap();
    let namespaces = namespaces(&trial);
    assert_eq!(namespaces.len(), 7);
    let inhabitants = inhabitants(&namespaces);
    assert!(inhabitants.len() >= 3);
    assert!(!traces(&trial.name, &trial.folder).is_empty());

    let mut gone = Vec::new();
    let lab = Lab::open(&trial.folder).unwrap();
    lab.down(&mut |step| gone.push(step)).unwrap();

    assert_eq!(gone, ["m1", "m2", "w1"].map(|host| Progress::HostGone(host.to_owned())));
    assert_eq!(traces(&trial.name, &trial.folder), Vec::<String>::new());
    assert!(!inhabitants.into_iter().any(alive));
    trial.down();
    assert!(matches!(Lab::open(&trial.folder), Err(Error::Absent(_))));
}

#[test]
fn down_works_after_every_process_was_killed_and_the_state_was_lost() {
    let trial = Trial::create(1, 1);
    let pids = ["m1", "w1"].map(|host| trial.serve(host));
    for pid in pids {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    fs::write(trial.folder.join("lab.json"), "{").unwrap();
    assert!(matches!(Lab::open(&trial.folder), Err(Error::State { .. })));

    trial.down();

    assert_eq!(traces(&trial.name, &trial.folder), Vec::<String>::new());
}

#[test]
fn failed_creation_leaves_nothing_and_says_why() {
    let name = format!("f{}", std::process::id());
    let folder = std::env::temp_dir().join(format!("lab-{name}"));
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let root = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2")).unwrap();
    // Somebody else's cgroup has the name of the second host's.
    let taken = Path::new(root.split(' ').nth(1).unwrap()).join(format!("drover-{name}-m2"));
    fs::create_dir(&taken).unwrap();

    let spec = Spec { name: name.clone(), managers: 2, workers: 0, folder: folder.clone() };
    let error = Lab::create(&spec, &mut |_| {}).unwrap_err().to_string();

    assert!(error.contains(taken.to_str().unwrap()), "{error}");
    fs::remove_dir(&taken).expect("the other one's cgroup is untouched");
    assert_eq!(traces(&name, &folder), Vec::<String>::new());
}

#[test]
fn foreign_files_in_the_folder_survive() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("precious");
    fs::write(&file, "x").unwrap();

    lab::down("nothing", folder.path(), &mut |_| {}).unwrap();

    assert!(file.exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
