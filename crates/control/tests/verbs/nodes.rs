use control::Kind;
use model::{Availability, NodeId, Role, TaskState, Version};
use testkit::notation::bits_of;

use crate::support::Cluster;

fn id(name: &str) -> NodeId {
    NodeId::from_bits(bits_of(name))
}

#[tokio::test]
async fn a_node_is_drained_by_who_has_seen_its_latest_version() {
    let cluster = Cluster::found().await;
    cluster.put_words("node w1").await;
    let node = (**cluster.view().node(id("w1")).unwrap()).clone();
    let mut spec = node.spec.clone();
    spec.availability = Availability::Drain;

    let stale = cluster.control.update_node(id("w1"), Version(1), spec.clone()).await.unwrap_err();
    cluster.control.update_node(id("w1"), node.meta.version, spec.clone()).await.unwrap();
    let unknown = cluster.control.update_node(id("nope"), Version(1), spec).await.unwrap_err();

    assert_eq!((stale.kind, stale.message.as_str()), (Kind::OutOfSequence, "update out of sequence"));
    assert_eq!(unknown.kind, Kind::NotFound);
    assert_eq!(cluster.view().node(id("w1")).unwrap().spec.availability, Availability::Drain);
}

#[tokio::test]
async fn a_role_is_not_changed() {
    let cluster = Cluster::found().await;
    cluster.put_words("node w1").await;
    let node = (**cluster.view().node(id("w1")).unwrap()).clone();
    let mut spec = node.spec.clone();
    spec.role = Role::Manager;

    let error = cluster.control.update_node(id("w1"), node.meta.version, spec).await.unwrap_err();

    assert_eq!(error.kind, Kind::Unimplemented);
}

#[tokio::test]
async fn a_node_that_is_there_is_removed_by_force_alone() {
    let cluster = Cluster::found().await;
    cluster.put_words("node w1 | node w2 down | web x1 : 1→w1 running, 2→w1 complete, 3→w2 running").await;

    let refused = cluster.control.remove_node("w1", false).await.unwrap_err();
    cluster.control.remove_node("w2", false).await.unwrap();
    cluster.control.remove_node("w1", true).await.unwrap();

    assert_eq!(refused.kind, Kind::FailedPrecondition);
    assert_eq!(refused.message, format!("node {} is not down and can't be removed", id("w1")));
    let view = cluster.view();
    assert!(view.node(id("w1")).is_none() && view.node(id("w2")).is_none());
    let mut states: Vec<_> = view.tasks().map(|task| (task.slot, task.status.state)).collect();
    states.sort();
    assert_eq!(
        states,
        [(1, TaskState::Orphaned), (2, TaskState::Complete), (3, TaskState::Orphaned)],
        "what lived there is orphaned, and what had ended stays as it ended"
    );
}

#[tokio::test]
async fn a_manager_is_not_removed() {
    let cluster = Cluster::found().await;

    let error = cluster.control.remove_node(&cluster.manager.to_string(), true).await.unwrap_err();

    assert_eq!(error.kind, Kind::FailedPrecondition);
    assert!(error.message.contains("is a cluster manager"), "{error}");
}
