//! What a container gets on its host.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Instant;

use network::{Attachment, Bridge, BridgeInterface, Error, OverlayAddress, Uplink};

use crate::support::{
    Lab, eventually, inside, is_reachable, node, on_overlay, overlay, place, reaches, run, seen_as, serve,
    wait, with_egress,
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
    // Their names: whether a bridge without ports is called down is up to the kernel's own time.
    let links = || lab.run_on(1, "ip -br link | cut -d' ' -f1");
    let before = links();
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
    eventually("the host's former links", || links() == before);
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

#[test]
fn containers_of_the_open_bridge_reach_each_other_and_no_others() {
    for filter_frames in [0, 1] {
        let lab = Lab::new(1, 1500);
        lab.filter_frames(1, filter_frames);
        let one = lab.open(1);
        serve(&lab.path("switch"), 80);
        let (a, b) = (run(&one, "a", &[]), run(&one, "b", &[]));
        let task = wait(one.attach("task", &with_egress())).unwrap();
        for attached in [&a, &b, &task] {
            serve(&attached.namespace, 80);
        }
        let [at_a, at_b, at_task] = [&a, &b, &task].map(|attached| (attached.bridge_address.unwrap(), 80));

        assert_eq!(seen_as(&a.namespace, at_b), at_a.0.to_string(), "{filter_frames}");
        assert_eq!(seen_as(&a.namespace, (SWITCH, 80)), node(1).to_string());
        assert!(reaches(&lab.host(1), at_a));
        assert!(!is_reachable(&task.namespace, at_a));
        assert!(!is_reachable(&a.namespace, at_task));
    }
}

#[test]
fn container_is_described_as_it_is() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    let mac = [2, 0x12, 0x34, 0x56, 0x78, 0x9a];
    let uplink = Uplink { bridge: Bridge::Open, mac: Some(mac) };
    let chosen = wait(one.attach_on(uplink, "chosen", &with_egress())).unwrap();
    let none = wait(one.attach_on(uplink, "none", &Attachment::default())).unwrap();

    let address = chosen.bridge_address.unwrap();
    let subnet = one.subnet_of(Bridge::Open);
    let gateway = Ipv4Addr::from(u32::from(subnet.address()) + 1);
    let expected = BridgeInterface {
        bridge: Bridge::Open,
        name: "eth0".into(),
        address,
        prefix: subnet.prefix(),
        gateway,
        mac,
    };
    assert_eq!(chosen.interface, Some(expected.clone()));
    assert_eq!((none.interface, none.bridge_address), (None, None));
    let ip = |namespace: &std::path::Path, arguments: &'static str| {
        inside(namespace, move || {
            let output = std::process::Command::new("ip").args(arguments.split(' ')).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        })
    };
    let links = ip(&chosen.namespace, "-br link");
    assert!(links.contains("eth0") && links.contains("02:12:34:56:78:9a"), "{links}");
    assert!(ip(&chosen.namespace, "-br addr").contains(&format!("{address}/{}", subnet.prefix())));
    assert!(ip(&chosen.namespace, "route").contains(&format!("default via {gateway} dev eth0")));
    let links = ip(&none.namespace, "-br link");
    assert!(links.lines().count() == 1 && links.starts_with("lo"), "{links}");
    drop(one);
    let one = lab.open(1);
    assert_eq!(one.attached()["chosen"].interface, Some(expected));
}

#[test]
fn address_of_a_container_that_went_is_not_reused_at_once() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);

    let addresses: BTreeSet<_> = (0..10)
        .map(|_| {
            let address = run(&one, "a", &[]).bridge_address.unwrap();
            wait(one.detach("a")).unwrap();
            address
        })
        .collect();

    assert_eq!(addresses.len(), 10);
}
