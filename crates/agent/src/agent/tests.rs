use std::time::Duration;

use model::{NetworkId, TaskStatus};
use testkit::notation;

use super::*;
use crate::fake::{self, Fake};
use crate::runtime::Phase;

const PATIENCE: Duration = Duration::from_secs(10);
const NODE: NodeId = NodeId::from_bits(1);

fn config(dir: &tempfile::TempDir) -> Config {
    Config { node: NODE, dir: dir.path().to_owned(), concurrency: 4, clock: || Timestamp(5) }
}

async fn open(dir: &tempfile::TempDir, fake: &Arc<Fake>) -> Agent {
    Agent::open(config(dir), fake.clone()).await.unwrap()
}

fn items_of(order: &Order) -> Vec<Item> {
    vec![Item::Task(order.task.clone()), Item::Spec(order.spec.clone())]
}

fn told(sequence: u64, put: Vec<Item>, removed: Vec<Key>) -> Assignment {
    Assignment { sequence, revision: 1, put, removed }
}

/// Lets the agent's work go on until the claim holds.
async fn until(agent: &mut Agent, claim: impl Fn(&Agent) -> bool) {
    let work = async {
        while !claim(agent) {
            tokio::select! {
                Some(report) = agent.reports.1.recv() => agent.on_report(report),
                Some(ended) = agent.runners.join_next() => agent.on_ended(ended),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, work).await.expect("the claim holds in time");
}

fn state(agent: &Agent, order: &Order) -> Option<TaskState> {
    agent.memory.statuses.get(&order.task.id).map(|status: &TaskStatus| status.state)
}

#[tokio::test]
async fn a_task_whose_runner_breaks_has_failed_and_leaves_nothing() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let mut agent = open(&dir, &fake).await;
    let order = fake::order("1→a assigned");
    fake.script(|script| script.prepare_panics = true);

    agent.on_assignment(told(0, items_of(&order), vec![]));
    until(&mut agent, |agent| state(agent, &order) == Some(TaskState::Failed)).await;

    assert!(agent.memory.statuses[&order.task.id].err.contains("the agent broke"));
    assert!(fake.is_clean());
    agent.on_assignment(told(1, items_of(&order), vec![]));
    assert!(agent.runners.is_empty(), "it is not tried again");
}

#[tokio::test]
async fn a_task_that_comes_back_waits_until_its_former_container_is_gone() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let mut agent = open(&dir, &fake).await;
    let order = fake::order("1→a assigned");
    agent.on_assignment(told(0, items_of(&order), vec![]));
    until(&mut agent, |agent| state(agent, &order) == Some(TaskState::Running)).await;
    fake.script(|script| script.remove_hangs = true);

    agent.on_assignment(told(1, vec![], vec![Key::Task(order.task.id)]));
    until(&mut agent, |_| fake.calls().contains(&"remove")).await;
    agent.on_assignment(told(2, items_of(&order), vec![]));
    assert_eq!(fake.calls().iter().filter(|call| **call == "prepare").count(), 1);
    fake.script(|script| script.remove_hangs = false);

    until(&mut agent, |_| fake.calls().iter().filter(|call| **call == "prepare").count() == 2).await;
    until(&mut agent, |agent| state(agent, &order) == Some(TaskState::Running)).await;
}

#[tokio::test]
async fn containers_nobody_knows_go_with_the_complete_set() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let (known, stranger) = (fake::order("1→a running"), TaskId::from_bits(99));
    fake.put(known.task.id, Phase::Running(7));
    fake.put(stranger, Phase::Running(8));
    let mut agent = open(&dir, &fake).await;

    // Without its spec the known task cannot be looked after yet, but its container is not a stranger's.
    agent.on_assignment(told(0, vec![Item::Task(known.task.clone())], vec![]));
    until(&mut agent, |_| fake.phase(stranger).is_none()).await;

    assert_eq!(fake.phase(known.task.id), Some(Phase::Running(7)));
    agent.on_assignment(told(1, items_of(&known), vec![]));
    until(&mut agent, |agent| state(agent, &known) == Some(TaskState::Running)).await;
    assert!(!fake.calls().contains(&"prepare"), "its container was taken over");
}

#[tokio::test]
async fn what_ran_before_the_restart_is_told_though_nobody_was() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let order = fake::order("1→a starting");
    fake.put(order.task.id, Phase::Running(7));
    let mut agent = open(&dir, &fake).await;

    agent.on_assignment(told(0, items_of(&order), vec![]));

    let status = &agent.memory.statuses[&order.task.id];
    assert_eq!((status.state, status.container.as_ref().unwrap().pid), (TaskState::Starting, 7));
}

