//! Where containers' questions for names go.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::Path;

use network::{Error, RESOLVER, Resolver, ResolverSockets};

use crate::support::{DEADLINE, Lab, inside, on_overlay, overlay, wait, with_egress};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 5);

/// Answers whatever comes with a text.
fn answer_with(sockets: ResolverSockets, text: &'static str) {
    let ResolverSockets { udp, tcp } = sockets;
    udp.set_nonblocking(false).unwrap();
    tcp.set_nonblocking(false).unwrap();
    std::thread::spawn(move || {
        let mut room = [0; 64];
        while let Ok((_, from)) = udp.recv_from(&mut room) {
            let _ = udp.send_to(text.as_bytes(), from);
        }
    });
    std::thread::spawn(move || {
        for client in tcp.incoming() {
            let _ = client.and_then(|mut client| client.write_all(text.as_bytes()));
        }
    });
}

fn asked_over_udp(namespace: &Path) -> String {
    let socket = inside(namespace, || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        // A connected socket takes answers from there alone.
        socket.connect((RESOLVER, 53)).unwrap();
        socket
    });
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.send(b"?").unwrap();
    let mut room = [0; 64];
    let length = socket.recv(&mut room).unwrap();
    String::from_utf8_lossy(&room[..length]).into_owned()
}

fn asked_over_tcp(namespace: &Path) -> String {
    let mut stream = inside(namespace, || TcpStream::connect((RESOLVER, 53)).unwrap());
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn questions_arrive_where_they_are_answered_also_after_a_restart() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &[])])).unwrap();
    let a = wait(one.attach("a", &on_overlay("net", A))).unwrap();
    assert_eq!((a.resolver.as_ref(), a.overlays.len()), (None, 1));
    let resolver = Resolver { servers: vec!["192.0.2.9".parse().unwrap()] };

    answer_with(wait(one.open_resolver("a", &resolver)).unwrap(), "first");
    assert_eq!(asked_over_udp(&a.namespace), "first");
    assert_eq!(asked_over_tcp(&a.namespace), "first");
    // An application of its own may answer names in the container.
    inside(&a.namespace, || {
        UdpSocket::bind("0.0.0.0:53").unwrap();
        std::net::TcpListener::bind("0.0.0.0:53").unwrap();
    });

    drop(one);
    let one = lab.open(1);
    let found = one.attached().remove("a").unwrap();
    assert_eq!(found.resolver, Some(resolver.clone()));
    assert_eq!(found.overlays, a.overlays);
    answer_with(wait(one.open_resolver("a", &resolver)).unwrap(), "second");
    assert_eq!(asked_over_udp(&a.namespace), "second");
    assert_eq!(asked_over_tcp(&a.namespace), "second");
}

#[test]
fn a_container_without_overlays_can_ask_too_and_one_that_is_not_there_cannot() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    let a = wait(one.attach("a", &with_egress())).unwrap();

    answer_with(wait(one.open_resolver("a", &Resolver::default())).unwrap(), "here");
    assert_eq!(asked_over_udp(&a.namespace), "here");

    wait(one.detach("a")).unwrap();
    let gone = wait(one.open_resolver("a", &Resolver::default()));
    assert!(matches!(gone, Err(Error::NotAttached { .. })), "{gone:?}");
}
