use dispatcher::LogsWanted;
use model::{TaskId, TaskState};
use wire::pb::LogRecord;

use crate::cluster::{Cluster, PATIENCE, node_id};

/// A cluster that reads logs at its own address.
async fn cluster() -> (Cluster, crate::cluster::Server) {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    cluster.managers.send_replace([(node_id("m1"), server.address.clone())].into());
    (cluster, server)
}

fn wanted(follow: bool) -> LogsWanted {
    LogsWanted { follow, stdout: true, stderr: true, ..LogsWanted::default() }
}

async fn next(records: &mut tokio::sync::mpsc::Receiver<LogRecord>) -> Option<LogRecord> {
    tokio::time::timeout(PATIENCE, records.recv()).await.expect("a record in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lines_of_a_task_come_from_its_node_and_end() {
    let (cluster, server) = cluster().await;
    let _worker = cluster.worker("w1", &[&server]).await;
    cluster.put_words("web : 1→w1 assigned").await;
    cluster.until_state(1, TaskState::Running).await;
    let task = cluster.tasks()[0].id;

    let mut records = cluster.dispatcher.logs("q".into(), vec![task], wanted(false));

    let mut lines = Vec::new();
    while let Some(record) = next(&mut records).await {
        if record.stream != 0 {
            assert_eq!(record.task_id, task.to_string());
            lines.push((record.stream, record.line.to_vec()));
        }
    }
    assert_eq!(lines, [(1, b"one\n".to_vec()), (1, b"two\n".to_vec())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_followed_log_goes_on_until_nobody_reads_it() {
    let (cluster, server) = cluster().await;
    let worker = cluster.worker("w1", &[&server]).await;
    cluster.put_words("web : 1→w1 assigned").await;
    cluster.until_state(1, TaskState::Running).await;
    let task = cluster.tasks()[0].id;

    let mut records = cluster.dispatcher.logs("q".into(), vec![task], wanted(true));
    while next(&mut records).await.expect("it goes on").line != "two\n" {}
    assert!(records.try_recv().is_err(), "it waits for more");
    drop(records);

    // The agent is free for another query, and for its work.
    let mut again = cluster.dispatcher.logs("r".into(), vec![task], wanted(false));
    while next(&mut again).await.is_some() {}
    cluster.wish(task, TaskState::Shutdown).await;
    cluster.until_state(1, TaskState::Shutdown).await;
    drop(worker);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_not_there_is_named() {
    let (cluster, _server) = cluster().await;
    cluster.admit("w1").await;
    cluster.put_words("web : 1→w1 running").await;
    let task: TaskId = cluster.tasks()[0].id;

    let mut records = cluster.dispatcher.logs("q".into(), vec![task], wanted(true));

    let said = next(&mut records).await.unwrap();
    let text = String::from_utf8(said.line.to_vec()).unwrap();
    assert_eq!(said.stream, 3);
    assert_eq!(
        text,
        format!("incomplete log stream: node {} is not connected to any manager\n", node_id("w1"))
    );
    assert!(next(&mut records).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_without_a_log_says_so() {
    let (cluster, server) = cluster().await;
    let worker = cluster.worker("w1", &[&server]).await;
    cluster.put_words("web : 1→w1 assigned").await;
    cluster.until_state(1, TaskState::Running).await;
    let task = cluster.tasks()[0].id;
    worker.host.containers().clear();

    let mut records = cluster.dispatcher.logs("q".into(), vec![task], wanted(false));

    let mut texts = Vec::new();
    while let Some(record) = next(&mut records).await {
        if record.stream == 3 {
            texts.push(String::from_utf8(record.line.to_vec()).unwrap());
        }
    }
    assert_eq!(texts, ["Error grabbing logs: no such container\n"]);
}
