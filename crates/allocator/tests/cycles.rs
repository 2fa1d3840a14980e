//! What is given out and comes back, many times over: nothing is held twice and nothing is lost.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use model::{
    Meta, Network, NetworkId, NetworkSpec, SpecVersion, Subnet, Task, TaskId, TaskState, TaskStatus,
    Timestamp,
};
use testkit::World;
use testkit::notation::{NOW, bits_of, service};

/// Numbers without an order that anybody would choose, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

fn new_task(number: u64) -> Task {
    Task {
        id: TaskId::from_bits(u128::from(number)),
        meta: Meta::default(),
        service: service("web").id,
        spec_version: SpecVersion(1),
        slot: 1,
        desired: TaskState::Running,
        node: None,
        addresses: Vec::new(),
        status: TaskStatus {
            state: TaskState::New,
            at: NOW,
            message: String::new(),
            err: String::new(),
            container: None,
            ports: Vec::new(),
        },
    }
}

fn held(world: &World) -> Vec<Ipv4Addr> {
    world.view.tasks().flat_map(|task| &task.addresses).map(|held| held.address).collect()
}

/// Ends tasks and makes others in their place, and returns the addresses that the new ones got.
fn replace(world: &mut World, gone: &[TaskId], made: std::ops::Range<u64>) -> Vec<Ipv4Addr> {
    world.write(|draft| {
        gone.iter().for_each(|task| draft.delete(*task));
        made.clone().map(new_task).for_each(|task| draft.put(task));
    });
    let plan = world.plan(allocator::plan);
    world.apply(&plan);
    let task = |number: u64| world.view.task(TaskId::from_bits(u128::from(number))).unwrap();
    made.flat_map(|number| task(number).addresses.iter()).map(|held| held.address).collect()
}

#[test]
fn a_hundred_thousand_addresses_come_and_go_and_none_is_lost() {
    const LIVE: u64 = 200;
    const AT_A_TIME: u64 = 50;
    let mut world = World::parse("net x subnet=10.0.0.0/24 vni=4096 | web on=x dnsrr allocated :");
    let mut dice = Dice(1);
    let mut next = 1;
    let mut live: Vec<TaskId> = Vec::new();

    for round in 0..100_000 / AT_A_TIME {
        let gone: Vec<TaskId> = match live.len() as u64 + AT_A_TIME > LIVE {
            true => (0..AT_A_TIME).map(|_| live.swap_remove(dice.below(live.len()))).collect(),
            false => Vec::new(),
        };
        let made = next..next + AT_A_TIME;
        next = made.end;
        live.extend(made.clone().map(|number| TaskId::from_bits(u128::from(number))));

        let given = replace(&mut world, &gone, made);

        assert_eq!(given.len() as u64, AT_A_TIME, "round {round}");
        let all = held(&world);
        assert_eq!(
            all.iter().collect::<BTreeSet<_>>().len(),
            all.len(),
            "round {round}: an address is held twice"
        );
    }

    // All 253 that the subnet has can still be had.
    let given = replace(&mut world, &live, next..next + 254);
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 253);
    let waiting = world.view.tasks().find(|task| task.addresses.is_empty()).unwrap();
    assert_eq!(
        waiting.status.err,
        "network x has no free address: the 253 addresses of 10.0.0.0/24 are used up"
    );
}

#[test]
fn an_address_comes_again_only_when_all_others_had_their_turn() {
    let mut world = World::parse("net x subnet=10.0.0.0/24 vni=4096 | web on=x dnsrr allocated :");
    let mut last: Vec<TaskId> = Vec::new();
    let mut turns = Vec::new();

    for number in 1..=506 {
        turns.extend(replace(&mut world, &last, number..number + 1));
        last = vec![TaskId::from_bits(u128::from(number))];
    }

    let whole: Vec<Ipv4Addr> = (2..=254).map(|host| Ipv4Addr::new(10, 0, 0, host)).collect();
    assert_eq!(turns, [whole.clone(), whole].concat());
}

#[test]
fn subnets_and_identifiers_come_and_go_and_none_is_lost() {
    let mut world = World::parse("cluster pool=10.0.0.0/20");
    let mut dice = Dice(7);
    let mut live: Vec<NetworkId> = Vec::new();

    for number in 1..=10_000u128 {
        let id = NetworkId::from_bits(bits_of("net") + number);
        let gone = (live.len() >= 12).then(|| live.swap_remove(dice.below(live.len())));
        live.push(id);
        world.write(|draft| {
            gone.into_iter().for_each(|gone| draft.delete(gone));
            draft.put(network(id, number));
        });

        let plan = world.plan(allocator::plan);
        world.apply(&plan);

        let subnets: BTreeSet<Option<Subnet>> = world.view.networks().map(|network| network.subnet).collect();
        let vnis: BTreeSet<Option<u32>> = world.view.networks().map(|network| network.vni).collect();
        assert_eq!((subnets.len(), vnis.len()), (live.len(), live.len()), "network {number}");
        assert!(!subnets.contains(&None) && !vnis.contains(&None), "network {number}");
    }
}

fn network(id: NetworkId, number: u128) -> Network {
    let spec = NetworkSpec { name: format!("n{number}"), driver: "overlay".into(), ..NetworkSpec::default() };
    let meta = Meta { created_at: Timestamp(1), ..Meta::default() };
    Network { id, meta, spec, subnet: None, vni: None, last_address: None }
}
