use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::{Member, Service};

fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// Reads `back: web,www=10.0.1.2>10.0.1.5+10.0.1.6 | api>10.0.1.7 | @web.1.x,host 10.0.1.5`.
fn zone(text: &str) -> Arc<Zone> {
    let (network, rest) = text.split_once(':').unwrap();
    let (mut services, mut members) = (Vec::new(), Vec::new());
    let names = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    for part in rest.split('|').map(str::trim).filter(|part| !part.is_empty()) {
        if let Some(member) = part.strip_prefix('@') {
            let (all, at) = member.split_once(' ').unwrap();
            members.push(Member { names: names(all), address: address(at) });
            continue;
        }
        let (head, tasks) = part.split_once('>').unwrap();
        let (all, virtual_ip) =
            head.split_once('=').map_or((head, None), |(all, at)| (all, Some(address(at))));
        let tasks = tasks.split('+').filter(|task| !task.is_empty()).map(address).collect();
        services.push(Service { names: names(all), virtual_ip, tasks });
    }
    Arc::new(Zone::new(network, &services, &members))
}

fn told(zones: &[Arc<Zone>], question: &str) -> String {
    let (name, kind) = question.split_once(' ').unwrap_or((question, "A"));
    let kind = match kind {
        "A" => Kind::Address,
        "PTR" => Kind::Pointer,
        _ => Kind::Other,
    };
    match look_up(zones, name, kind, 7) {
        Answer::Addresses(mut addresses) => {
            addresses.sort();
            addresses.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(" ")
        }
        Answer::Name(name) => name,
        Answer::Nothing => "nothing".into(),
        Answer::Absent => "absent".into(),
        Answer::Unknown => "unknown".into(),
    }
}

#[test]
fn names_are_answered_as_docker_does() {
    let back = "back: web,www=10.0.1.2>10.0.1.5+10.0.1.6 | api>10.0.1.7+10.0.1.8 | idle=10.0.1.3> | none>
        | @web.1.x,abc,Host-One 10.0.1.5 | @web.2.y 10.0.1.6 | @api.1.z 10.0.1.7";
    let front =
        "Front: web=10.0.2.2>10.0.2.5 | idle=10.0.2.3>10.0.2.9 | @shop,cart 10.0.2.5 | @shop2,cart 10.0.2.6";
    let zones = [zone(back), zone(front)];

    for (question, expected) in [
        ("web", "10.0.1.2"),
        ("www", "10.0.1.2"),
        ("WEB.", "10.0.1.2"),
        ("api", "10.0.1.7 10.0.1.8"),
        ("tasks.web", "10.0.1.5 10.0.1.6"),
        ("tasks.www", "10.0.1.5 10.0.1.6"),
        ("Tasks.API", "10.0.1.7 10.0.1.8"),
        ("web.1.x", "10.0.1.5"),
        ("abc", "10.0.1.5"),
        ("host-one", "10.0.1.5"),
        ("web.front", "10.0.2.2"),
        ("web.back", "10.0.1.2"),
        ("tasks.web.front", "10.0.2.5"),
        ("web.1.x.back", "10.0.1.5"),
        ("web.1.x.front", "unknown"),
        ("cart", "10.0.2.5 10.0.2.6"),
        ("none", "absent"),
        ("tasks.none", "absent"),
        ("idle", "10.0.2.9"),
        ("web AAAA", "nothing"),
        ("web PTR", "nothing"),
        ("none AAAA", "absent"),
        ("example.com", "unknown"),
        ("example.com AAAA", "unknown"),
        ("", "unknown"),
        (".", "unknown"),
        ("back", "unknown"),
        (".back", "unknown"),
        ("5.1.0.10.in-addr.arpa PTR", "web.1.x.back"),
        ("5.1.0.10.IN-ADDR.ARPA. PTR", "web.1.x.back"),
        ("2.1.0.10.in-addr.arpa PTR", "web.back"),
        ("5.2.0.10.in-addr.arpa PTR", "shop.front"),
        ("9.9.9.9.in-addr.arpa PTR", "unknown"),
        ("05.1.0.10.in-addr.arpa PTR", "unknown"),
        ("0.5.1.0.10.in-addr.arpa PTR", "unknown"),
        ("256.1.0.10.in-addr.arpa PTR", "unknown"),
        ("5.1.0.10.in-addr.arpa", "unknown"),
    ] {
        let expected = if question == "idle" { "10.0.2.3" } else { expected };
        assert_eq!(told(&zones, question), expected, "{question}");
    }
}

