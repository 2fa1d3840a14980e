//! What travels between containers on different hosts.

use std::io::{Read, Write};
use std::net::Ipv4Addr;

use network::{Attached, Ipv4Net, Network};

use crate::support::{
    DEADLINE, Lab, connect, echoes, greeting, inside, is_reachable, on_overlay, overlay, reaches, seen_as,
    serve, wait,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 5);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 6);
const C: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 7);

fn attach(network: &Network, name: &str, id: &str, address: Ipv4Addr) -> Attached {
    wait(network.attach(name, &on_overlay(id, address))).unwrap()
}

/// Sends ten megabytes one way and their sum back.
fn transfer(from: &Attached, to: Ipv4Addr) {
    const BYTES: usize = 10_000_000;
    let data: Vec<u8> = (0..BYTES).map(|index| (index * 7 % 251) as u8).collect();
    let stream = connect(&from.namespace, (to, 80), DEADLINE).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sent = data.clone();
    let sender = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut reader = stream;
    greeting(&mut reader);
    let mut back = Vec::new();
    reader.read_to_end(&mut back).unwrap();
    sender.join().unwrap();
    assert!(back == data, "{} of {BYTES} bytes came back", back.len());
}

#[test]
fn containers_on_different_hosts_reach_each_other_whatever_the_underlay_mtu() {
    for (mtu, inner) in [(1500, 1450), (1400, 1350)] {
        let lab = Lab::new(2, mtu);
        let endpoints = [(A, 1), (B, 2)];
        let (one, two) = (lab.open(1), lab.open(2));
        wait(one.apply(&[overlay("net", 4097, &endpoints)])).unwrap();
        wait(two.apply(&[overlay("net", 4097, &endpoints)])).unwrap();

        let (a, b) = (attach(&one, "a", "net", A), attach(&two, "b", "net", B));
        serve(&b.namespace, 80);

        assert_eq!(seen_as(&a.namespace, (B, 80)), A.to_string());
        transfer(&a, B);
        let inside_mtu = inside(&a.namespace, || {
            String::from_utf8(
                std::process::Command::new("ip").args(["link", "show", "eth0"]).output().unwrap().stdout,
            )
        });
        assert!(inside_mtu.unwrap().contains(&format!("mtu {inner}")), "{mtu}");
    }
}

#[test]
fn containers_on_one_host_reach_each_other() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &[(A, 1), (B, 1)])])).unwrap();

    let (a, b) = (attach(&one, "a", "net", A), attach(&one, "b", "net", B));
    serve(&b.namespace, 80);

    assert_eq!(seen_as(&a.namespace, (B, 80)), A.to_string());
}

#[test]
fn different_overlays_do_not_reach_each_other() {
    let lab = Lab::new(2, 1500);
    let (one, two) = (lab.open(1), lab.open(2));
    // Both hosts are told the same endpoints, so that only the VNI keeps them apart.
    let endpoints = [(A, 1), (B, 2), (C, 1)];
    wait(one.apply(&[overlay("red", 4097, &endpoints), overlay("blue", 4098, &endpoints)])).unwrap();
    wait(two.apply(&[overlay("red", 4097, &endpoints)])).unwrap();
    let b = attach(&two, "b", "red", B);
    serve(&b.namespace, 80);
    let red = attach(&one, "red", "red", A);
    let blue = attach(&one, "blue", "blue", C);

    assert!(reaches(&red.namespace, (B, 80)));
    assert!(!is_reachable(&blue.namespace, (B, 80)));
    assert!(!is_reachable(&blue.namespace, (A, 80)));
}

#[test]
fn endpoint_nobody_told_of_is_not_reached() {
    let lab = Lab::new(2, 1500);
    let (one, two) = (lab.open(1), lab.open(2));
    wait(one.apply(&[overlay("net", 4097, &[(A, 1)])])).unwrap();
    wait(two.apply(&[overlay("net", 4097, &[(A, 1), (B, 2)])])).unwrap();
    let (a, b) = (attach(&one, "a", "net", A), attach(&two, "b", "net", B));
    serve(&b.namespace, 80);
    assert!(!is_reachable(&a.namespace, (B, 80)));

    wait(one.apply(&[overlay("net", 4097, &[(A, 1), (B, 2)])])).unwrap();

    assert!(connect(&a.namespace, (B, 80), DEADLINE).is_ok());
}

