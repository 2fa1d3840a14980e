//! Containers' resolvers on real sockets, with servers behind them that behave in all the ways servers do.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use dns::{Config, Server, Upstream, Zone};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use support::{Behaviour, Container, Foreign, back, question};

const QUICK: Duration = Duration::from_millis(200);

fn server() -> Server {
    Server::new(Config { patience: QUICK, patience_whole: 5 * QUICK, ..Config::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_answered_over_datagrams_and_connections() {
    let server = server();
    server.put_zone("n1", back(3));
    let container = Container::serve(&server, "c1", &["n1"], Upstream::Nobody);

    for ask in [Container::ask_udp, Container::ask_tcp] {
        let web = ask(&container, "WEB.", RecordType::A).unwrap();
        let ipv6 = ask(&container, "web", RecordType::AAAA).unwrap();
        let idle = ask(&container, "idle", RecordType::A).unwrap();
        let back = ask(&container, "1.1.0.10.in-addr.arpa", RecordType::PTR).unwrap();
        let foreign = ask(&container, "example.com", RecordType::A).unwrap();

        assert_eq!((web.addresses().len(), web.ttls()), (3, vec![600, 600, 600]));
        assert_eq!((ipv6.code(), ipv6.addresses().len()), (ResponseCode::NoError, 0));
        assert_eq!(idle.code(), ResponseCode::NXDomain);
        assert_eq!(back.names(), ["web.1.back."]);
        assert_eq!(foreign.code(), ResponseCode::ServFail);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_come_in_another_order_each_time() {
    let server = server();
    server.put_zone("n1", back(3));
    let container = Container::serve(&server, "c1", &["n1"], Upstream::Nobody);

    let first: std::collections::BTreeSet<Ipv4Addr> =
        (0..60).map(|_| container.ask_udp("web", RecordType::A).unwrap().addresses()[0]).collect();

    assert_eq!(first.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_finds_the_names_of_its_own_networks_alone_as_they_are_now() {
    let server = server();
    server.put_zone("n1", back(1));
    server.put_zone("n2", Zone::new("front", &[], &[support::member("shop", 9)]));
    let one = Container::serve(&server, "c1", &["n1"], Upstream::Nobody);
    let two = Container::serve(&server, "c2", &["n2", "n1"], Upstream::Nobody);

    assert_eq!(one.ask_udp("shop", RecordType::A).unwrap().code(), ResponseCode::ServFail);
    assert_eq!(two.ask_udp("shop", RecordType::A).unwrap().addresses().len(), 1);
    server.put_zone("n1", back(2));
    assert_eq!(one.ask_udp("web", RecordType::A).unwrap().addresses().len(), 2);
    assert_eq!(two.ask_udp("web", RecordType::A).unwrap().addresses().len(), 2);
    assert!(server.replace("c1", dns::Client { networks: vec!["n2".into()], upstream: Upstream::Nobody }));
    assert_eq!(one.ask_udp("shop", RecordType::A).unwrap().addresses().len(), 1);
    server.remove_zone("n2");
    assert_eq!(one.ask_udp("shop", RecordType::A).unwrap().code(), ResponseCode::ServFail);
    assert_eq!(server.served(), ["c1", "c2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_taken_away_is_answered_no_more() {
    let server = server();
    server.put_zone("n1", back(1));
    let container = Container::serve(&server, "c1", &["n1"], Upstream::Nobody);
    assert!(container.ask_udp("web", RecordType::A).is_some());

    server.stop("c1");

    support::eventually("the sockets are closed", || TcpStream::connect(container.tcp).is_err());
    assert!(!server.replace("c1", dns::Client { networks: vec![], upstream: Upstream::Host }));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_are_cut_off_in_datagrams_and_whole_over_connections() {
    let server = server();
    server.put_zone("n1", back(1000));
    let container = Container::serve(&server, "c1", &["n1"], Upstream::Nobody);

    let cut = container.ask_udp("web", RecordType::A).unwrap();
    let whole = container.ask_tcp("web", RecordType::A).unwrap();

    assert!(cut.is_truncated() && !cut.addresses().is_empty());
    assert!(!whole.is_truncated());
    assert_eq!(whole.addresses().len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_names_are_asked_of_other_servers() {
    for (behaviours, code, asked_max) in [
        (vec![Behaviour::Answers], ResponseCode::NoError, QUICK),
        (vec![Behaviour::Silent, Behaviour::Answers], ResponseCode::NoError, 3 * QUICK),
        (vec![Behaviour::Closed, Behaviour::Answers], ResponseCode::NoError, QUICK),
        (vec![Behaviour::Fails, Behaviour::Answers], ResponseCode::NoError, QUICK),
        (vec![Behaviour::Lies, Behaviour::Answers], ResponseCode::NoError, 3 * QUICK),
        (vec![Behaviour::Forgets], ResponseCode::NoError, 3 * QUICK),
        (vec![Behaviour::KnowsNothing, Behaviour::Answers], ResponseCode::NXDomain, QUICK),
        (vec![Behaviour::Fails], ResponseCode::ServFail, QUICK),
        (vec![Behaviour::Silent], ResponseCode::ServFail, 5 * QUICK),
        (vec![Behaviour::Silent, Behaviour::Silent, Behaviour::Silent], ResponseCode::ServFail, 8 * QUICK),
        (vec![], ResponseCode::ServFail, QUICK),
    ] {
        let foreign: Vec<Foreign> = behaviours.iter().map(|behaviour| Foreign::start(*behaviour)).collect();
        let server = server();
        let upstream = Upstream::Servers(foreign.iter().map(|foreign| foreign.address).collect());
        let container = Container::serve(&server, "c1", &[], upstream);

        for ask in [Container::ask_udp, Container::ask_tcp] {
            let start = Instant::now();
            let answer = ask(&container, "example.com", RecordType::A).unwrap();

            assert_eq!(answer.code(), code, "{behaviours:?}");
            assert!(start.elapsed() < asked_max + 4 * QUICK, "{behaviours:?} took {:?}", start.elapsed());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_cuts_off_is_fetched_whole() {
    let foreign = Foreign::start(Behaviour::CutsOff);
    let server = server();
    let container = Container::serve(&server, "c1", &[], Upstream::Servers(vec![foreign.address]));

    let cut = container.ask_udp("example.com", RecordType::A).unwrap();
    let whole = container.ask_tcp("example.com", RecordType::A).unwrap();

    assert!(cut.is_truncated());
    assert_eq!((whole.is_truncated(), whole.addresses().len()), (false, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_servers_are_those_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resolv.conf");
    std::fs::write(&path, "# nobody\n").unwrap();
    let server = Server::new(Config { host_servers: path, ..Config::default() });
    let container = Container::serve(&server, "c1", &[], Upstream::Host);

    assert_eq!(container.ask_udp("example.com", RecordType::A).unwrap().code(), ResponseCode::ServFail);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_names_are_answered_while_other_servers_are_silent_and_questions_pile_up() {
    let foreign = Foreign::start(Behaviour::Silent);
    let server = Server::new(Config::default());
    server.put_zone("n1", back(1));
    let container = Container::serve(&server, "c1", &["n1"], Upstream::Servers(vec![foreign.address]));
    let flood = container.client();
    for number in 0..200 {
        flood.send_to(&question(number, "example.com", RecordType::A), container.udp).unwrap();
    }

    let mut refused = 0;
    let mut room = [0; 512];
    flood.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    while refused < 72 && flood.recv(&mut room).is_ok() {
        refused += 1;
    }

    assert_eq!(refused, 72, "what is above 128 is refused at once");
    assert_eq!(container.ask_udp("web", RecordType::A).unwrap().addresses().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_idle_connections_hinder_nobody() {
    let server = server();
    server.put_zone("n1", back(1));
    let container = Container::serve(&server, "c1", &["n1"], Upstream::Nobody);
    let idle: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(container.tcp).unwrap()).collect();
    let noise = container.client();
    for length in 0..300 {
        noise.send_to(&vec![length as u8; length], container.udp).unwrap();
    }
    let mut half = TcpStream::connect(container.tcp).unwrap();
    half.write_all(&[0, 40, 1, 2, 3]).unwrap();

    assert_eq!(container.ask_udp("web", RecordType::A).unwrap().addresses().len(), 1);
    assert_eq!(container.ask_tcp("web", RecordType::A).unwrap().addresses().len(), 1);
    let mut bad = TcpStream::connect(container.tcp).unwrap();
    bad.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    bad.write_all(&[0, 3, 1, 2, 3]).unwrap();
    assert_eq!(bad.read(&mut [0; 8]).unwrap(), 0, "what is no message ends a connection");
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_answers_many_questions() {
    let server = server();
    server.put_zone("n1", back(1));
    let container = Container::serve(&server, "c1", &["n1"], Upstream::Nobody);
    let mut stream = TcpStream::connect(container.tcp).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();

    let framed = |number: u16| {
        let bytes = question(number, "web", RecordType::A);
        [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()
    };
    stream.write_all(&(1..=5).flat_map(framed).collect::<Vec<u8>>()).unwrap();

    for number in 1..=5u16 {
        assert_eq!(support::read_framed(&mut stream).unwrap()[..2], number.to_be_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_containers_are_served_without_a_thread_or_much_memory_each() {
    let server = server();
    server.put_zone("n1", back(1));
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    let memory_before = support::resident_bytes();

    let containers: Vec<Container> = (0..400)
        .map(|each| Container::serve(&server, &format!("c{each}"), &["n1"], Upstream::Nobody))
        .collect();
    for container in &containers {
        assert_eq!(container.ask_udp("web", RecordType::A).unwrap().addresses().len(), 1);
    }

    let each = support::resident_bytes().saturating_sub(memory_before) / 400;
    eprintln!("{each} bytes per container");
    assert!(threads() <= before + 8, "threads do not grow with containers");
    assert!(each < 40_000, "{each} bytes per container");
}
