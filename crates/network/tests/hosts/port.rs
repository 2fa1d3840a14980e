//! Ports of a host that lead to one container.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};

use network::{Attached, Attachment, Error, HostPort, Network, Protocol};

use crate::support::{
    DEADLINE, Lab, connect, echoes, eventually, greeting, inside, is_reachable, node, reaches, run, seen_as,
    serve, tcp_port, wait, with_egress,
};

fn publish(network: &Network, name: &str, ports: &[HostPort]) -> Result<Attached, Error> {
    let attachment = Attachment { host_ports: ports.to_vec(), ..Attachment::default() };
    wait(network.attach(name, &attachment))
}

fn one_gateway(network: &Network) -> String {
    Ipv4Addr::from(u32::from(network.bridge_subnet().address()) + 1).to_string()
}

#[test]
fn published_port_is_reached_from_everywhere() {
    for filter_frames in [0, 1] {
        let lab = Lab::new(2, 1500);
        lab.filter_frames(1, filter_frames);
        let one = lab.open(1);
        let web = publish(&one, "web", &[tcp_port(8080, 80)]).unwrap();
        let client = wait(one.attach("client", &with_egress())).unwrap();
        serve(&web.namespace, 80);
        let port = (node(1), 8080);

        assert_eq!(seen_as(&lab.host(2), port), node(2).to_string());
        let mut local = connect(&lab.host(1), (Ipv4Addr::LOCALHOST, 8080), DEADLINE).unwrap();
        assert_eq!(greeting(&mut local), one_gateway(&one));
        assert!(reaches(&lab.host(1), port));
        for namespace in [&client.namespace, &web.namespace] {
            let mut stream = connect(namespace, port, DEADLINE).unwrap();
            assert_eq!(greeting(&mut stream), one_gateway(&one), "{filter_frames}");
            assert!(echoes(&mut stream, "and on"));
        }
        assert!(!is_reachable(&lab.host(2), (node(1), 80)));
    }
}

#[test]
fn port_on_one_address_is_not_reached_at_others() {
    let lab = Lab::new(2, 1500);
    lab.run_on(1, "ip addr add 192.0.2.101/24 dev u0");
    let one = lab.open(1);
    let at = |ip| HostPort { host_ip: ip, ..tcp_port(8080, 80) };
    let first = publish(&one, "first", &[at(node(1))]).unwrap();
    let second = publish(&one, "second", &[at(Ipv4Addr::new(192, 0, 2, 101))]).unwrap();
    serve(&first.namespace, 80);

    assert!(reaches(&lab.host(2), (node(1), 8080)));
    assert!(!is_reachable(&lab.host(2), (Ipv4Addr::new(192, 0, 2, 101), 8080)));
    serve(&second.namespace, 80);
    assert!(reaches(&lab.host(2), (Ipv4Addr::new(192, 0, 2, 101), 8080)));
}

#[test]
fn kernel_chooses_a_free_port_for_zero() {
    let lab = Lab::new(2, 1500);
    let one = lab.open(1);

    let web = publish(&one, "web", &[tcp_port(0, 80), tcp_port(0, 81)]).unwrap();
    serve(&web.namespace, 80);
    serve(&web.namespace, 81);

    let ports: Vec<_> = web.host_ports.iter().map(|port| port.published).collect();
    assert!(ports[0] != 0 && ports[1] != 0 && ports[0] != ports[1], "{ports:?}");
    for port in ports {
        assert!(reaches(&lab.host(2), (node(1), port)));
    }
}

