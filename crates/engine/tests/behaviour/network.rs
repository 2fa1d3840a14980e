//! How containers are reached.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use engine::Kind;
use serde_json::{Value, json};

use crate::host::Host;

const SERVER: &str = "echo served > /tmp/index.html; exec busybox httpd -f -p 80 -h /tmp";

fn bridged(ports: Value) -> Value {
    json!({ "ExposedPorts": { "80/tcp": {}, "53/udp": {} }, "HostConfig": { "NetworkMode": "bridge", "PortBindings": ports } })
}

fn fetch(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn published(host: &Host, name: &str) -> Option<String> {
    let ports = host.inspect(name).network_settings.ports;
    ports.get("80/tcp").cloned().flatten().map(|bindings| bindings[0].host_port.clone())
}

pub fn published_ports_lead_to_the_container(host: &Host) {
    host.run("web", SERVER, bridged(json!({ "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "" }] })));
    let settings = host.inspect("web").network_settings;
    let address = settings.networks["bridge"].ip_address.clone();
    let port = published(host, "web").unwrap();

    host.eventually("it answers on its own address", || {
        fetch(&format!("{address}:80")).is_some_and(|answer| answer.contains("served"))
    });
    host.eventually("it answers on the host's port", || {
        fetch(&format!("127.0.0.1:{port}")).is_some_and(|answer| answer.contains("served"))
    });
    assert_eq!(settings.ports["53/udp"], None);
    assert!(!settings.gateway.is_empty() && settings.ip_address == address);
    assert_eq!(settings.mac_address.len(), 17);
    host.stop("web");
    assert!(host.parts().network.attached().is_empty());
    assert!(host.inspect("web").network_settings.ports.is_empty());
    assert!(fetch(&format!("127.0.0.1:{port}")).is_none());
}

pub fn taken_ports_are_refused_or_passed_over(host: &Host) {
    let port = |port: &str| bridged(json!({ "80/tcp": [{ "HostPort": port }] }));
    host.run("first", SERVER, port("18080"));
    host.create("second", SERVER, port("18080"));

    let error = host.block_on(host.engine().start("second")).unwrap_err();

    assert!(error.text().contains("Bind for 0.0.0.0:18080 failed: port is already allocated"), "{error}");
    assert_eq!((error.kind(), host.inspect("second").state.exit_code), (Kind::Internal, 128));
    host.run("third", SERVER, port("18080-18082"));
    assert_eq!(published(host, "third").as_deref(), Some("18081"));
    host.stop("first");
    host.start("second");
    assert_eq!(published(host, "second").as_deref(), Some("18080"));
}

pub fn modes_decide_what_is_seen(host: &Host) {
    let mode = |mode: &str| json!({ "HostConfig": { "NetworkMode": mode } });
    let links = "ls /sys/class/net; cat /etc/hostname";
    host.run("none", links, mode("none"));
    host.run("host", "cat /proc/net/dev", mode("host"));
    host.run("web", SERVER, bridged(json!({})));
    host.eventually("it serves", || !host.inspect("web").network_settings.ip_address.is_empty());

    let script =
        "until busybox wget -q -O - http://127.0.0.1/index.html; do sleep 0.1; done; cat /etc/hostname";
    host.run("guest", script, mode("container:web"));

    let said = |name: &str| {
        host.eventually("it ends", || host.inspect(name).state.status == "exited");
        host.said(name)
    };
    assert!(said("host").contains("drover1"));
    assert_eq!(said("guest"), format!("served\n{}\n", &host.inspect("web").id[..12]));
    assert_eq!(host.inspect("none").network_settings.networks["none"].ip_address, "");
    host.stop("web");
    host.create("late", "true", mode("container:web"));
    let error = host.block_on(host.engine().start("late")).unwrap_err();
    let id = host.inspect("web").id;
    assert_eq!(error.text(), format!("cannot join network of a non running container: {id}"));
}
