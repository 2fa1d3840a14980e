//! The laws that the deciding stages keep together, whatever happens to a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::*;
use proptest::prelude::*;
use store::{Plan, Touched, View};
use testkit::{Stage, World, notation};

/// The order of the leader's loop.
const STAGES: &[Stage] = &[orchestrator::plan, allocator::plan, scheduler::plan];

/// Services that differ in what they ask for.
const SERVICES: [&str; 8] = [
    "dyn x3 publish=80",
    "host x2 host=9000:80 restart=failure",
    "big x4 cpu=1.5 order=start-first delay=1s",
    "back x3 on=back max=1 attempts=2 window=60s",
    "web x2 publish=80:8080 spread=node.labels.rack parallel=2 on-failure=rollback",
    "rival x1 publish=80:8081 restart=none",
    "rack x5 where=node.labels.rack==r1 parallel=0 on-failure=continue pause=2s",
    "both x2 host=9000:81 cpu=2 on=back publish=443 order=start-first ratio=0.5",
];

const START: &str = "ingress | net back ask=10.0.9.0/29 \
    | node a cpu=4 label.rack=r1 | node b cpu=4 label.rack=r2 | node c cpu=2 label.rack=r1";

#[derive(Debug, Clone)]
enum Action {
    Create(usize),
    Remove(usize),
    Scale(usize, u64),
    Update(usize),
    RollBack(usize),
    Node(usize, NodeState),
    Available(usize, Availability),
    RemoveNode(usize),
    AddNode,
    Report(usize, Report),
    Pass(u64),
}

/// What an agent says of a task.
#[derive(Debug, Clone, Copy)]
enum Report {
    Further,
    Ended(TaskState),
}

fn action() -> impl Strategy<Value = Action> {
    let service = 0..SERVICES.len();
    let states = prop_oneof![Just(NodeState::Ready), Just(NodeState::Down), Just(NodeState::Unknown)];
    let availabilities =
        prop_oneof![Just(Availability::Active), Just(Availability::Pause), Just(Availability::Drain)];
    let ends = prop_oneof![Just(TaskState::Failed), Just(TaskState::Rejected), Just(TaskState::Complete)];
    prop_oneof![
        4 => service.clone().prop_map(Action::Create),
        1 => service.clone().prop_map(Action::Remove),
        2 => (service.clone(), 0u64..7).prop_map(|(service, count)| Action::Scale(service, count)),
        3 => service.clone().prop_map(Action::Update),
        1 => service.prop_map(Action::RollBack),
        2 => (0usize..6, states).prop_map(|(node, state)| Action::Node(node, state)),
        2 => (0usize..6, availabilities).prop_map(|(node, word)| Action::Available(node, word)),
        1 => (0usize..6).prop_map(Action::RemoveNode),
        1 => Just(Action::AddNode),
        20 => (0usize..64).prop_map(|task| Action::Report(task, Report::Further)),
        4 => (0usize..64, ends).prop_map(|(task, end)| Action::Report(task, Report::Ended(end))),
        3 => (1u64..70).prop_map(Action::Pass),
    ]
}

fn act(world: &mut World, action: &Action) {
    match action {
        Action::Create(service) => create(world, *service),
        Action::Remove(service) => {
            let service = there(world, *service);
            world.write(|draft| service.iter().for_each(|service| draft.delete(service.id)));
        }
        Action::Scale(service, replicas) => change(world, *service, |service| {
            service.spec.mode = Mode::Replicated { replicas: *replicas };
        }),
        Action::Update(service) => update(world, *service),
        Action::RollBack(service) => {
            let now = world.now;
            change(world, *service, |service| roll_back(service, now));
        }
        Action::Node(node, state) => change_node(world, *node, |node| node.status.state = *state),
        Action::Available(node, word) => change_node(world, *node, |node| node.spec.availability = *word),
        Action::RemoveNode(node) => remove_node(world, *node),
        Action::AddNode => {
            let name = format!("n{}", world.view.index());
            world.write(|draft| draft.put(notation::node(&format!("{name} cpu=3 label.rack=r2"))));
        }
        Action::Report(task, report) => tell(world, *task, *report),
        Action::Pass(seconds) => world.pass(Duration::from_secs(*seconds)),
    }
}

