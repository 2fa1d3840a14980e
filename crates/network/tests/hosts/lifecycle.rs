//! Opening, opening again and removing a host's networks.

use std::net::{IpAddr, Ipv4Addr};

use network::{Attachment, Error};

use crate::support::{
    DEADLINE, Lab, connect, echoes, eventually, greeting, is_reachable, on_overlay, overlay, place, serve,
    tcp_port, wait, with_egress,
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

    let refused = lab.try_open(1, network::Config { underlay: address, ..lab.config(1) });

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