#[test]
fn taken_port_is_refused_and_free_again_after_detach() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    publish(&one, "web", &[tcp_port(8080, 80)]).unwrap();
    let bind = || TcpListener::bind("0.0.0.0:8080").map(drop);

    let second = publish(&one, "other", &[tcp_port(8081, 80), tcp_port(8080, 80)]);
    assert!(
        matches!(&second, Err(Error::PortInUse { port, .. }) if port == "0.0.0.0:8080/tcp"),
        "{second:?}"
    );
    assert!(inside(&lab.host(1), bind).is_err());
    // The port before the refused one was given back.
    publish(&one, "third", &[tcp_port(8081, 80)]).unwrap();

    wait(one.detach("web")).unwrap();
    // A program being started by another test may hold a copy of our descriptors for a moment.
    eventually("a free port", || inside(&lab.host(1), bind).is_ok());
    publish(&one, "other", &[tcp_port(8080, 80)]).unwrap();
}

#[test]
fn udp_port_leads_to_the_container() {
    let lab = Lab::new(2, 1500);
    let one = lab.open(1);
    let port = HostPort { protocol: Protocol::Udp, ..tcp_port(5300, 53) };
    let dns = publish(&one, "dns", &[port]).unwrap();
    let server = inside(&dns.namespace, || UdpSocket::bind("0.0.0.0:53").unwrap());
    let client = inside(&lab.host(2), || UdpSocket::bind("0.0.0.0:0").unwrap());
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
    }
    let mut buffer = [0; 16];

    client.send_to(b"ask", (node(1), 5300)).unwrap();
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    server.send_to(b"answer", from).unwrap();

    assert_eq!(&buffer[..length], b"ask");
    let (length, from) = client.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"answer"[..], (node(1), 5300).into()));
}

#[test]
fn ports_and_their_connections_outlive_a_restart() {
    let lab = Lab::new(2, 1500);
    let one = lab.open(1);
    let web = publish(&one, "web", &[tcp_port(8080, 80), tcp_port(0, 80)]).unwrap();
    serve(&web.namespace, 80);
    let mut stream = connect(&lab.host(2), (node(1), 8080), DEADLINE).unwrap();
    greeting(&mut stream);
    drop(one);
    let one = lab.open(1);

    assert!(echoes(&mut stream, "still here"));
    assert_eq!(one.attached()["web"], web);
    assert!(reaches(&lab.host(2), (node(1), 8080)));
    assert!(inside(&lab.host(1), || TcpListener::bind("0.0.0.0:8080").is_err()));
}

#[test]
fn port_on_the_loopback_is_for_the_host_alone() {
    let lab = Lab::new(2, 1500);
    let one = lab.open(1);
    let web = run(&one, "web", &[HostPort { host_ip: Ipv4Addr::LOCALHOST, ..tcp_port(8000, 80) }]);
    serve(&web.namespace, 80);

    assert!(reaches(&lab.host(1), (Ipv4Addr::LOCALHOST, 8000)));
    assert!(!is_reachable(&lab.host(1), (node(1), 8000)));
    assert!(!is_reachable(&lab.host(2), (node(1), 8000)));
    // Another address leaves the same port free.
    run(&one, "other", &[HostPort { host_ip: node(1), ..tcp_port(8000, 80) }]);
}

#[test]
fn port_of_a_container_on_the_open_bridge_is_reached_from_all_others() {
    for filter_frames in [0, 1] {
        let lab = Lab::new(2, 1500);
        lab.filter_frames(1, filter_frames);
        let one = lab.open(1);
        let web = run(&one, "web", &[tcp_port(8080, 80)]);
        let neighbour = run(&one, "neighbour", &[]);
        let task = wait(one.attach("task", &with_egress())).unwrap();
        serve(&web.namespace, 80);
        let port = (node(1), 8080);

        assert_eq!(seen_as(&lab.host(2), port), node(2).to_string());
        assert!(reaches(&lab.host(1), (Ipv4Addr::LOCALHOST, 8080)));
        let gateway = web.interface.as_ref().unwrap().gateway;
        for namespace in [&neighbour.namespace, &task.namespace, &web.namespace] {
            let mut stream = connect(namespace, port, DEADLINE).unwrap();
            assert_eq!(greeting(&mut stream), gateway.to_string(), "{filter_frames}");
            assert!(echoes(&mut stream, "and on"));
        }
        assert!(reaches(&neighbour.namespace, (gateway, 8080)));
    }
}

