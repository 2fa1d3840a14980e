//! Hosts as fresh network namespaces on a private switch, and threads that act inside any namespace.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use network::{
    Attached, Attachment, Bridge, Config, HostPort, Network, Overlay, OverlayAddress, Peer, Protocol, Uplink,
    mac_of,
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

/// Longer than any answer on one machine, short enough for a test that expects none.
pub const SILENCE: Duration = Duration::from_millis(400);
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Is a set of hosts on one switch, gone with all they hold when dropped.
pub struct Lab {
    folder: tempfile::TempDir,
    hosts: usize,
}

impl Lab {
    pub fn new(hosts: usize, mtu: u32) -> Lab {
        assert!(nix::unistd::geteuid().is_root(), "these tests make network namespaces: run them as root");
        let lab = Lab { folder: tempfile::tempdir().unwrap(), hosts };
        lab.make_namespace("switch");
        // A frame of the switch's own must not be smaller than what it passes on.
        lab.run("switch", "ip link add sw type bridge; ip link set sw up; ip addr add 192.0.2.254/24 dev sw");
        for host in 1..=hosts {
            let name = host_name(host);
            lab.make_namespace(&name);
            let inside = lab.path(&name);
            lab.run(
                "switch",
                &format!("ip link add p{host} type veth peer name u0 netns {}", inside.display()),
            );
            lab.run("switch", &format!("ip link set p{host} mtu {mtu} master sw up"));
            lab.run(&name, &format!("ip link set lo up; ip link set u0 mtu {mtu} up; ip addr add {}/24 dev u0; ip route add default via 192.0.2.254", node(host)));
        }
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn host(&self, host: usize) -> PathBuf {
        self.path(&host_name(host))
    }

    pub fn run_folder(&self, host: usize) -> PathBuf {
        self.path(&format!("run{host}"))
    }

    pub fn config(&self, host: usize) -> Config {
        Config::new(self.run_folder(host), Some(IpAddr::V4(node(host))))
    }

    /// Sets whether the host's packet filter sees frames from port to port, where the kernel has that choice.
    pub fn filter_frames(&self, host: usize, value: u8) {
        let option = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        self.run_on(host, &format!("if test -e {option}; then echo {value} > {option}; fi"));
    }

    /// Opens the host's networks, as a daemon there would.
    pub fn open(&self, host: usize) -> Network {
        self.try_open(host, self.config(host)).unwrap()
    }

    pub fn try_open(&self, host: usize, config: Config) -> Result<Network, network::Error> {
        inside(&self.host(host), move || Network::open(config))
    }

    /// Runs a shell command in a namespace of the lab and returns what it printed.
    pub fn run(&self, name: &str, command: &str) -> String {
        run_in(&self.path(name), command)
    }

    /// Runs a shell command in any namespace and returns what it printed.
    pub fn run_in(&self, namespace: &Path, command: &str) -> String {
        run_in(namespace, command)
    }

    pub fn run_on(&self, host: usize, command: &str) -> String {
        self.run(&host_name(host), command)
    }

    fn make_namespace(&self, name: &str) {
        let path = self.path(name);
        File::create(&path).unwrap();
        let make = move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let source = Some("/proc/thread-self/ns/net");
            mount(source, &path, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        };
        std::thread::spawn(make).join().unwrap();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let mut held = vec![self.path("switch")];
        for host in 1..=self.hosts {
            held.push(self.host(host));
            for kind in ["netns", "overlays"] {
                let entries = std::fs::read_dir(self.run_folder(host).join(kind)).into_iter().flatten();
                held.extend(entries.flatten().map(|entry| entry.path()));
            }
        }
        for path in held {
            let _ = umount2(&path, MntFlags::MNT_DETACH);
        }
    }
}

fn run_in(namespace: &Path, command: &str) -> String {
    let net = format!("--net={}", namespace.display());
    let output = Command::new("nsenter").args([&net, "sh", "-ec", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn host_name(host: usize) -> String {
    format!("host{host}")
}

/// Returns a host's address on the switch.
pub fn node(host: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, host as u8)
}

/// Runs `work` on a thread inside the namespace at `path`.
pub fn inside<T: Send + 'static>(path: &Path, work: impl FnOnce() -> T + Send + 'static) -> T {
    let namespace = File::open(path).unwrap();
    let run = move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        work()
    };
    std::thread::spawn(run).join().unwrap()
}

pub fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub const SUBNET: &str = "10.0.1.0/24";

/// Describes an overlay whose endpoints are given as (address, host).
pub fn overlay(id: &str, vni: u32, endpoints: &[(Ipv4Addr, usize)]) -> Overlay {
    let peer = |&(address, host): &(Ipv4Addr, usize)| Peer {
        address,
        mac: mac_of(address),
        node: node(host).into(),
    };
    Overlay {
        network_id: id.into(),
        vni,
        subnet: SUBNET.parse().unwrap(),
        mtu: None,
        node_addresses: Vec::new(),
        routes: Vec::new(),
        peers: endpoints.iter().map(peer).collect(),
        virtual_ips: Vec::new(),
        is_parted: false,
    }
}

pub fn place(id: &str, address: Ipv4Addr) -> OverlayAddress {
    OverlayAddress { network_id: id.into(), address, prefix: 24, mac: mac_of(address) }
}

pub fn on_overlay(id: &str, address: Ipv4Addr) -> Attachment {
    Attachment { overlays: vec![place(id, address)], ..Attachment::default() }
}

pub fn with_egress() -> Attachment {
    Attachment { egress: true, ..Attachment::default() }
}

pub const OPEN: Uplink = Uplink { bridge: Bridge::Open, mac: None };

/// Attaches a container as a user does who runs one: on the open bridge, with ports.
pub fn run(network: &Network, name: &str, ports: &[HostPort]) -> Attached {
    let attachment = Attachment { egress: true, host_ports: ports.to_vec(), ..Attachment::default() };
    wait(network.attach_on(OPEN, name, &attachment)).unwrap()
}

pub fn tcp_port(published: u16, target: u16) -> HostPort {
    HostPort { host_ip: Ipv4Addr::UNSPECIFIED, published, target, protocol: Protocol::Tcp }
}

/// Listens inside a namespace; every client is told its address and then gets back what it sends.
pub fn serve(namespace: &Path, port: u16) {
    let listener = inside(namespace, move || TcpListener::bind(("0.0.0.0", port)).unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            std::thread::spawn(move || {
                let peer = client.peer_addr().unwrap().ip();
                let _ = client.write_all(format!("{peer}\n").as_bytes());
                let mut reader = client.try_clone().unwrap();
                let _ = std::io::copy(&mut reader, &mut client);
            });
        }
    });
}