fn there(world: &World, service: usize) -> Option<Arc<Service>> {
    let name = SERVICES[service].split(' ').next().expect("every service has a name");
    world.view.service_by_name(name).cloned()
}

fn create(world: &mut World, number: usize) {
    if there(world, number).is_some() {
        return;
    }
    let mut service = notation::service(SERVICES[number]);
    // A name may come again, an id never does.
    service.id = ServiceId::from_bits(service.id.bits() + u128::from(world.view.index()));
    world.write(|draft| {
        draft.put(notation::spec_at(&service, service.spec_version));
        draft.put(service);
    });
}

fn change(world: &mut World, number: usize, change: impl FnOnce(&mut Service)) {
    let Some(service) = there(world, number) else { return };
    let mut service = (*service).clone();
    change(&mut service);
    world.write(|draft| draft.put(service));
}

fn update(world: &mut World, number: usize) {
    let Some(before) = there(world, number) else { return };
    let mut after = (*before).clone();
    after.spec_version = SpecVersion(before.spec_version_max.0 + 1);
    after.spec_version_max = after.spec_version;
    after.previous = Some(Box::new((before.spec.clone(), before.spec_version)));
    after.update_status = None;
    let spec = notation::spec_at(&after, after.spec_version);
    after.spec.task = spec.task.clone();
    world.write(|draft| {
        draft.put(spec);
        draft.put(after);
    });
}

fn roll_back(service: &mut Service, now: Timestamp) {
    let Some(previous) = service.previous.take() else { return };
    let (spec, version) = *previous;
    let newer = std::mem::replace(&mut service.spec, spec);
    service.previous = Some(Box::new((newer, service.spec_version)));
    service.spec_version = version;
    service.update_status = Some(UpdateStatus {
        state: UpdateState::RollbackStarted,
        started_at: Some(now),
        completed_at: None,
        message: "manually requested rollback".into(),
    });
}

fn change_node(world: &mut World, number: usize, change: impl FnOnce(&mut Node)) {
    let Some(node) = world.view.nodes().nth(number) else { return };
    let mut node = (**node).clone();
    change(&mut node);
    world.write(|draft| draft.put(node));
}

/// Removes a node as control does: its tasks are orphans from then on.
fn remove_node(world: &mut World, number: usize) {
    let Some(node) = world.view.nodes().nth(number).cloned() else { return };
    let now = world.now;
    world.change_tasks(
        |task| task.node == Some(node.id) && !task.status.state.is_terminal(),
        |task| {
            task.status.state.advance_to(TaskState::Orphaned);
            task.status.at = now;
        },
    );
    world.write(|draft| draft.delete(node.id));
}

/// Lets the agent of one of the tasks say something that it could say.
fn tell(world: &mut World, number: usize, report: Report) {
    let is_on_live_node = |task: &Task| {
        let node = task.node.and_then(|node| world.view.node(node));
        node.is_some_and(|node| node.status.state == NodeState::Ready) && !task.status.state.is_terminal()
    };
    let tasks: Vec<_> = world.view.tasks().filter(|task| is_on_live_node(task)).cloned().collect();
    let Some(task) = tasks.get(number % tasks.len().max(1)) else { return };
    let now = world.now;
    let next = match report {
        Report::Further if task.desired > TaskState::Running => TaskState::Shutdown,
        Report::Further => {
            let later = TaskState::ALL.into_iter().find(|state| *state > task.status.state);
            later.unwrap_or(task.status.state).min(task.desired)
        }
        Report::Ended(_) if task.status.state < TaskState::Starting => TaskState::Rejected,
        Report::Ended(state) => state,
    };
    let id = task.id;
    world.change_tasks(
        |task| task.id == id,
        |task| {
            if next > task.status.state {
                task.status.state.advance_to(next);
                task.status.at = now;
            }
        },
    );
}

