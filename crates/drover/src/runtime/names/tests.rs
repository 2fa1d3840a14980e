use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dns::{Answer, Kind, look_up};
use model::{NetworkId, ServiceId, TaskId};
use network::{Attachment, OverlayAddress, RESOLVER, mac_of};
use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use super::*;
use crate::runtime::Networks;

const WEB: ServiceId = ServiceId::from_bits(1);
const BACK: NetworkId = NetworkId::from_bits(3);
const A: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 5);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 6);
const VIRTUAL: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 2);

fn member(task: u128, address: Ipv4Addr) -> Member {
    let hostname = format!("host-{task}");
    Member {
        task: TaskId::from_bits(task),
        service: WEB,
        address,
        name: format!("app_web.{task}.x"),
        hostname,
    }
}

fn service(virtual_ip: Option<Ipv4Addr>) -> NamedService {
    NamedService { id: WEB, name: "app_web".into(), aliases: vec!["web".into()], virtual_ip }
}

#[test]
fn services_and_containers_are_found_by_all_their_names() {
    let told =
        Told { network: "back".into(), services: vec![service(Some(VIRTUAL))], members: vec![member(2, A)] };
    let zones = [Arc::new(zone(&told))];

    let task = TaskId::from_bits(2);
    for name in ["tasks.web", "app_web.2.x", &short_id(task), "host-2", "tasks.app_web.back"] {
        assert_eq!(look_up(&zones, name, Kind::Address, 0), Answer::Addresses(vec![A]), "{name}");
    }
    for name in ["web", "app_web"] {
        assert_eq!(look_up(&zones, name, Kind::Address, 0), Answer::Addresses(vec![VIRTUAL]), "{name}");
    }
}

#[test]
fn what_is_no_address_is_no_server() {
    let written = ["192.0.2.1".to_owned(), "x".to_owned(), "2001:db8::1".to_owned()];

    assert_eq!(resolver(&written).servers.len(), 2);
}

/// A host with one address; gone with all it holds when dropped.
struct Host {
    folder: tempfile::TempDir,
    namespace: File,
}

impl Host {
    fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test makes network namespaces: run it as root");
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let command = "ip link set lo up; ip addr add 192.0.2.1/32 dev lo";
            assert!(std::process::Command::new("sh").args(["-ec", command]).status().unwrap().success());
            File::open("/proc/thread-self/ns/net").unwrap()
        };
        let namespace = std::thread::spawn(make).join().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), namespace }
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Opens everything, as a daemon does.
    fn open(&self) -> (Networks, Names) {
        let (namespace, run) = (self.namespace.try_clone().unwrap(), self.run());
        let open = move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            let underlay = Some(Ipv4Addr::new(192, 0, 2, 1).into());
            Network::open(network::Config::new(run, underlay)).unwrap()
        };
        let network = std::thread::spawn(open).join().unwrap();
        let names = Names::new(network.clone());
        (Networks::new(network, names.clone(), 1), names)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for kind in ["netns", "overlays"] {
            for entry in std::fs::read_dir(self.run().join(kind)).into_iter().flatten().flatten() {
                let _ = umount2(&entry.path(), MntFlags::MNT_DETACH);
            }
        }
    }
}

fn state(revision: u64, services: Vec<NamedService>, members: Vec<Member>) -> agent::NetworkState {
    let overlay = agent::Overlay {
        id: BACK,
        name: "back".into(),
        vni: 4097,
        subnet: "10.0.1.0/24".parse().unwrap(),
        internal: false,
        mtu: Some(1300),
        is_ingress: false,
        ingress_number: None,
        peers: Vec::new(),
        ingress_peers: Vec::new(),
        services,
        members,
    };
    agent::NetworkState { revision, overlays: vec![overlay], ports: Vec::new() }
}

/// Asks for the addresses of `name` inside a container; the last byte of each, or the error's code.
fn asked(namespace: &Path, name: &str) -> Result<Vec<u8>, u8> {
    let labels = name.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    let header = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let question = [&header[..], &labels.collect::<Vec<_>>(), &[0, 0, 1, 0, 1]].concat();
    let (file, length) = (File::open(namespace).unwrap(), question.len());
    let ask = move || {
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.connect(SocketAddr::from((RESOLVER, 53))).unwrap();
        socket.send(&question).unwrap();
        let mut room = [0; 512];
        let length = socket.recv(&mut room).unwrap();
        room[..length].to_vec()
    };
    let answer = std::thread::spawn(ask).join().unwrap();
    match answer[3] & 0x0f {
        0 => Ok(answer[length..].chunks(16).map(|record| record[15]).collect()),
        code => Err(code),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_asks_where_it_is_and_is_answered_also_by_the_next_daemon() {
    const NO_SUCH_NAME: u8 = 3;
    const FAILURE: u8 = 2;
    let host = Host::new();
    let (networks, names) = host.open();
    networks.apply(state(1, vec![service(None)], vec![])).await.unwrap();
    let place = OverlayAddress { network_id: BACK.to_string(), address: A, prefix: 24, mac: mac_of(A) };
    let attachment = Attachment { overlays: vec![place], ..Attachment::default() };
    let attached = networks.attach("c1", &attachment, Some(Resolver::default())).await.unwrap();

    assert_eq!(asked(&attached.namespace, "web"), Err(NO_SUCH_NAME), "nothing serves yet");
    networks.apply(state(2, vec![service(None)], vec![member(2, A)])).await.unwrap();
    assert_eq!(asked(&attached.namespace, "web"), Ok(vec![5]));
    assert_eq!(asked(&attached.namespace, "example.com"), Err(FAILURE), "it has no way out");
    drop((networks, names));
    let (networks, names) = host.open();
    names.take_up().await;
    networks.apply(state(3, vec![service(Some(VIRTUAL))], vec![member(2, A), member(4, B)])).await.unwrap();
    assert_eq!(asked(&attached.namespace, "web.back"), Ok(vec![2]));
    assert_eq!(asked(&attached.namespace, "app_web.4.x"), Ok(vec![6]));
    networks.apply(agent::NetworkState { revision: 4, ..agent::NetworkState::default() }).await.unwrap();
    assert_eq!(asked(&attached.namespace, "web"), Err(FAILURE), "it is foreign without its network");
    networks.detach("c1").await;
}