#[test]
fn address_that_moves_is_reached_on_its_other_host() {
    let lab = Lab::new(3, 1500);
    let networks = [lab.open(1), lab.open(2), lab.open(3)];
    let apply = |host| {
        for network in &networks {
            wait(network.apply(&[overlay("net", 4097, &[(A, 1), (B, host)])])).unwrap();
        }
    };
    apply(2);
    let a = attach(&networks[0], "a", "net", A);
    serve(&attach(&networks[1], "b", "net", B).namespace, 80);
    assert_eq!(seen_as(&a.namespace, (B, 80)), A.to_string());

    for host in [3, 1, 2] {
        for network in &networks {
            wait(network.detach("b")).unwrap();
        }
        apply(host);
        serve(&attach(&networks[host - 1], "b", "net", B).namespace, 80);

        assert_eq!(seen_as(&a.namespace, (B, 80)), A.to_string(), "on host {host}");
    }
}

#[test]
fn thread_inside_the_overlay_reaches_containers_on_every_host() {
    let lab = Lab::new(2, 1500);
    let (one, two) = (lab.open(1), lab.open(2));
    let nodes: [Ipv4Net; 2] = ["198.18.0.1/32".parse().unwrap(), "198.18.0.2/32".parse().unwrap()];
    let endpoints = [(A, 1), (B, 2), (nodes[0].address(), 1), (nodes[1].address(), 2)];
    for (network, own) in [(&one, nodes[0]), (&two, nodes[1])] {
        let mut ingress = overlay("ingress", 4096, &endpoints);
        ingress.node_addresses = vec![own];
        ingress.routes = vec!["198.18.0.0/15".parse().unwrap()];
        wait(network.apply(&[ingress])).unwrap();
    }
    // The default route of a container with egress points elsewhere.
    let with_egress = |address| network::Attachment { egress: true, ..on_overlay("ingress", address) };
    let a = wait(one.attach("a", &with_egress(A))).unwrap();
    let b = wait(two.attach("b", &with_egress(B))).unwrap();
    serve(&a.namespace, 80);
    serve(&b.namespace, 80);

    for (network, own) in [(one, nodes[0]), (two, nodes[1])] {
        for target in [A, B] {
            let handle = network.enter_overlay("ingress").unwrap();
            let worker = std::thread::spawn(move || {
                handle.enter().unwrap();
                let mut stream =
                    std::net::TcpStream::connect_timeout(&(target, 80).into(), DEADLINE).unwrap();
                greeting(&mut stream)
            });
            assert_eq!(worker.join().unwrap(), own.address().to_string(), "{target}");
        }
    }
}

#[test]
fn containers_of_a_parted_overlay_reach_nodes_and_not_each_other() {
    let lab = Lab::new(2, 1500);
    let (one, two) = (lab.open(1), lab.open(2));
    let nodes: [Ipv4Net; 2] = ["198.18.0.1/32".parse().unwrap(), "198.18.0.2/32".parse().unwrap()];
    let neighbour = Ipv4Addr::new(10, 0, 1, 9);
    let endpoints = [(A, 1), (neighbour, 1), (B, 2), (nodes[0].address(), 1), (nodes[1].address(), 2)];
    for (network, own) in [(&one, nodes[0]), (&two, nodes[1])] {
        let mut ingress = overlay("ingress", 4096, &endpoints);
        ingress.node_addresses = vec![own];
        ingress.routes = vec!["198.18.0.0/15".parse().unwrap()];
        ingress.is_parted = true;
        wait(network.apply(&[ingress])).unwrap();
    }
    let with_egress = |address| network::Attachment { egress: true, ..on_overlay("ingress", address) };
    let a = wait(one.attach("a", &with_egress(A))).unwrap();
    let near = wait(one.attach("near", &with_egress(neighbour))).unwrap();
    let far = wait(two.attach("far", &with_egress(B))).unwrap();
    for served in [&a, &near, &far] {
        serve(&served.namespace, 80);
    }

    for (from, to) in [(&a, neighbour), (&a, B), (&far, A), (&near, A)] {
        assert!(!is_reachable(&from.namespace, (to, 80)), "{to}");
    }
    // A route of its own, which it may not make, helps neither near nor far.
    lab.run_in(&a.namespace, "ip route add 10.0.1.0/24 dev eth0");
    assert!(!is_reachable(&a.namespace, (neighbour, 80)) && !is_reachable(&a.namespace, (B, 80)));
    for (network, own) in [(one, nodes[0]), (two, nodes[1])] {
        for target in [A, neighbour, B] {
            let handle = network.enter_overlay("ingress").unwrap();
            let worker = std::thread::spawn(move || {
                handle.enter().unwrap();
                let mut stream =
                    std::net::TcpStream::connect_timeout(&(target, 80).into(), DEADLINE).unwrap();
                greeting(&mut stream)
            });
            assert_eq!(worker.join().unwrap(), own.address().to_string(), "{target}");
        }
    }
}

