use std::net::{IpAddr, Ipv4Addr};

use model::{Availability, TaskAddress, Timestamp};
use proptest::prelude::*;
use store::Change;
use testkit::notation::{self, bits_of};
use wire::assignment::Assignment;

use super::*;

const NODES: [&str; 3] = ["a", "b", "c"];
const NETWORKS: [&str; 3] = ["ingress", "back", "front"];

fn node_id(name: &str) -> NodeId {
    NodeId::from_bits(bits_of(name))
}

fn network_id(name: &str) -> NetworkId {
    NetworkId::from_bits(bits_of(name))
}

fn service_id(name: &str) -> ServiceId {
    ServiceId::from_bits(bits_of(name))
}

fn words(items: &Items) -> Vec<String> {
    let name = notation::name_of;
    let word = |item: &Item| match item {
        Item::Task(task) => format!("task {}", task.slot),
        Item::Spec(spec) => format!("spec {} v{}", spec.service_name, spec.id.version.0),
        Item::Network(network) => format!("net {}", name(network.id.bits())),
        Item::Endpoint(endpoint) => {
            let serving = if endpoint.serving { " serving" } else { "" };
            let (network, node) = (name(endpoint.network.bits()), name(endpoint.node.bits()));
            format!("{network} {}→{node}{serving}", endpoint.address)
        }
        Item::Node(node) => {
            let manager = node.manager_address.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
            format!("node {}{manager}", name(node.id.bits()))
        }
        Item::Port(port) => format!("port {}:{} {}", port.published, port.target, name(port.service.bits())),
        Item::Service(service) => {
            let leads =
                service.virtual_ip.map_or_else(|| "its tasks".to_owned(), |address| address.to_string());
            format!("{} {}→{leads}", name(service.network.bits()), service.name)
        }
    };
    items.values().map(word).collect()
}

#[track_caller]
fn check(cluster: &str, node: &str, expected: &[&str]) {
    let view = notation::parse(cluster);

    let items = complete(Sight { view: &view, managers: &Managers::new() }, node_id(node));

    assert_eq!(words(&items), expected, "{cluster}");
}

#[test]
fn only_wanted_running_tasks_on_living_nodes_serve() {
    let cases = [
        ("running", "", " serving"),
        ("running to-shutdown", "", ""),
        ("running to-remove", "", ""),
        ("starting", "", ""),
        ("ready to-ready", "", ""),
        ("assigned", "", ""),
        ("running", "down", ""),
        ("running", "disconnected", " serving"),
    ];

    for (task, node, serving) in cases {
        check(
            &format!(
                "node a {node} | node b | ingress subnet=10.0.0.0/24 vni=4096 | web : 1→a {task} ip=ingress:10.0.0.2"
            ),
            "b",
            &["net ingress", &format!("ingress 10.0.0.2→a{serving}"), "node a", "node b"],
        );
    }
}

#[test]
fn tasks_that_ended_or_have_no_node_have_no_endpoint() {
    for task in ["1→a complete", "1→a failed", "1→a orphaned", "1 pending"] {
        check(
            &format!("node a | ingress subnet=10.0.0.0/24 vni=4096 | web : {task} ip=ingress:10.0.0.2"),
            "b",
            &["net ingress", "node a"],
        );
    }
}

#[test]
fn a_node_knows_the_networks_and_specs_of_its_own_tasks_alone() {
    let cluster =
        "node a | node b | net back subnet=10.0.1.0/24 vni=4097 | net front subnet=10.0.2.0/24 vni=4098
        web v2 : 1→a running v1 ip=back:10.0.1.2, 2→b running ip=back:10.0.1.3
        api : 1→b running ip=front:10.0.2.2";

    check(
        cluster,
        "a",
        &[
            "task 1",
            "spec web v1",
            "net back",
            "back 10.0.1.2→a serving",
            "back 10.0.1.3→b serving",
            "node a",
            "node b",
        ],
    );
}

#[test]
fn every_node_knows_the_published_ports_as_given_out() {
    check(
        "node a | web has=80:8080 publish=80:9090 | api has=443:8443/udp",
        "a",
        &["node a", "port 80:8080 web", "port 443:8443 api"],
    );
}