#[test]
fn port_that_is_not_published_is_not_reached_by_a_route_either() {
    let lab = Lab::new(2, 1500);
    let one = lab.open(1);
    let web = run(&one, "web", &[tcp_port(8080, 80)]);
    let task = publish(&one, "task", &[tcp_port(8081, 80)]).unwrap();
    for attached in [&web, &task] {
        serve(&attached.namespace, 80);
        serve(&attached.namespace, 81);
    }
    let subnets = format!("{} {}", one.bridge_subnet(), one.subnet_of(network::Bridge::Open));
    lab.run_on(2, &format!("for net in {subnets}; do ip route add $net via {}; done", node(1)));

    for attached in [&web, &task] {
        let address = attached.bridge_address.unwrap();
        assert!(reaches(&lab.host(1), (address, 81)));
        assert!(!is_reachable(&lab.host(2), (address, 81)));
    }
    assert!(reaches(&lab.host(2), (node(1), 8080)) && reaches(&lab.host(2), (node(1), 8081)));
}

#[test]
fn refusals_are_written_as_docker_does() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    run(&one, "web", &[tcp_port(8080, 80)]);
    let elsewhere = HostPort { host_ip: Ipv4Addr::new(203, 0, 113, 9), ..tcp_port(8080, 80) };

    let taken = publish(&one, "other", &[tcp_port(8080, 80)]).unwrap_err();
    let refused = publish(&one, "other", &[elsewhere]).unwrap_err();

    assert_eq!(taken.to_string(), "Bind for 0.0.0.0:8080 failed: port is already allocated");
    assert!(matches!(refused, Error::PortRefused { .. }), "{refused:?}");
    assert_eq!(refused.to_string(), "failed to bind host port 203.0.113.9:8080/tcp");
}

#[test]
fn port_on_every_address_answers_over_ipv6_too() {
    let lab = Lab::new(2, 1500);
    for host in [1, 2] {
        lab.run_on(host, &format!("ip addr add fd00::{host}/64 dev u0 nodad"));
    }
    let one = lab.open(1);
    let at_loopback = HostPort { host_ip: Ipv4Addr::LOCALHOST, ..tcp_port(8081, 80) };
    let web = run(&one, "web", &[tcp_port(8080, 80), at_loopback]);
    serve(&web.namespace, 80);
    let outside = ("fd00::1".parse::<Ipv6Addr>().unwrap(), 8080);

    for (host, to) in [(1, (Ipv6Addr::LOCALHOST, 8080)), (1, outside), (2, outside)] {
        let mut stream = connect(&lab.host(host), to, DEADLINE).unwrap();
        assert_eq!(greeting(&mut stream), web.interface.as_ref().unwrap().gateway.to_string());
        assert!(echoes(&mut stream, "over IPv6"));
    }
    assert!(!is_reachable(&lab.host(1), (Ipv6Addr::LOCALHOST, 8081)));
    drop(one);
    eventually("the end of the relay", || !is_reachable(&lab.host(1), (Ipv6Addr::LOCALHOST, 8080)));
    let one = lab.open(1);
    assert!(reaches(&lab.host(2), outside));

    wait(one.detach("web")).unwrap();

    eventually("a port that was given back", || !is_reachable(&lab.host(2), outside));
    run(&one, "web", &[tcp_port(8080, 80)]);
}

#[test]
fn process_that_listens_over_ipv6_alone_keeps_its_port() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    let listen = || {
        let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).unwrap();
        socket.set_only_v6(true).unwrap();
        socket.bind(&std::net::SocketAddr::from((Ipv6Addr::UNSPECIFIED, 8080)).into()).unwrap();
        socket.listen(1).unwrap();
        socket
    };
    let _listening = inside(&lab.host(1), listen);

    let refused = publish(&one, "web", &[tcp_port(8080, 80)]);

    assert!(matches!(refused, Err(Error::PortInUse { .. })), "{refused:?}");
}