#[tokio::test]
async fn a_lost_container_is_a_failed_task() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let mut agent = open(&dir, &fake).await;
    let order = fake::order("1→a running");

    agent.on_assignment(told(0, items_of(&order), vec![]));

    let status = &agent.memory.statuses[&order.task.id];
    assert_eq!(status.state, TaskState::Failed);
    assert_eq!(status.err, "the container is gone: its host was restarted");
}

#[tokio::test]
async fn a_task_is_stopped_though_its_network_is_not_known_any_more() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let mut agent = open(&dir, &fake).await;
    let mut order = fake::order("1→a assigned ip=back:10.0.1.2");
    let id = NetworkId::from_bits(notation::bits_of("back"));
    let subnet = "10.0.1.0/24".parse().unwrap();
    let network = wire::assignment::Network {
        id,
        vni: 4097,
        subnet,
        internal: false,
        ingress: false,
        name: "back".into(),
        mtu: None,
    };
    let mut items = items_of(&order);
    agent.on_assignment(told(0, items.clone(), vec![]));
    assert!(agent.runners.is_empty(), "it waits for its network");
    items.push(Item::Network(network));
    agent.on_assignment(told(1, items, vec![]));
    until(&mut agent, |agent| state(agent, &order) == Some(TaskState::Running)).await;

    let mut task = (*order.task).clone();
    task.desired = TaskState::Shutdown;
    order.task = task.into();
    agent.on_assignment(told(2, vec![Item::Task(order.task.clone())], vec![Key::Network(id)]));

    until(&mut agent, |agent| state(agent, &order) == Some(TaskState::Shutdown)).await;
}

#[tokio::test]
async fn a_missing_assignment_ends_the_session_and_changes_nothing() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let mut agent = open(&dir, &fake).await;
    let order = fake::order("1→a assigned");
    agent.on_assignment(told(0, vec![], vec![]));

    agent.on_assignment(told(2, items_of(&order), vec![]));

    assert!(agent.manager.is_none() && agent.memory.items.is_empty());
}

#[tokio::test]
async fn a_restarted_agent_goes_on_without_a_manager() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let order = fake::order("1→a assigned");
    let root = identity::RootCa::generate(std::time::SystemTime::now()).unwrap();
    let request = identity::SigningRequest::generate().unwrap();
    let subject = identity::Subject { node_id: "n", role: identity::Role::Worker, cluster_id: "c" };
    let certificate = root
        .issue(&request.request_pem, subject, identity::VALIDITY_DEFAULT, std::time::SystemTime::now())
        .unwrap();
    let tls = Tls::new(
        identity::NodeIdentity::from_pem(&certificate, &request.key_pem, root.certificate_pem()).unwrap(),
    );
    let alone = Connection { tls, address: String::new(), managers: Vec::new() };
    let mut agent = open(&dir, &fake).await;
    agent.on_assignment(told(0, items_of(&order), vec![]));
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(agent.run(alone.clone(), stopped));
    tokio::time::timeout(PATIENCE, fake.until(|fake| fake.phase(order.task.id) == Some(Phase::Running(42))))
        .await
        .unwrap();
    stop.send_replace(true);
    running.await.unwrap();
    assert_eq!(fake.phase(order.task.id), Some(Phase::Running(42)), "containers go on without the agent");

    let agent = open(&dir, &fake).await;
    assert!(agent.memory.statuses[&order.task.id].state >= TaskState::Starting);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(agent.run(alone, stopped));
    fake.exit(order.task.id, 0, false);
    tokio::time::timeout(PATIENCE, fake.until(|fake| fake.calls().contains(&"release"))).await.unwrap();
    stop.send_replace(true);
    running.await.unwrap();

    let (_, memory) = Journal::open(dir.path()).unwrap();
    assert_eq!(memory.statuses[&order.task.id].state, TaskState::Complete);
    assert_eq!(fake.calls().iter().filter(|call| **call == "prepare").count(), 1);
}

#[tokio::test]
async fn networks_that_fail_are_tried_again_and_only_then_told() {
    let fake = Arc::new(Fake::default());
    fake.script(|script| script.networks_fail = 1);
    let states = watch::channel(NetworkState::default()).0;
    let applied = watch::channel(0).0;
    let mut told = applied.subscribe();
    let keeping = tokio::spawn(keep_networks(fake.clone(), states.subscribe(), applied));
    states.send_replace(NetworkState { revision: 7, ..NetworkState::default() });

    tokio::time::timeout(PATIENCE, told.wait_for(|revision| *revision == 7)).await.unwrap().unwrap();

    assert_eq!(fake.applied().len(), 1);
    drop(states);
    tokio::time::timeout(PATIENCE, keeping).await.unwrap().unwrap();
}