#[test]
fn services_are_named_on_the_networks_that_the_node_takes_part_in() {
    let networks = "net back subnet=10.0.1.0/24 vni=4097 | net front subnet=10.0.2.0/24 vni=4098
        ingress subnet=10.0.0.0/24 vni=4096";
    let own = "api dnsrr on=back : 1→a running ip=back:10.0.1.2";

    check(
        &format!(
            "node a | {networks} | {own}
            web on=back on-name=front publish=80:80 vip=ingress:10.0.0.5 vip=back:10.0.1.5 vip=front:10.0.2.5
            new on-name=back | far on=front dnsrr | gone old on=back dnsrr"
        ),
        "a",
        &[
            "task 1",
            "spec api v1",
            "net back",
            "net ingress",
            "back 10.0.1.2→a serving",
            "node a",
            "back api→its tasks",
            "back web→10.0.1.5",
        ],
    );
}

#[test]
fn containers_are_named_but_where_published_ports_lead() {
    let view = notation::parse(
        "node a | net back subnet=10.0.1.0/24 vni=4097 | ingress subnet=10.0.0.0/24 vni=4096
        web : 1→a running ip=back:10.0.1.2 ip=ingress:10.0.0.2 | api : 0→a running ip=back:10.0.1.3",
    );

    let items = complete(Sight { view: &view, managers: &Managers::new() }, node_id("a"));

    let task = |service: &str| view.tasks().find(|task| task.service == service_id(service)).unwrap();
    let names = items.values().filter_map(|item| match item {
        Item::Endpoint(endpoint) => Some(endpoint.name.clone()),
        _ => None,
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    let mut expected = vec![
        String::new(),
        format!("web.1.{}", task("web").id),
        format!("api.{}.{}", node_id("a"), task("api").id),
    ];
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn a_networks_mtu_is_told_if_it_is_one() {
    for (option, told) in [("1400", Some(1400)), ("100", None), ("x", None), ("70000", None)] {
        let mut view =
            notation::parse("node a | net back subnet=10.0.1.0/24 vni=1 | w : 1→a running ip=back:10.0.1.2");
        let mut network = (**view.network(network_id("back")).unwrap()).clone();
        network.spec.driver_opts.insert(MTU_OPTION.into(), option.into());
        view.draft(&Change::Put(network.into()));

        let items = complete(Sight { view: &view, managers: &Managers::new() }, node_id("a"));

        let Some(Item::Network(network)) = items.get(&Key::Network(network_id("back"))) else {
            panic!("the network is not told");
        };
        assert_eq!((network.mtu, network.name.as_str()), (told, "back"), "{option}");
    }
}

#[test]
fn a_new_address_or_name_of_a_service_is_told_alone() {
    let cluster = |web: &str| {
        format!(
            "node a | net back subnet=10.0.1.0/24 vni=4097
            web on=back {web} : 1→a running ip=back:10.0.1.2, 2→a running ip=back:10.0.1.3"
        )
    };

    let (told_first, removed) = told(&cluster(""), &cluster("vip=back:10.0.1.9"), "a");
    assert_eq!((told_first, removed), (vec!["back web→10.0.1.9".to_owned()], 0));
    assert_eq!(told(&cluster("vip=back:10.0.1.9"), &cluster(""), "a"), (vec![], 1));
}

#[test]
fn a_network_without_numbers_is_not_told_yet() {
    check("node a | net back | web : 1→a accepted", "a", &["task 1", "spec web v1", "node a"]);
}

/// What the difference tells a node that goes from one cluster to the other.
fn told(before: &str, after: &str, node: &str) -> (Vec<String>, usize) {
    let (before, after) = (notation::parse(before), notation::parse(after));
    let managers = Managers::new();
    let (before, after) =
        (Sight { view: &before, managers: &managers }, Sight { view: &after, managers: &managers });
    let Some(told) = difference(before, after, node_id(node), 1) else { return (Vec::new(), 0) };
    (words(&told.put.into_iter().map(|item| (item.key(), item)).collect()), told.removed.len())
}

#[test]
fn the_first_task_on_a_network_tells_its_endpoints_and_the_last_takes_them_away() {
    let without =
        "node a | node b | net back subnet=10.0.1.0/24 vni=4097 | web : 1→b running ip=back:10.0.1.2";
    let with = format!("{without} | api : 1→a assigned ip=back:10.0.1.3");
    let ended = format!("{without} | api : 1→a complete ip=back:10.0.1.3");

    let (first, _) = told(without, &with, "a");
    assert_eq!(first, ["task 1", "spec api v1", "net back", "back 10.0.1.2→b serving", "back 10.0.1.3→a"]);
    assert_eq!(told(&with, &ended, "a"), (vec![], 3), "the network and two endpoints go");
    assert_eq!(told(&with, &ended, "b"), (vec![], 1), "the other node forgets one endpoint");
}

#[test]
fn a_report_of_a_nodes_own_task_is_no_news_to_it() {
    let cluster = |state: &str| format!("node a | web : 1→a {state}");

    assert_eq!(told(&cluster("accepted"), &cluster("running"), "a"), (vec![], 0));
    assert_eq!(told(&cluster("running"), &cluster("running to-shutdown"), "a").0, ["task 1"]);
}

#[test]
fn a_manager_that_moves_is_told() {
    let view = notation::parse("node a | node b");
    let before: Managers = [(node_id("a"), "10.0.0.1:2377".into())].into();
    let after: Managers = [(node_id("b"), "10.0.0.2:2377".into())].into();

    let told = difference(
        Sight { view: &view, managers: &before },
        Sight { view: &view, managers: &after },
        node_id("b"),
        1,
    );

    let items = told.unwrap().put.into_iter().map(|item| (item.key(), item)).collect();
    assert_eq!(words(&items), ["node a", "node b at 10.0.0.2:2377"]);
}

/// One thing that happens to a cluster.
#[derive(Debug, Clone)]
enum Wish {
    Node {
        at: usize,
        state: u8,
        number: u32,
        is_there: bool,
    },
    Network {
        at: usize,
        is_ingress: bool,
        has_numbers: bool,
        is_there: bool,
    },
    Service {
        at: u128,
        port: u16,
        /// Whether it has an address, wants the network by its id, and by its name, on each of the three.
        networks: [u8; 3],
        is_dnsrr: bool,
        is_there: bool,
    },
    Task {
        at: u128,
        service: u128,
        version: u32,
        node: usize,
        state: usize,
        desired: usize,
        networks: u8,
        is_there: bool,
    },
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let is_there = prop::bool::weighted(0.8);
    prop_oneof![
        1 => (0..3usize, 0..4u8, 0..3u32, is_there)
            .prop_map(|(at, state, number, is_there)| Wish::Node { at, state, number, is_there }),
        1 => (0..3usize, any::<bool>(), any::<bool>(), is_there).prop_map(
            |(at, is_ingress, has_numbers, is_there)| Wish::Network { at, is_ingress, has_numbers, is_there }
        ),
        2 => (0..3u128, 80..83u16, [0..8u8, 0..8u8, 0..8u8], any::<bool>(), is_there).prop_map(
            |(at, port, networks, is_dnsrr, is_there)| Wish::Service { at, port, networks, is_dnsrr, is_there }
        ),
        4 => ((0..8u128, 0..3u128, 1..3u32, 0..4usize), (0..14usize, 0..14usize, 0..8u8, is_there)).prop_map(
            |((at, service, version, node), (state, desired, networks, is_there))| Wish::Task {
                at, service, version, node, state, desired, networks, is_there
            }
        ),
    ]
}

fn happen(view: &mut View, wish: &Wish) {
    let (key, object): (store::Key, Object) = match wish {
        Wish::Node { at, state, number, .. } => {
            let mut node = notation::node(NODES[*at]);
            node.status.state =
                [NodeState::Ready, NodeState::Down, NodeState::Unknown, NodeState::Disconnected]
                    [usize::from(*state)];
            node.number = (*number > 0).then_some(*number);
            node.status.address = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, *number as u8)));
            node.spec.availability = Availability::Active;
            (store::Key::Node(node.id), node.into())
        }
        Wish::Network { at, is_ingress, has_numbers, .. } => {
            let id = network_id(NETWORKS[*at]);
            let is_ingress = *is_ingress && view.ingress_network().is_none_or(|held| held.id == id);
            let spec = model::NetworkSpec {
                name: NETWORKS[*at].into(),
                ingress: is_ingress,
                ..model::NetworkSpec::default()
            };
            let subnet = has_numbers.then(|| "10.0.0.0/24".parse().unwrap());
            let meta = model::Meta::default();
            let network = model::Network { id, meta, spec, subnet, vni: Some(4096), last_address: None };
            (store::Key::Network(id), network.into())
        }
        Wish::Service { at, port, networks, is_dnsrr, .. } => {
            let mut words = format!("s{at} has={port}:80{}", if *is_dnsrr { " dnsrr" } else { "" });
            for (name, bits) in NETWORKS.iter().zip(networks) {
                for (bit, word) in [(1, format!(" vip={name}:10.0.0.{port}")), (2, format!(" on={name}"))] {
                    words.push_str(if bits & bit != 0 { &word } else { "" });
                }
                words.push_str(&if bits & 4 != 0 { format!(" on-name={name}") } else { String::new() });
            }
            let service = notation::service(&words);
            (store::Key::Service(service.id), service.into())
        }
        Wish::Task { .. } => {
            let task = task_of(wish);
            for version in 1..3 {
                let mut service = notation::empty_service("spec");
                service.id = task.service;
                let spec = notation::spec_at(&service, model::SpecVersion(version));
                view.draft(&Change::Put(spec.into()));
            }
            (store::Key::Task(task.id), task.into())
        }
    };
    let is_there = match wish {
        Wish::Node { is_there, .. }
        | Wish::Network { is_there, .. }
        | Wish::Service { is_there, .. }
        | Wish::Task { is_there, .. } => *is_there,
    };
    if is_there {
        view.draft(&Change::Put(object));
    } else if view.get(key).is_some() {
        view.draft(&Change::Delete(key, model::Version(0)));
    }
}