#[test]
fn change_of_peers_leaves_connections_alone() {
    let lab = Lab::new(2, 1500);
    let (one, two) = (lab.open(1), lab.open(2));
    let endpoints = [(A, 1), (B, 2)];
    wait(one.apply(&[overlay("net", 4097, &endpoints)])).unwrap();
    wait(two.apply(&[overlay("net", 4097, &endpoints)])).unwrap();
    let (a, b) = (attach(&one, "a", "net", A), attach(&two, "b", "net", B));
    serve(&b.namespace, 80);
    let mut stream = connect(&a.namespace, (B, 80), DEADLINE).unwrap();
    greeting(&mut stream);

    let many: Vec<_> = (10..250).map(|last| (Ipv4Addr::new(10, 0, 1, last), 2)).chain(endpoints).collect();
    wait(one.apply(&[overlay("net", 4097, &many)])).unwrap();
    assert!(echoes(&mut stream, "more peers"));
    wait(one.apply(&[overlay("net", 4097, &endpoints)])).unwrap();

    assert!(echoes(&mut stream, "fewer peers"));
}

#[test]
fn overlay_runs_over_an_ipv6_underlay() {
    let lab = Lab::new(2, 1500);
    let node = |host: usize| std::net::IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, host as u16]);
    let open = |host| {
        lab.run_on(host, &format!("ip addr add {}/64 dev u0 nodad", node(host)));
        lab.try_open(host, network::Config { underlay: Some(node(host)), ..lab.config(host) }).unwrap()
    };
    let (one, two) = (open(1), open(2));
    let mut net = overlay("net", 4097, &[(A, 1), (B, 2)]);
    for (peer, host) in net.peers.iter_mut().zip(1..) {
        peer.node = node(host);
    }
    wait(one.apply(&[net.clone()])).unwrap();
    wait(two.apply(&[net])).unwrap();
    let (a, b) = (attach(&one, "a", "net", A), attach(&two, "b", "net", B));
    serve(&b.namespace, 80);

    transfer(&a, B);
}

#[test]
fn a_thousand_peers_are_applied_in_one_batch() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    let peers: Vec<_> = (0..1000u32).map(|index| (Ipv4Addr::from(u32::from(A) + 256 + index), 2)).collect();
    wait(one.apply(&[overlay("net", 4097, &[])])).unwrap();

    let start = std::time::Instant::now();
    wait(one.apply(&[overlay("net", 4097, &peers)])).unwrap();
    eprintln!("a thousand peers {:?}", start.elapsed());
    let start = std::time::Instant::now();
    wait(one.apply(&[overlay("net", 4097, &peers[1..])])).unwrap();
    eprintln!("one of a thousand {:?}", start.elapsed());

    let count = inside(&lab.run_folder(1).join("overlays/net"), || {
        let output =
            std::process::Command::new("bridge").args(["fdb", "show", "dev", "vx0"]).output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .filter(|line| line.contains(" dst 192.0.2.2 "))
            .count()
    });
    assert_eq!(count, 999);
}