/// Connects from inside a namespace.
pub fn connect(
    namespace: &Path,
    to: impl Into<SocketAddr>,
    patience: Duration,
) -> std::io::Result<TcpStream> {
    let to = to.into();
    let stream = inside(namespace, move || TcpStream::connect_timeout(&to, patience))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// Connects from inside a namespace and returns what address the server saw.
pub fn seen_as(namespace: &Path, to: impl Into<SocketAddr>) -> String {
    let mut stream = connect(namespace, to, DEADLINE).unwrap();
    greeting(&mut stream)
}

pub fn greeting(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

pub fn echoes(stream: &mut TcpStream, text: &str) -> bool {
    stream.write_all(text.as_bytes()).unwrap();
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).unwrap();
    back == text.as_bytes()
}

/// Tells whether a server answers; for what shall be so.
#[track_caller]
pub fn reaches(namespace: &Path, to: impl Into<SocketAddr>) -> bool {
    let start = Instant::now();
    let is_reached = connect(namespace, to, DEADLINE).is_ok();
    if start.elapsed() > Duration::from_millis(900) {
        eprintln!("slow {:?} {}", start.elapsed(), std::panic::Location::caller());
    }
    is_reached
}

/// Tells whether a server answers soon; for what shall not be so.
pub fn is_reachable(namespace: &Path, to: impl Into<SocketAddr>) -> bool {
    connect(namespace, to, SILENCE).is_ok()
}

/// Waits until a condition holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not become true");
        std::thread::sleep(Duration::from_millis(5));
    }
}
