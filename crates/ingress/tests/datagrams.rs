//! UDP ports with real sockets on the loopback.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod peers;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use ingress::{Config, Ingress, Table};
use peers::{DEADLINE, counters, datagrams, eventually, publish, start, task, wait};

/// Answers each datagram with its name, the sender's port and what was sent.
fn namer(name: &'static str) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let mut answer = format!("{name} {} ", from.port()).into_bytes();
            answer.extend(&buffer[..length]);
            let _ = socket.send_to(&answer, from);
        }
    });
    address
}

/// Returns an address where nobody listens.
fn nobody() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn client(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Connected, so that only answers from where it sent to arrive.
    socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

fn ask(client: &UdpSocket, text: &str) -> String {
    client.send(text.as_bytes()).unwrap();
    answer(client)
}

fn answer(client: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_536];
    let length = client.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

fn words(answer: &str) -> (&str, &str, &str) {
    let mut words = answer.splitn(3, ' ');
    (words.next().unwrap(), words.next().unwrap(), words.next().unwrap())
}

#[test]
fn client_stays_with_its_backend_and_apart_from_others() {
    let ingress = start();
    let backends = [namer("a"), namer("b"), namer("c")];
    let port = publish(&ingress, |port| datagrams(port, &backends));
    let clients: Vec<_> = (0..30).map(|_| client(port)).collect();

    let first: Vec<_> = clients.iter().map(|client| ask(client, "x")).collect();
    let second: Vec<_> = clients.iter().map(|client| ask(client, "x")).collect();

    assert_eq!(first, second);
    let ports: BTreeSet<_> = first.iter().map(|answer| words(answer).1).collect();
    assert_eq!(ports.len(), 30, "one port per client: {first:?}");
    for name in ["a", "b", "c"] {
        let count = first.iter().filter(|answer| words(answer).0 == name).count();
        assert!((8..=12).contains(&count), "{first:?}");
    }
    assert_eq!(counters(&ingress, port).active, 30);
}

#[test]
fn answers_come_from_the_address_that_was_asked() {
    let ingress = start();
    let backends = [namer("a")];
    let port = publish(&ingress, |port| datagrams(port, &backends));

    for (own, asked) in [
        (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from(([127, 7, 7, 7], port))),
        (SocketAddr::from((Ipv6Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))),
    ] {
        let client = UdpSocket::bind(own).unwrap();
        client.connect(asked).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(words(&ask(&client, "x")).0, "a");
    }
}

#[test]
fn flow_moves_at_once_when_its_backend_is_withdrawn() {
    let ingress = start();
    let (a, b) = (namer("a"), namer("b"));
    let port = publish(&ingress, |port| datagrams(port, &[a]));
    let client = client(port);
    assert_eq!(words(&ask(&client, "1")).0, "a");

    ingress.apply(datagrams(port, &[b]));
    assert_eq!(words(&ask(&client, "2")).0, "b");

    assert_eq!(wait(ingress.drained(&task(a), DEADLINE)), 0);
    ingress.apply(datagrams(port, &[a, b]));
    assert_eq!(words(&ask(&client, "3")).0, "b", "a flow stays where it is");
}

#[test]
fn answer_of_a_withdrawn_backend_still_arrives() {
    let ingress = start();
    let slow = UdpSocket::bind("127.0.0.1:0").unwrap();
    slow.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = slow.local_addr().unwrap();
    let port = publish(&ingress, |port| datagrams(port, &[address]));
    let client = client(port);
    client.send(b"question").unwrap();
    let (_, from) = slow.recv_from(&mut [0; 100]).unwrap();

    let other = namer("b");
    ingress.apply(datagrams(port, &[other]));
    assert_eq!(ingress.in_flight(&task(address)), 1);
    slow.send_to(b"late", from).unwrap();

    assert_eq!(answer(&client), "late");
    assert_eq!(words(&ask(&client, "next")).0, "b");
    assert_eq!(wait(ingress.drained(&task(address), DEADLINE)), 0);
}

#[test]
fn refused_datagram_is_given_to_a_live_backend() {
    let ingress = start();
    for _ in 0..20 {
        let backends = [nobody(), namer("live"), nobody()];
        let port = publish(&ingress, |port| datagrams(port, &backends));
        let answer = ask(&client(port), "once");
        assert_eq!((words(&answer).0, words(&answer).2), ("live", "once"));
    }
}

#[test]
fn backend_that_ends_loses_its_flows_to_a_live_one() {
    let ingress = start();
    let dying = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = publish(&ingress, |port| datagrams(port, &[dying.local_addr().unwrap()]));
    let client = client(port);
    client.send(b"x").unwrap();
    let (_, from) = dying.recv_from(&mut [0; 10]).unwrap();
    dying.send_to(b"answer", from).unwrap();
    assert_eq!(answer(&client), "answer");
    ingress.apply(datagrams(port, &[dying.local_addr().unwrap(), namer("live")]));

    drop(dying);

    assert_eq!(words(&ask(&client, "y")).0, "live");
}

#[test]
fn without_a_live_backend_nothing_loops() {
    let ingress = start();
    let port = publish(&ingress, |port| datagrams(port, &[nobody(), nobody()]));
    let client = client(port);

    client.send(b"x").unwrap();

    eventually("the refusal", || counters(&ingress, port).refused == 1);
    eventually("no flow", || counters(&ingress, port).active == 0);
    let failed: u64 = counters(&ingress, port).backends.iter().map(|backend| backend.failed).sum();
    assert_eq!(failed, 2);
}

#[test]
fn flows_are_bounded_and_end_when_idle() {
    let config =
        Config { threads: 1, flows_max: 10, flow_idle: Duration::from_millis(300), ..Config::default() };
    let ingress = Ingress::start(config).unwrap();
    let backends = [namer("a")];
    let port = publish(&ingress, |port| datagrams(port, &backends));

    // All at once, as a port that is free again would be given to another client.
    let clients: Vec<_> = (0..100).map(|_| client(port)).collect();
    for client in &clients {
        assert_eq!(words(&ask(client, "x")).0, "a");
        assert!(counters(&ingress, port).active <= 11);
    }

    assert_eq!(counters(&ingress, port).total, 100);
    eventually("no flow", || counters(&ingress, port).active == 0);
    assert_eq!(counters(&ingress, port).backends[0].active, 0);
}

#[test]
fn datagrams_of_any_size_pass_whole() {
    let ingress = start();
    let backends = [namer("a")];
    let port = publish(&ingress, |port| datagrams(port, &backends));
    let client = client(port);

    for size in [0, 1, 1400, 1500, 9000, 60_000, 65_000] {
        let sent = "x".repeat(size);
        assert_eq!(words(&ask(&client, &sent)).2.len(), size);
    }
}

#[test]
fn bursts_arrive_whole_and_in_order() {
    let ingress = start();
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    sink.set_read_timeout(Some(DEADLINE)).unwrap();
    let port = publish(&ingress, |port| datagrams(port, &[sink.local_addr().unwrap()]));
    let client = client(port);
    let mut buffer = [0; 2000];

    for round in 0..50u32 {
        for number in 0..20u32 {
            let text = format!("{round} {number} {}", "y".repeat(number as usize * 60));
            client.send(text.as_bytes()).unwrap();
        }
        for number in 0..20u32 {
            let length = sink.recv(&mut buffer).unwrap();
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            assert_eq!(text, format!("{round} {number} {}", "y".repeat(number as usize * 60)));
        }
    }
}

#[test]
fn datagrams_that_the_kernel_joined_arrive_apart() {
    let ingress = start();
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    sink.set_read_timeout(Some(DEADLINE)).unwrap();
    let port = publish(&ingress, |port| datagrams(port, &[sink.local_addr().unwrap()]));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = quinn_udp::UdpSocketState::new((&client).into()).unwrap();
    let contents: Vec<u8> = (0..4_700u32).map(|at| (at % 251) as u8).collect();

    // Sent at once, they go through the loopback as one and are received as one.
    let transmit = quinn_udp::Transmit {
        destination: (Ipv4Addr::LOCALHOST, port).into(),
        ecn: None,
        contents: &contents,
        segment_size: Some(1_000),
        src_ip: None,
    };
    sender.try_send((&client).into(), &transmit).unwrap();

    for expected in contents.chunks(1_000) {
        let mut buffer = [0; 2_000];
        let length = sink.recv(&mut buffer).unwrap();
        assert!(buffer[..length] == *expected, "{length} bytes for {}", expected.len());
    }
}

#[test]
fn closed_port_ends_its_flows_and_is_free() {
    let ingress = start();
    let a = namer("a");
    let port = publish(&ingress, |port| datagrams(port, &[a]));
    ask(&client(port), "x");

    assert!(ingress.apply(Table::default()).is_empty());

    UdpSocket::bind(("0.0.0.0", port)).unwrap();
    let begin = Instant::now();
    assert_eq!(wait(ingress.drained(&task(a), DEADLINE)), 0);
    assert!(begin.elapsed() < DEADLINE / 2);
}

#[test]
fn tcp_and_udp_share_a_number() {
    let ingress = start();
    let (bytes, flows) = (peers::echo("tcp"), namer("udp"));
    let both = |port| {
        let mut table = datagrams(port, &[flows]);
        let tcp = peers::table(port, ingress::AppProtocol::Bytes, &[bytes]);
        table.ports.get_mut(&port).unwrap().tcp = tcp.ports[&port].tcp.clone();
        table
    };
    let port = publish(&ingress, both);

    assert_eq!(peers::line(&mut peers::connect(port)), "tcp");
    assert_eq!(words(&ask(&client(port), "x")).0, "udp");
}
