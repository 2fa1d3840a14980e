use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model::{NodeState, TaskState, Timestamp};

use crate::cluster::{Cluster, node_id, now, start, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_lives_from_assignment_to_removal() {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    let worker = cluster.worker("w1", &[&server]).await;
    cluster.put_words("web : 1→w1 assigned to-ready").await;

    cluster.until_state(1, TaskState::Ready).await;
    let task = cluster.tasks()[0].id;
    cluster.wish(task, TaskState::Running).await;
    cluster.until_state(1, TaskState::Running).await;
    let container = cluster.tasks()[0].status.container.clone().unwrap();
    cluster.wish(task, TaskState::Shutdown).await;
    cluster.until_state(1, TaskState::Shutdown).await;
    assert_eq!(worker.host.containers().len(), 1, "its log stays");
    cluster.forget(task).await;
    until("the container is gone", || worker.host.containers().is_empty()).await;

    assert_eq!((container.container_id, container.pid), (format!("container-{task}"), 42));
    let node = cluster.node("w1");
    assert_eq!(node.description.unwrap().hostname, "host");
    assert_eq!(node.status.address, Some("127.0.0.9".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_node_is_down_and_ready_when_it_is_heard_again() {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    let worker = cluster.worker("w1", &[&server]).await;
    cluster.until_node("w1", NodeState::Ready).await;

    let (host, dir) = worker.stop().await;
    cluster.until_node("w1", NodeState::Down).await;
    let message = cluster.node("w1").status.message;
    assert!(message.starts_with("heartbeat failure: nothing heard for 3."), "{message}");

    let _worker = start(node_id("w1"), cluster.identity("w1"), vec![server.address.clone()], host, dir).await;
    cluster.until_node("w1", NodeState::Ready).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_manager_stops_finds_another_and_hears_what_it_missed() {
    let cluster = Cluster::found().await;
    let (first, second) = (cluster.serve().await, cluster.serve().await);
    let worker = cluster.worker("w1", &[&first, &second]).await;
    cluster.put_words("web : 1→w1 assigned, 2→w1 assigned").await;
    cluster.until_state(1, TaskState::Running).await;
    cluster.until_state(2, TaskState::Running).await;
    let tasks = cluster.tasks();

    let stopping = tokio::spawn(first.stop());
    cluster.forget(tasks[0].id).await;
    stopping.await.unwrap();

    until("the forgotten task is gone", || !worker.host.containers().contains_key(&tasks[0].id)).await;
    cluster.wish(tasks[1].id, TaskState::Shutdown).await;
    cluster.until_state(1, TaskState::Shutdown).await;
    assert_eq!(worker.host.made.load(Ordering::Relaxed), 2, "nothing was made twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_heard_of_is_found_when_the_first_stops() {
    let cluster = Cluster::found().await;
    let (first, second) = (cluster.serve().await, cluster.serve().await);
    let _worker = cluster.worker("w1", &[&first]).await;
    cluster.until_node("w1", NodeState::Ready).await;

    cluster.managers.send_replace([(node_id("m1"), second.address.clone())].into());
    cluster.put_words("web : 1→w1 assigned").await;
    cluster.until_state(1, TaskState::Running).await;
    first.stop().await;

    cluster.wish(cluster.tasks()[0].id, TaskState::Shutdown).await;
    cluster.until_state(1, TaskState::Shutdown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_agent_takes_its_containers_over() {
    let cluster = Cluster::found().await;
    let server = cluster.serve().await;
    let worker = cluster.worker("w1", &[&server]).await;
    cluster.put_words("web : 1→w1 assigned").await;
    cluster.until_state(1, TaskState::Running).await;
    let task = cluster.tasks()[0].id;

    let (host, dir) = worker.stop().await;
    assert!(host.runs(task));
    let worker = start(node_id("w1"), cluster.identity("w1"), vec![server.address.clone()], host, dir).await;
    cluster.wish(task, TaskState::Shutdown).await;

    cluster.until_state(1, TaskState::Shutdown).await;
    assert_eq!(worker.host.made.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_away_takes_nobody_for_down() {
    static AWAY: AtomicI64 = AtomicI64::new(0);
    let cluster = Cluster::found_with(|| Timestamp(now().0 + AWAY.load(Ordering::Relaxed))).await;
    let server = cluster.serve().await;
    let _worker = cluster.worker("w1", &[&server]).await;
    cluster.until_node("w1", NodeState::Ready).await;
    let mut views = cluster.control.proposer().views();

    // As if the host had been suspended for a minute.
    AWAY.store(60_000_000_000, Ordering::Relaxed);
    let down = views
        .wait_for(|view| view.node(node_id("w1")).is_some_and(|node| node.status.state == NodeState::Down));

    assert!(tokio::time::timeout(Duration::from_secs(2), down).await.is_err(), "it beats all the time");
}
