//! What a container gets on its host.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Instant;

use network::{Attachment, Error, OverlayAddress};

use crate::support::{
    Lab, eventually, inside, is_reachable, node, on_overlay, overlay, place, reaches, seen_as, serve, wait,
    with_egress,
};

const SWITCH: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);
const A: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 5);

#[test]
fn container_reaches_outside_with_its_hosts_address() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    serve(&lab.path("switch"), 80);

    let with = wait(one.attach("with", &with_egress())).unwrap();
    let without = wait(one.attach("without", &Attachment::default())).unwrap();

    assert_eq!(seen_as(&with.namespace, (SWITCH, 80)), node(1).to_string());
    assert!(one.bridge_subnet().contains(with.bridge_address.unwrap()));
    assert!(!is_reachable(&without.namespace, (SWITCH, 80)));
    assert_eq!(without.bridge_address, None);
}

#[test]
fn containers_do_not_reach_each_other_over_the_bridge() {
    for filter_frames in [0, 1] {
        let lab = Lab::new(1, 1500);
        lab.filter_frames(1, filter_frames);
        let one = lab.open(1);
        let a = wait(one.attach("a", &with_egress())).unwrap();
        let b = wait(one.attach("b", &with_egress())).unwrap();
        serve(&b.namespace, 80);

        assert!(reaches(&lab.host(1), (b.bridge_address.unwrap(), 80)));
        assert!(!is_reachable(&a.namespace, (b.bridge_address.unwrap(), 80)), "{filter_frames}");
    }
}

#[test]
fn container_does_not_reach_the_hosts_loopback() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    let a = wait(one.attach("a", &with_egress())).unwrap();
    serve(&lab.host(1), 81);
    let gateway = Ipv4Addr::from(u32::from(one.bridge_subnet().address()) + 1);
    assert!(reaches(&a.namespace, (gateway, 81)));

    // Sent as a root of the container could: loopback addresses through the gateway.
    let lie = format!(
        "ip route add 127.0.0.2/32 via {gateway} table 7; ip rule add to 127.0.0.2 lookup 7 pref 1;
         ip rule add lookup local pref 2; ip rule del pref 0;
         echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet"
    );
    let enter = format!("--net={}", a.namespace.display());
    let output = std::process::Command::new("nsenter").args([&enter, "sh", "-ec", &lie]).output().unwrap();
    assert!(output.status.success(), "{output:?}");

    assert!(!is_reachable(&a.namespace, (Ipv4Addr::new(127, 0, 0, 2), 81)));
}

#[test]
fn fifty_containers_attach_at_once() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &[])])).unwrap();
    let warm = wait(one.attach("warm", &with_egress())).unwrap();
    serve(&warm.namespace, 80);

    let single = Instant::now();
    wait(one.attach("single", &with_egress())).unwrap();
    let single = single.elapsed();
    let start = Instant::now();
    let all = wait(async {
        let mut tasks = tokio::task::JoinSet::new();
        for index in 0..50u8 {
            let one = one.clone();
            let attachment =
                Attachment { egress: true, ..on_overlay("net", Ipv4Addr::new(10, 0, 1, 100 + index)) };
            tasks.spawn(async move { one.attach(&format!("c{index}"), &attachment).await.unwrap() });
        }
        tasks.join_all().await
    });
    eprintln!("one container {single:?}, fifty with two interfaces each {:?}", start.elapsed());

    let addresses: BTreeSet<_> = all.iter().map(|attached| attached.bridge_address.unwrap()).collect();
    assert_eq!(addresses.len(), 50);
    let start = Instant::now();
    wait(async {
        for index in 0..50 {
            one.detach(&format!("c{index}")).await.unwrap();
        }
    });
    eprintln!("fifty detached one by one {:?}", start.elapsed());
    eventually("the kernel's removal of the interfaces", || {
        lab.run_on(1, "ip -br link show master drover0").lines().count() == 2
    });
}

#[test]
fn attaching_again_keeps_or_rebuilds_as_asked() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &[])])).unwrap();
    let first = wait(one.attach("a", &with_egress())).unwrap();
    serve(&first.namespace, 80);

    let same = wait(one.attach("a", &with_egress())).unwrap();
    assert_eq!(same, first);
    assert!(reaches(&lab.host(1), (same.bridge_address.unwrap(), 80)));

    let other = wait(one.attach("a", &on_overlay("net", A))).unwrap();
    assert_eq!(other.bridge_address, None);
    assert_eq!(one.attached().len(), 1);
}

#[test]
fn failed_attachment_leaves_nothing() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &[])])).unwrap();
    let links = lab.run_on(1, "ip -br link");
    let bad_mac = OverlayAddress { mac: [1, 0, 0, 0, 0, 1], ..place("net", A) };
    let twice = Attachment { overlays: vec![place("net", A), bad_mac], egress: true, host_ports: Vec::new() };

    let unknown = wait(one.attach("a", &on_overlay("nowhere", A)));
    let refused = wait(one.attach("a", &twice));
    let bad_id = wait(one.attach("../a", &with_egress()));

    assert!(matches!(unknown, Err(Error::UnknownOverlay { .. })), "{unknown:?}");
    assert!(matches!(refused, Err(Error::Kernel { .. })), "{refused:?}");
    assert!(matches!(bad_id, Err(Error::BadId { .. })), "{bad_id:?}");
    assert!(one.attached().is_empty());
    assert_eq!(std::fs::read_dir(lab.run_folder(1).join("netns")).unwrap().count(), 0);
    eventually("the host's former links", || lab.run_on(1, "ip -br link") == links);
    wait(one.attach("a", &on_overlay("net", A))).unwrap();
}

#[test]
fn container_may_use_low_ports_and_has_a_loopback() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    let a = wait(one.attach("a", &with_egress())).unwrap();
    serve(&a.namespace, 80);

    assert!(reaches(&a.namespace, (Ipv4Addr::LOCALHOST, 80)));
    let read = || std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    assert_eq!(inside(&a.namespace, read).trim(), "0");
}