/// Plans and applies until nothing is left, checks that one pass was enough, and returns when to look again.
fn decide(world: &mut World, before: &View) -> Option<Timestamp> {
    let full = world.plan_all(STAGES, &Touched::Everything);
    let incremental = world.plan_all(STAGES, &Touched::between(before, &world.view));
    assert_eq!(full.changes, incremental.changes, "a full pass and an incremental one differ");
    world.apply(&full);
    let second: Plan = world.plan_all(STAGES, &Touched::Everything);
    assert_eq!(second.changes, [], "a plan applied twice is not empty");
    assert!(second.look_again_at.is_none_or(|time| time > world.now), "another look is due at once");
    second.look_again_at
}

fn check_laws(before: &View, view: &View) {
    check_growth(before, view);
    check_slots(view);
    check_placement(view);
    check_addresses(view);
    check_reasons(view);
}

fn check_growth(before: &View, view: &View) {
    for task in view.tasks() {
        let Some(old) = before.task(task.id) else { continue };
        assert!(old.status.state <= task.status.state, "the state of {} shrinks", task.id);
        assert!(old.desired <= task.desired, "what is desired of {} shrinks", task.id);
        assert!(old.node.is_none() || old.node == task.node, "{} moves", task.id);
    }
}

fn check_slots(view: &View) {
    for service in view.services() {
        let order = service.spec.update.as_ref().map_or(UpdateOrder::StopFirst, |config| config.order);
        let Mode::Replicated { replicas } = service.spec.mode else { unreachable!("all are replicated") };
        let mut live: BTreeMap<u32, Vec<&Arc<Task>>> = BTreeMap::new();
        let mut slots = BTreeSet::new();
        for task in view.tasks_of_service(service.id).filter(|task| task.desired < TaskState::Remove) {
            slots.insert(task.slot);
            if task.is_live() {
                live.entry(task.slot).or_default().push(task);
            }
        }
        assert_eq!(slots.len() as u64, replicas, "{} has not as many slots as replicas", service.spec.name);
        for (slot, tasks) in live {
            let current = tasks.iter().filter(|task| task.spec_version == service.spec_version).count();
            let max = if order == UpdateOrder::StartFirst { 2 } else { 1 };
            assert!(tasks.len() <= max, "{} tasks live in slot {slot} of {}", tasks.len(), service.spec.name);
            assert!(current <= 1, "{current} current tasks live in slot {slot} of {}", service.spec.name);
        }
    }
    for task in view.tasks() {
        assert!(view.spec(task.spec_id()).is_some(), "the spec of {} was deleted", task.id);
        if view.service(task.service).is_none() {
            assert_eq!(task.desired, TaskState::Remove, "{} outlives its service", task.id);
        }
    }
}

fn check_placement(view: &View) {
    for node in view.nodes() {
        let description = node.description.as_ref().expect("every node of the test describes itself");
        let mut ports = BTreeSet::new();
        let mut nano_cpus = 0;
        let mut of_service: BTreeMap<ServiceId, u64> = BTreeMap::new();
        for task in view.tasks_on_node(node.id).filter(|task| !task.status.state.is_terminal()) {
            let spec = view.spec(task.spec_id()).expect("checked above");
            for port in spec.endpoint.host_ports() {
                assert!(ports.insert((port.published, port.protocol)), "two tasks have {port:?} on one node");
            }
            let kept = spec.task.resources.as_ref().and_then(|resources| resources.reservations.as_ref());
            nano_cpus += kept.map_or(0, |kept| kept.nano_cpus);
            *of_service.entry(task.service).or_default() += u64::from(task.desired <= TaskState::Running);
            let max = spec.task.placement.as_ref().map_or(0, |placement| placement.max_replicas);
            assert!(max == 0 || of_service[&task.service] <= max, "too many of one service on one node");
            let is_lost =
                node.status.state == NodeState::Down || node.spec.availability == Availability::Drain;
            assert!(!is_lost || task.desired > TaskState::Running, "a task is to live on a lost node");
        }
        assert!(nano_cpus <= description.nano_cpus, "node {} is overbooked", node.id);
    }
}

