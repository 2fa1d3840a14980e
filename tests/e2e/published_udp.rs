//! Datagrams to a published port reach a replica through every node, and the answers come back.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use crate::support::{Client, Lab, Service, eventually, turn};

/// Sends back what comes.
const ECHO: &str = "cron perl -e 'use Socket; socket(S, PF_INET, SOCK_DGRAM, 17) || die; \
    bind(S, sockaddr_in(9000, INADDR_ANY)) || die; while ($a = recv(S, $b, 99, 0)) { send(S, \"got $b\", 0, $a) }'";

#[test]
fn datagrams_are_answered_on_every_node() {
    let _turn = turn();
    let lab = Lab::up("udp", 1, 1);
    let [client, _] = Client::both(&lab, "m1");
    for host in lab.hosts() {
        Client { host, ..client }.load("cron");
    }
    let service = Service::create(&lab, "m1", "echo", &format!("--publish 9000:9000/udp {ECHO}"));
    service.until_running(1);

    for host in lab.hosts() {
        eventually(20, &format!("{host} passes datagrams on"), || ask(lab.address(host)));
    }
    service.remove();
    lab.until_nothing_is_left();
}

fn ask(host: Ipv4Addr) -> Result<(), String> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket.connect((host, 9000)).unwrap();
    let mut answer = [0; 99];
    let length =
        socket.send(b"hello").and_then(|_| socket.recv(&mut answer)).map_err(|error| error.to_string())?;
    if &answer[..length] == b"got hello" { Ok(()) } else { Err(format!("{:?}", &answer[..length])) }
}
