use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use consensus::{ClusterState, Config, Raft, Start};
use identity::{NodeIdentity, RootCa, SigningRequest, Subject, Tls, VALIDITY_DEFAULT};
use model::{NodeId, NodeState};
use store::{Change, Object};
use tempfile::TempDir;
use testkit::notation;
use tokio::task::JoinHandle;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_nanos()).unwrap())
}

/// A manager alone, with the small election timeouts that a test can wait for.
async fn manager(entry_bytes_max: usize) -> (TempDir, Proposer) {
    let dir = tempfile::tempdir().unwrap();
    let root = RootCa::generate(SystemTime::now()).unwrap();
    let request = SigningRequest::generate().unwrap();
    let subject = Subject { node_id: "m1", role: identity::Role::Manager, cluster_id: "cluster" };
    let certificate = root.issue(&request.request_pem, subject, VALIDITY_DEFAULT, SystemTime::now()).unwrap();
    let tls =
        Tls::new(NodeIdentity::from_pem(&certificate, &request.key_pem, root.certificate_pem()).unwrap());
    let config = Config {
        dir: dir.path().join("raft"),
        raft_id: 1,
        node_id: "m1".into(),
        address: "127.0.0.1:1".into(),
        tick: Duration::from_millis(10),
        ..Config::default()
    };
    let raft = Raft::start(config, ClusterState::default(), Start::Bootstrap, tls).await.unwrap();
    let mut status = raft.status();
    let led = tokio::time::timeout(PATIENCE, status.wait_for(|status| status.is_leader())).await;
    drop(led.expect("a manager alone leads soon").unwrap());
    (dir, Proposer::new(raft, now, entry_bytes_max))
}

/// What a stage saw in each pass.
type Passes = Arc<Mutex<Vec<Touched>>>;

fn lead(
    proposer: &Proposer,
    plan: impl Fn(&View, &Touched, &mut Env<'_>) -> Plan + Send + Sync + 'static,
) -> (Passes, JoinHandle<()>) {
    let passes = Passes::default();
    let noted = passes.clone();
    let plan = move |view: &View, touched: &Touched, env: &mut Env<'_>| {
        noted.lock().unwrap().push(touched.clone());
        plan(view, touched, env)
    };
    let leader = Leader { proposer: proposer.clone(), clock: now, plan };
    (passes, tokio::spawn(async move { leader.run().await }))
}

fn count(passes: &Passes) -> usize {
    passes.lock().unwrap().len()
}