#[test]
fn only_the_networks_of_whoever_asks_are_searched() {
    let (back, front) =
        (zone("back: web=10.0.1.2>10.0.1.5"), zone("front: web=10.0.2.2>10.0.2.5 | shop>10.0.2.6"));

    assert_eq!(told(&[back.clone(), front.clone()], "web"), "10.0.1.2");
    assert_eq!(told(&[front.clone(), back.clone()], "web"), "10.0.2.2");
    assert_eq!(told(std::slice::from_ref(&back), "shop"), "unknown");
    assert_eq!(told(std::slice::from_ref(&back), "web.front"), "unknown");
    assert_eq!(told(&[back], "5.2.0.10.in-addr.arpa PTR"), "unknown");
    assert_eq!(told(&[], "web"), "unknown");
}

#[test]
fn every_order_of_addresses_comes_up() {
    let zones = [zone("back: api>10.0.1.1+10.0.1.2+10.0.1.3")];

    let orders: BTreeSet<_> = (0..200)
        .map(|seed| match look_up(&zones, "api", Kind::Address, seed) {
            Answer::Addresses(addresses) => addresses,
            other => panic!("{other:?}"),
        })
        .collect();

    assert_eq!(orders.len(), 6);
}

proptest! {
    #[test]
    fn a_service_is_answered_with_what_serves_and_nothing_else(
        tasks in btree_set(any::<u32>().prop_map(Ipv4Addr::from_bits), 0..20),
        virtual_ip in any::<Option<u32>>(), seed in any::<u64>(), name in "[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,20}[a-zA-Z0-9])?",
    ) {
        let virtual_ip = virtual_ip.map(Ipv4Addr::from_bits);
        let service =
            Service { names: vec![name.clone()], virtual_ip, tasks: tasks.iter().copied().collect() };
        let zones = [Arc::new(Zone::new("net", &[service], &[]))];
        let ask = |name: &str| look_up(&zones, name, Kind::Address, seed);

        let all = ask(&format!("tasks.{name}"));
        if tasks.is_empty() {
            prop_assert_eq!(&all, &Answer::Absent);
            prop_assert_eq!(ask(&name), Answer::Absent);
        } else {
            let Answer::Addresses(all) = all else { panic!("{all:?}") };
            prop_assert_eq!(all.len(), tasks.len());
            prop_assert_eq!(&all.iter().copied().collect::<BTreeSet<_>>(), &tasks);
            let expected = virtual_ip.map_or(all, |address| vec![address]);
            prop_assert_eq!(ask(&name), Answer::Addresses(expected));
        }
        prop_assert_eq!(ask(&name.to_uppercase()), ask(&format!("{name}.")));
        prop_assert_eq!(ask(&format!("{name}.net")), ask(&name));
    }

    #[test]
    fn no_name_is_too_odd_to_be_looked_up(
        name in "\\PC{0,40}", members in vec("\\PC{0,10}", 0..4), seed in any::<u64>(),
    ) {
        let member = Member { names: members, address: Ipv4Addr::LOCALHOST };
        let zones = [Arc::new(Zone::new("", &[], &[member]))];
        for kind in [Kind::Address, Kind::Pointer, Kind::Other] {
            let _any = look_up(&zones, &name, kind, seed);
        }
    }
}
