//! Opening, opening again and removing a host's networks.

use std::net::{IpAddr, Ipv4Addr};

use network::{Attachment, Error};

use crate::support::{
    DEADLINE, Lab, connect, echoes, eventually, greeting, is_reachable, node, on_overlay, overlay, place,
    reaches, run, serve, tcp_port, wait, with_egress,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 5);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 6);

#[test]
fn restart_takes_over_what_is_there() {
    let lab = Lab::new(2, 1500);
    let endpoints = [(A, 1), (B, 2)];
    let (one, two) = (lab.open(1), lab.open(2));
    wait(one.apply(&[overlay("net", 4097, &endpoints)])).unwrap();
    wait(two.apply(&[overlay("net", 4097, &endpoints)])).unwrap();
    let both = Attachment { egress: true, ..on_overlay("net", A) };
    let a = wait(one.attach("a", &both)).unwrap();
    let b = wait(two.attach("b", &on_overlay("net", B))).unwrap();
    serve(&b.namespace, 80);
    let mut stream = connect(&a.namespace, (B, 80), DEADLINE).unwrap();
    greeting(&mut stream);
    let before = lab.run_on(1, "ip -br link; ip -br addr");
    drop(one);

    let one = lab.open(1);
    assert!(echoes(&mut stream, "after opening"));
    wait(one.apply(&[overlay("net", 4097, &endpoints)])).unwrap();

    assert!(echoes(&mut stream, "after applying"));
    assert_eq!(lab.run_on(1, "ip -br link; ip -br addr"), before);
    assert_eq!(wait(one.attach("a", &both)).unwrap(), a);
    let other = wait(one.attach("other", &with_egress())).unwrap();
    assert_ne!(other.bridge_address, a.bridge_address);
    // Peers that went while nobody looked are gone after the next apply.
    drop(one);
    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &[(A, 1)])])).unwrap();
    assert!(!is_reachable(&a.namespace, (B, 80)));
}

#[test]
fn half_made_things_are_removed_at_the_next_start() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    wait(one.attach("whole", &with_egress())).unwrap();
    wait(one.attach("torn", &with_egress())).unwrap();
    drop(one);
    let run = lab.run_folder(1);
    std::fs::remove_file(run.join("attached/torn")).unwrap();
    std::fs::write(run.join("netns/empty"), "").unwrap();
    std::fs::write(run.join("overlays/empty"), "").unwrap();
    std::fs::write(run.join("attached/gone"), "end\n").unwrap();
    std::fs::write(run.join("attached/.whole.draft"), "bri").unwrap();

    let one = lab.open(1);

    assert_eq!(one.attached().keys().collect::<Vec<_>>(), ["whole"]);
    let names = |folder: &str| {
        let entries = std::fs::read_dir(run.join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((names("netns"), names("attached")), (vec!["whole".into()], vec!["whole".into()]));
    assert!(names("overlays").is_empty());
    wait(one.attach("torn", &with_egress())).unwrap();
}

#[test]
fn destroy_leaves_nothing() {
    let lab = Lab::new(1, 1500);
    let links = lab.run_on(1, "ip -br link; ip route; nft list ruleset");
    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &[(B, 2)]), overlay("idle", 4098, &[])])).unwrap();
    let full =
        Attachment { overlays: vec![place("net", A)], egress: true, host_ports: vec![tcp_port(8080, 80)] };
    wait(one.attach("a", &full)).unwrap();

    wait(one.destroy()).unwrap();

    eventually("the host's former state", || {
        lab.run_on(1, "ip -br link; ip route; nft list ruleset") == links
    });
    assert_eq!(std::fs::read_dir(lab.run_folder(1)).unwrap().count(), 0);
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(lab.run_folder(1).to_str().unwrap()));
    // And the same host can start over, with the same VNI.
    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &[])])).unwrap();
    wait(one.attach("a", &full)).unwrap();
}

#[test]
fn unwanted_overlay_goes_with_its_last_container() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &[]), overlay("idle", 4098, &[])])).unwrap();
    wait(one.attach("a", &on_overlay("net", A))).unwrap();
    let held = |id: &str| lab.run_folder(1).join("overlays").join(id).exists();

    wait(one.apply(&[])).unwrap();
    assert!(held("net") && !held("idle"));
    wait(one.detach("a")).unwrap();

    assert!(!held("net"));
    wait(one.detach("a")).unwrap();
    // Its VNI is free at once.
    wait(one.apply(&[overlay("net2", 4097, &[])])).unwrap();
}

#[test]
fn bridge_avoids_ranges_the_host_has_routes_to() {
    let lab = Lab::new(1, 1500);
    lab.run_on(1, "ip route add 172.31.64.0/18 via 192.0.2.254");

    let one = lab.open(1);

    assert_eq!(one.bridge_subnet().to_string(), "172.30.0.0/16");
}

#[test]
fn address_that_no_link_has_is_refused() {
    let lab = Lab::new(1, 1500);
    let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

    let refused = lab.try_open(1, network::Config { underlay: Some(address), ..lab.config(1) });

    assert!(matches!(refused, Err(Error::NoUnderlay { address: found }) if found == address));
    assert!(!lab.run_on(1, "ip -br link").contains("drover0"));
}

#[test]
fn contradicting_overlays_change_nothing() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);

    let refused = wait(one.apply(&[overlay("net", 4097, &[]), overlay("other", 4097, &[])]));

    assert!(matches!(refused, Err(Error::BadOverlay { .. })), "{refused:?}");
    assert_eq!(std::fs::read_dir(lab.run_folder(1).join("overlays")).unwrap().count(), 0);
}

