//! What a manager says to agents that do as they please.

use std::time::Duration;

use identity::Tls;
use model::{TaskId, TaskState, TaskStatus, Timestamp};
use store::Change;
use testkit::notation;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use wire::pb;
use wire::pb::agent_message::Kind as Up;
use wire::pb::dispatcher_client::DispatcherClient;
use wire::pb::manager_message::Kind as Down;

use crate::cluster::{Cluster, PATIENCE, Server, node_id};

/// A session spoken by hand.
struct Raw {
    up: mpsc::Sender<pb::AgentMessage>,
    down: Streaming<pb::ManagerMessage>,
}

impl Raw {
    async fn open(server: &Server, tls: &Tls) -> Result<Self, Status> {
        let mut client = DispatcherClient::new(identity::channel(&server.address, tls));
        let (up, sending) = mpsc::channel(16);
        let down = client.session(ReceiverStream::new(sending)).await?.into_inner();
        Ok(Self { up, down })
    }

    async fn say(&self, kind: Up) {
        self.up.send(pb::AgentMessage { kind: Some(kind) }).await.unwrap();
    }

    async fn hear(&mut self) -> Result<Down, Status> {
        let heard = tokio::time::timeout(PATIENCE, self.down.message()).await.expect("an answer in time")?;
        heard.and_then(|message| message.kind).ok_or_else(|| Status::aborted("the session is over"))
    }

    /// Reports states and waits until they are stored.
    async fn report(&mut self, reports: Vec<(TaskId, TaskState)>) {
        let report = |(task, state): (TaskId, TaskState)| pb::StatusReport {
            task: Some(task.into()),
            status: Some((&status(state)).into()),
        };
        let reports = reports.into_iter().map(report).collect();
        self.say(Up::Statuses(pb::StatusReports { sequence: 1, reports })).await;
        while !matches!(self.hear().await.unwrap(), Down::Stored(stored) if stored.sequence == 1) {}
    }
}

fn status(state: TaskState) -> TaskStatus {
    let (message, err) = ("told".into(), String::new());
    TaskStatus { state, at: Timestamp(9), message, err, container: None, ports: Vec::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reports_on_anothers_task_and_states_do_not_go_back() {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    let (one, other) = (cluster.admit("w1").await, cluster.admit("w2").await);
    cluster.put_words("web : 1→w1 starting, 2→w1 starting").await;
    let tasks = cluster.tasks();

    let mut stranger = Raw::open(&server, &other).await.unwrap();
    stranger.report(vec![(tasks[0].id, TaskState::Failed)]).await;
    assert_eq!(cluster.tasks()[0], tasks[0]);
    let mut owner = Raw::open(&server, &one).await.unwrap();
    owner.report(vec![(tasks[0].id, TaskState::Accepted), (tasks[1].id, TaskState::Running)]).await;

    assert_eq!(cluster.tasks()[0], tasks[0]);
    assert_eq!(cluster.tasks()[1].status, status(TaskState::Running));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_statuses_than_an_entry_takes_are_stored() {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    let tls = cluster.admit("w1").await;
    cluster.put_words("web : 1→w1 assigned").await;
    let first = cluster.tasks()[0].clone();
    let many = (0..12_000u128).map(|at| {
        let mut task = (*first).clone();
        task.id = TaskId::from_bits(at);
        task.meta = model::Meta::default();
        Change::Put(task.into())
    });
    cluster.put(many.collect()).await;

    let mut raw = Raw::open(&server, &tls).await.unwrap();
    raw.report((0..12_000).map(|at| (TaskId::from_bits(at), TaskState::Running)).collect()).await;

    let running = cluster.tasks().iter().filter(|task| task.status.state == TaskState::Running).count();
    assert_eq!(running, 12_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_no_entry_takes_holds_up_nobody() {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    let tls = cluster.admit("w1").await;
    cluster.put_words("web : 1→w1 assigned, 2→w1 assigned").await;
    let tasks = cluster.tasks();
    let mut raw = Raw::open(&server, &tls).await.unwrap();
    let large = TaskStatus { err: "x".repeat(3 << 20), ..status(TaskState::Failed) };
    let report = pb::StatusReport { task: Some(tasks[0].id.into()), status: Some((&large).into()) };

    raw.say(Up::Statuses(pb::StatusReports { sequence: 7, reports: vec![report] })).await;
    raw.report(vec![(tasks[1].id, TaskState::Running)]).await;

    assert_eq!(cluster.tasks()[0].status.state, TaskState::Assigned);
    assert_eq!(cluster.tasks()[1].status.state, TaskState::Running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_is_shown_the_door_and_not_let_in_again() {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    let tls = cluster.admit("w1").await;
    let mut raw = Raw::open(&server, &tls).await.unwrap();
    assert!(matches!(raw.hear().await, Ok(Down::Welcome(_))));

    cluster.control.remove_node(&node_id("w1").to_string(), true).await.unwrap();

    let ended = loop {
        if let Err(status) = raw.hear().await {
            break status;
        }
    };
    assert_eq!(
        (ended.code(), ended.message()),
        (Code::PermissionDenied, "this node was removed from the cluster")
    );
    let again = Raw::open(&server, &tls).await.err().unwrap();
    assert_eq!(again.code(), Code::PermissionDenied);
}

fn task(number: u64) -> model::Task {
    let view = notation::parse("web : 1→w1 assigned");
    let mut task = (**view.tasks().next().unwrap()).clone();
    task.id = TaskId::from_bits(u128::from(number));
    task.meta = model::Meta::default();
    task
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn differences_follow_the_complete_set_without_a_gap() {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    let tls = cluster.admit("w1").await;
    let mut raw = Raw::open(&server, &tls).await.unwrap();
    assert!(matches!(raw.hear().await, Ok(Down::Welcome(_))));

    for sequence in 0..5 {
        let Down::Assignment(told) = raw.hear().await.unwrap() else { panic!("an assignment comes") };
        assert_eq!(told.sequence, sequence);
        cluster.put(vec![Change::Put(task(sequence).into())]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_heartbeat_period_is_told_in_the_session() {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    let tls = cluster.admit("w1").await;
    let mut raw = Raw::open(&server, &tls).await.unwrap();
    let Ok(Down::Welcome(first)) = raw.hear().await else { panic!("a welcome comes first") };
    let found = (**cluster.view().cluster().unwrap()).clone();
    let mut spec = found.spec.clone();
    spec.heartbeat_period = Duration::from_secs(5);

    cluster.control.update_cluster(found.meta.version, spec, control::Rotate::default()).await.unwrap();

    let again = loop {
        if let Down::Welcome(again) = raw.hear().await.unwrap() {
            break again;
        }
    };
    assert_eq!((first.heartbeat_period_ms, again.heartbeat_period_ms), (1000, 5000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_whose_log_has_stopped_ends_its_sessions() {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    let tls = cluster.admit("w1").await;
    let mut raw = Raw::open(&server, &tls).await.unwrap();

    cluster.control.proposer().raft().shutdown().await;

    let ended = loop {
        if let Err(status) = raw.hear().await {
            break status;
        }
    };
    assert_eq!((ended.code(), ended.message()), (Code::Unavailable, "this manager has stopped"));
    assert_eq!(Raw::open(&server, &tls).await.err().unwrap().code(), Code::Unavailable);
}