fn check_addresses(view: &View) {
    let mut addresses = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for service in view.services() {
        for vip in &service.endpoint.virtual_ips {
            assert!(addresses.insert((vip.network, vip.address)), "{} is given out twice", vip.address);
        }
        for port in service.endpoint.ports.iter().filter(|port| port.mode == PublishMode::Ingress) {
            assert_ne!(port.published, 0);
            assert!(ports.insert((port.protocol, port.published)), "{} is published twice", port.published);
        }
    }
    let may_run = |task: &&Arc<Task>| {
        !task.status.state.is_terminal() && (task.node.is_some() || task.desired <= TaskState::Running)
    };
    for task in view.tasks().filter(may_run) {
        for held in &task.addresses {
            let network = view.network(held.network).expect("no network is removed");
            let subnet = network.subnet.expect("addresses are given out of a subnet");
            assert!(subnet.contains(held.address));
            assert!(addresses.insert((held.network, held.address)), "{} is given out twice", held.address);
        }
    }
    let numbers: BTreeSet<_> =
        view.nodes().map(|node| node.number.expect("every node is numbered")).collect();
    assert_eq!(numbers.len(), view.node_count());
}

fn check_reasons(view: &View) {
    for task in view.pending_tasks() {
        assert!(!task.status.err.is_empty(), "{} waits and does not say why", task.id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 8000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_whatever_happens(actions in prop::collection::vec(action(), 1..80)) {
        let mut world = World::parse(START);
        let mut look_again_at = decide(&mut world, &View::default());
        for action in &actions {
            let before = world.view.clone();
            world.pass(Duration::from_millis(1));
            act(&mut world, action);
            let is_due = look_again_at.is_some_and(|time| time <= world.now);
            if matches!(action, Action::Pass(_)) && !is_due {
                let early = world.plan_all(STAGES, &Touched::Everything);
                prop_assert_eq!(early.changes, [], "something was due before the time at which to look again");
            }
            // When the time has come the leader looks at everything.
            let seen = if is_due { View::default() } else { before.clone() };
            look_again_at = decide(&mut world, &seen);
            check_laws(&before, &world.view);
        }
    }
}

#[test]
fn the_stages_bring_a_service_up_in_one_pass() {
    let mut world = World::parse(START);
    decide(&mut world, &View::default());

    let before = world.view.clone();
    create(&mut world, 4);
    decide(&mut world, &before);

    let tasks: Vec<_> = world.view.tasks().collect();
    assert_eq!(tasks.len(), 2);
    assert!(tasks.iter().all(|task| task.status.state == TaskState::Assigned && task.addresses.len() == 1));
    assert_ne!(tasks[0].node, tasks[1].node);
}

#[test]
fn a_host_that_dies_loses_its_tasks_to_the_others_in_one_pass() {
    let mut world =
        World::parse("node a | node b | web x4 : 1→a running, 2→b running, 3→a running, 4→b running");
    decide(&mut world, &View::default());

    change_node(&mut world, 0, |node| node.status.state = NodeState::Down);
    decide(&mut world, &View::default());

    let b = NodeId::from_bits(notation::bits_of("b"));
    let live: Vec<_> = world.view.tasks().filter(|task| task.is_live()).collect();
    assert_eq!(live.len(), 4);
    assert!(live.iter().all(|task| task.node == Some(b) && task.desired == TaskState::Running));
}

#[test]
fn a_port_of_the_host_moves_with_its_task_in_a_stop_first_update() {
    let mut world = World::parse("node a | web host=80:80 : 1→a running");
    decide(&mut world, &View::default());

    let number = world.view.services().next().map(|service| service.id).expect("there is one");
    let before = world.view.service(number).cloned().expect("there is one");
    world.write(|draft| {
        let mut after = (*before).clone();
        (after.spec_version, after.spec_version_max) = (SpecVersion(2), SpecVersion(2));
        draft.put(notation::spec_at(&after, SpecVersion(2)));
        draft.put(after);
    });
    decide(&mut world, &View::default());
    let parked = notation::task_at(&world.view, "web", 1);
    assert_eq!(parked.node, None);
    assert_eq!(parked.status.err, "no suitable node (host-mode port already in use on 1 node)");

    tell(&mut world, 0, Report::Further);
    decide(&mut world, &View::default());
    let moved = notation::task_at(&world.view, "web", 1);
    assert_eq!(moved.desired, TaskState::Running);
    assert!(moved.node.is_some());
}