fn task_of(wish: &Wish) -> Task {
    let Wish::Task { at, service, version, node, state, desired, networks, .. } = wish else {
        panic!("{wish:?} is no task");
    };
    let address = |(place, name): (usize, &&str)| TaskAddress {
        network: network_id(name),
        address: Ipv4Addr::new(10, 0, place as u8, *at as u8),
    };
    let picked = NETWORKS.iter().enumerate().filter(|(place, _)| networks & (1 << place) != 0);
    Task {
        id: TaskId::from_bits(*at),
        meta: model::Meta::default(),
        service: model::ServiceId::from_bits(bits_of(&format!("s{service}"))),
        spec_version: model::SpecVersion(*version),
        slot: *at as u32,
        desired: TaskState::ALL[*desired],
        node: NODES.get(*node).map(|name| node_id(name)),
        addresses: picked.map(address).collect(),
        status: model::TaskStatus {
            state: TaskState::ALL[*state],
            at: Timestamp(0),
            message: String::new(),
            err: String::new(),
            container: None,
            ports: Vec::new(),
        },
    }
}

/// Leaves out what is the node's own report.
fn without_reports(mut items: Items) -> Items {
    for item in items.values_mut() {
        if let Item::Task(task) = item {
            let mut bare = (**task).clone();
            bare.meta = model::Meta::default();
            bare.status.state = TaskState::New;
            *task = bare.into();
        }
    }
    items
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_difference_leads_from_one_complete_set_to_the_other(
        wishes in prop::collection::vec(any_wish(), 0..24),
        more in prop::collection::vec(any_wish(), 0..6),
        moved in any::<bool>(),
    ) {
        let mut before = View::default();
        wishes.iter().for_each(|wish| happen(&mut before, wish));
        let mut after = before.clone();
        more.iter().for_each(|wish| happen(&mut after, wish));
        let managers: Managers = [(node_id("a"), "one".into())].into();
        let moved: Managers = if moved { [(node_id("b"), "two".into())].into() } else { managers.clone() };

        for name in NODES {
            let node = node_id(name);
            let (before, after) =
                (Sight { view: &before, managers: &managers }, Sight { view: &after, managers: &moved });
            let mut items = complete(before, node);
            let expected = complete(after, node);
            let told = difference(before, after, node, 1);

            if let Some(told) = &told {
                let mut keys: Vec<Key> = told.put.iter().map(Item::key).chain(told.removed.clone()).collect();
                let all = keys.len();
                keys.sort();
                keys.dedup();
                prop_assert_eq!(keys.len(), all, "each key is told once");
                told.clone().apply(&mut items);
            }

            prop_assert_eq!(without_reports(items), without_reports(expected), "node {}", name);
        }
    }

    #[test]
    fn equal_views_are_no_news(wishes in prop::collection::vec(any_wish(), 0..24)) {
        let mut view = View::default();
        wishes.iter().for_each(|wish| happen(&mut view, wish));
        let managers = Managers::new();
        let sight = Sight { view: &view, managers: &managers };

        prop_assert_eq!(difference(sight, sight, node_id("a"), 1), None::<Assignment>);
    }
}