async fn until(what: &str, claim: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !claim() {
        assert!(Instant::now() < deadline, "{what} in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Returns how many passes there are in a while in which nothing happens.
async fn passes_in_peace(passes: &Passes) -> usize {
    let before = count(passes);
    // What must not happen can only be waited for.
    tokio::time::sleep(Duration::from_millis(300)).await;
    count(passes) - before
}

fn node(name: &str) -> Object {
    let mut node = notation::node(name);
    node.meta = model::Meta::default();
    node.into()
}

fn put(object: impl Into<Object>) -> Plan {
    Plan { changes: vec![Change::Put(object.into())], ..Plan::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_pass_looks_at_everything_and_later_ones_at_what_was_written() {
    let (_dir, proposer) = manager(1 << 20).await;
    let (passes, _running) = lead(&proposer, |_, _, _| Plan::default());
    until("a first pass", || count(&passes) == 1).await;

    proposer.propose(vec![Change::Put(node("a"))]).await.unwrap();
    until("a second pass", || count(&passes) == 2).await;

    let mut expected = Touched::nothing();
    expected.add(&node("a"));
    assert_eq!(*passes.lock().unwrap(), [Touched::Everything, expected]);
    assert_eq!(passes_in_peace(&passes).await, 0, "the loop rests when nothing changes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_own_writing_is_looked_at_once() {
    let (_dir, proposer) = manager(1 << 20).await;
    let make_a = |view: &View, _: &Touched, _: &mut Env<'_>| match view.node_count() {
        0 => put(node("a")),
        _ => Plan::default(),
    };
    let (passes, _running) = lead(&proposer, make_a);

    until("the node", || proposer.view().node_count() == 1).await;
    until("a second pass", || count(&passes) == 2).await;

    assert_eq!(passes_in_peace(&passes).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_to_look_again_wakes_the_loop_once() {
    let (_dir, proposer) = manager(1 << 20).await;
    let due = now().plus(Duration::from_millis(200));
    let (passes, _running) = lead(&proposer, move |_, _, env| Plan {
        look_again_at: (env.now < due).then_some(due),
        ..Plan::default()
    });

    until("a second pass", || count(&passes) == 2).await;

    assert!(now() >= due);
    assert_eq!(passes.lock().unwrap()[1], Touched::Everything);
    assert_eq!(passes_in_peace(&passes).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_in_the_past_does_not_keep_a_processor_busy() {
    let (_dir, proposer) = manager(1 << 20).await;
    let (passes, _running) =
        lead(&proposer, |_, _, _| Plan { look_again_at: Some(Timestamp(1)), ..Plan::default() });
    until("a first pass", || count(&passes) > 0).await;

    let passes = passes_in_peace(&passes).await;

    assert!((1..=40).contains(&passes), "{passes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_was_overtaken_is_made_again_at_once() {
    let (_dir, proposer) = manager(1 << 20).await;
    proposer.propose(vec![Change::Put(node("a"))]).await.unwrap();
    let overtaken = std::sync::atomic::AtomicU32::new(0);
    let (passes, _running) = lead(&proposer, move |view, _, _| {
        let id = NodeId::from_bits(notation::bits_of("a"));
        let mut node = (**view.node(id).unwrap()).clone();
        if node.status.state == NodeState::Down {
            return Plan::default();
        }
        node.status.state = NodeState::Down;
        if overtaken.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3 {
            node.meta.version = model::Version(1_000_000);
        }
        put(node)
    });

    let began = Instant::now();
    until("the plan in force", || proposer.view().nodes().all(|node| node.status.state == NodeState::Down))
        .await;

    assert!(began.elapsed() < RETRY * 20, "{:?}", began.elapsed());
    until("the last pass", || count(&passes) == 5).await;
    assert_eq!(passes_in_peace(&passes).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_always_conflicts_does_not_fill_the_log() {
    let (_dir, proposer) = manager(1 << 20).await;
    let (passes, _running) = lead(&proposer, |_, _, _| {
        let mut stale = notation::node("a");
        stale.meta.version = model::Version(1_000_000);
        put(stale)
    });
    until("the first conflicts", || count(&passes) > CONFLICTS_MAX as usize).await;

    let passes = passes_in_peace(&passes).await;

    assert!(passes <= 5, "{passes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_the_log_refuses_is_made_again_after_a_pause() {
    let (_dir, proposer) = manager(8 << 20).await;
    let tries = std::sync::atomic::AtomicU32::new(0);
    let (passes, _running) = lead(&proposer, move |view, _, _| {
        if view.node_count() > 0 {
            return Plan::default();
        }
        let mut made = notation::node("a");
        made.meta = model::Meta::default();
        if tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 {
            // More than an entry takes.
            made.spec.labels.insert("big".into(), "x".repeat(2 << 20));
        }
        put(made)
    });

    let began = Instant::now();
    until("the node", || proposer.view().node_count() == 1).await;

    assert!(began.elapsed() >= RETRY, "{:?}", began.elapsed());
    until("the last pass", || count(&passes) == 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_ends_with_the_consensus() {
    let (_dir, proposer) = manager(1 << 20).await;
    let (passes, running) = lead(&proposer, |_, _, _| Plan::default());
    until("a first pass", || count(&passes) == 1).await;

    proposer.raft().shutdown().await;

    tokio::time::timeout(PATIENCE, running).await.expect("the loop ends").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_stages_bring_a_service_to_its_node() {
    let (_dir, proposer) = manager(1 << 20).await;
    let running = tokio::spawn(run(proposer.clone(), now));
    let fresh = |object: Object| Change::Put(object.with_meta(model::Meta::default()));
    let view = notation::parse("node a | web x3");

    proposer.propose(view.objects().map(fresh).collect()).await.unwrap();

    until("three tasks on the node", || {
        let view = proposer.view();
        view.tasks_on_node(NodeId::from_bits(notation::bits_of("a"))).count() == 3
    })
    .await;
    proposer.raft().shutdown().await;
    tokio::time::timeout(PATIENCE, running).await.expect("the loop ends").unwrap();
}