#[test]
fn damaged_overlay_is_healed_after_a_restart() {
    let lab = Lab::new(2, 1500);
    let endpoints = [(A, 1), (B, 2)];
    let (one, two) = (lab.open(1), lab.open(2));
    for network in [&one, &two] {
        wait(network.apply(&[overlay("net", 4097, &endpoints)])).unwrap();
    }
    let a = wait(one.attach("a", &on_overlay("net", A))).unwrap();
    let b = wait(two.attach("b", &on_overlay("net", B))).unwrap();
    serve(&b.namespace, 80);
    drop(one);
    let inside = format!("--net={}", lab.run_folder(1).join("overlays/net").display());
    let command =
        std::process::Command::new("nsenter").args([&inside, "ip", "link", "del", "vx0"]).status().unwrap();
    assert!(command.success() && !is_reachable(&a.namespace, (B, 80)));

    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &endpoints)])).unwrap();

    assert!(connect(&a.namespace, (B, 80), DEADLINE).is_ok());
}

#[test]
fn host_in_no_cluster_runs_containers_and_joins_one_later() {
    let lab = Lab::new(2, 1500);
    let alone = network::Config { underlay: None, ..lab.config(1) };
    let one = lab.try_open(1, alone).unwrap();
    let web = run(&one, "web", &[tcp_port(8080, 80)]);
    serve(&web.namespace, 80);
    assert!(reaches(&lab.host(2), (node(1), 8080)));
    let endpoints = [(A, 1), (B, 2)];
    let refused = wait(one.apply(&[overlay("net", 4097, &endpoints)]));
    assert!(matches!(refused, Err(Error::NotConnected)), "{refused:?}");
    wait(one.apply(&[])).unwrap();

    wait(one.set_underlay(Some(IpAddr::V4(node(1))))).unwrap();
    let two = lab.open(2);
    for network in [&one, &two] {
        wait(network.apply(&[overlay("net", 4097, &endpoints)])).unwrap();
    }
    let task = Attachment { egress: true, host_ports: vec![tcp_port(9090, 80)], ..on_overlay("net", A) };
    let task = wait(one.attach("task", &task)).unwrap();
    let b = wait(two.attach("b", &on_overlay("net", B))).unwrap();
    serve(&b.namespace, 80);
    assert!(reaches(&task.namespace, (B, 80)));

    wait(one.leave()).unwrap();

    assert_eq!(one.attached().keys().collect::<Vec<_>>(), ["web"]);
    assert_eq!(std::fs::read_dir(lab.run_folder(1).join("overlays")).unwrap().count(), 0);
    assert!(reaches(&lab.host(2), (node(1), 8080)) && !is_reachable(&lab.host(2), (node(1), 9090)));
    assert!(matches!(wait(one.apply(&[overlay("net", 4097, &[])])), Err(Error::NotConnected)));
    let wrong = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    assert!(matches!(wait(one.set_underlay(Some(wrong))), Err(Error::NoUnderlay { .. })));
}

#[test]
fn two_hundred_containers_leave_nothing() {
    let lab = Lab::new(1, 1500);
    let one = lab.open(1);
    wait(one.apply(&[overlay("net", 4097, &[])])).unwrap();
    let run_folder = lab.run_folder(1);
    let mounts = || {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        mounts.lines().filter(|line| line.contains(run_folder.to_str().unwrap())).count()
    };
    let files = |folder: &str| std::fs::read_dir(run_folder.join(folder)).unwrap().count();
    // Whether a bridge without ports is called down is up to the kernel's own time.
    let state =
        || lab.run_on(1, "ip -br link | cut -d' ' -f1; ip route | sed 's/ linkdown//'; nft list ruleset");
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    // The bridges come up with their first port and stay so.
    for (name, host_port) in [("warm", 7000), ("warm2", 7001)] {
        run(&one, name, &[tcp_port(host_port, 80)]);
        wait(one.attach("warm3", &with_egress())).unwrap();
    }
    for name in ["warm", "warm2", "warm3"] {
        wait(one.detach(name)).unwrap();
    }
    let links = |count: usize| {
        eventually("the kernel's removal of the interfaces", || {
            lab.run_on(1, "ip -br link").lines().count() == count
        });
    };
    links(4);
    let (before, mounts_before) = (state(), mounts());

    for round in 0..10u8 {
        wait(async {
            let mut tasks = tokio::task::JoinSet::new();
            for index in 0..20u8 {
                let one = one.clone();
                tasks.spawn(async move {
                    let port = tcp_port(10_000 + u16::from(index), 80);
                    let overlays = vec![place("net", Ipv4Addr::new(10, 0, 1, 100 + index))];
                    let attachment =
                        Attachment { overlays, egress: true, host_ports: vec![port, tcp_port(0, 81)] };
                    let uplink =
                        if index % 2 == 0 { crate::support::OPEN } else { network::Uplink::default() };
                    let name = format!("c{round}-{index}");
                    one.attach_on(uplink, &name, &attachment).await.unwrap();
                    one.detach(&name).await.unwrap();
                });
            }
            tasks.join_all().await
        });
    }

    links(4);
    eventually("the host's former state", || state() == before);
    assert_eq!((mounts(), files("netns"), files("attached")), (mounts_before, 0, 0));
    assert!(one.attached().is_empty());
    // Other tests of this process open some too, but not hundreds.
    assert!(descriptors() < 400, "{}", descriptors());
}
