use control::{Admission, Rotate};
use identity::{CaSource, JoinToken, NewNode, RootCa};
use model::{Availability, NodeId, NodeState, Role};

use crate::support::Cluster;

fn admission(cluster: &Cluster) -> Admission {
    Admission::new(cluster.control.proposer().clone())
}

fn newcomer(id: NodeId, role: identity::Role, availability: &str) -> NewNode {
    NewNode { node_id: id.to_string(), role, availability: availability.into() }
}

#[tokio::test]
async fn a_newcomer_is_in_the_cluster_before_it_is_heard() {
    let cluster = Cluster::found().await;
    let cases = [
        ("", identity::Role::Worker, Availability::Active, Role::Worker),
        ("active", identity::Role::Manager, Availability::Active, Role::Manager),
        ("pause", identity::Role::Worker, Availability::Pause, Role::Worker),
        ("drain", identity::Role::Worker, Availability::Drain, Role::Worker),
    ];

    for (place, (word, role, availability, in_cluster)) in cases.into_iter().enumerate() {
        let id = NodeId::from_bits(100 + place as u128);
        admission(&cluster).admit(newcomer(id, role, word)).await.unwrap();

        let view = cluster.view();
        let node = view.node(id).unwrap();
        assert_eq!(
            (node.spec.availability, node.spec.role, node.role),
            (availability, in_cluster, in_cluster)
        );
        assert_eq!(node.status.state, NodeState::Unknown);
        assert_eq!(admission(&cluster).role(&id.to_string()).await.unwrap(), role);
    }
}

#[tokio::test]
async fn a_node_that_asks_again_stays_as_it_is() {
    let cluster = Cluster::found().await;
    let id = NodeId::from_bits(100);
    admission(&cluster).admit(newcomer(id, identity::Role::Worker, "drain")).await.unwrap();
    let version = cluster.view().node(id).unwrap().meta.version;

    admission(&cluster).admit(newcomer(id, identity::Role::Manager, "")).await.unwrap();

    let view = cluster.view();
    let node = view.node(id).unwrap();
    assert_eq!((node.meta.version, node.spec.role), (version, Role::Worker));
}

#[tokio::test]
async fn what_cannot_be_admitted_is_refused() {
    let cluster = Cluster::found().await;
    let id = NodeId::from_bits(100);

    let word = admission(&cluster).admit(newcomer(id, identity::Role::Worker, "lazy")).await.unwrap_err();
    let name = NewNode { node_id: "?".into(), role: identity::Role::Worker, availability: String::new() };
    let name = admission(&cluster).admit(name).await.unwrap_err();
    let unknown = admission(&cluster).role(&id.to_string()).await.unwrap_err();

    assert_eq!(word.message(), "invalid availability: \"lazy\"");
    assert_eq!(name.code(), tonic::Code::InvalidArgument);
    assert_eq!(unknown.code(), tonic::Code::PermissionDenied);
    assert!(cluster.view().node(id).is_none());
}

#[tokio::test]
async fn a_rotated_token_counts_at_once() {
    let cluster = Cluster::found().await;
    let before = admission(&cluster).authority().await.unwrap();
    let found = (**cluster.view().cluster().unwrap()).clone();
    let root = RootCa::from_pem(&found.root_ca.certificate_pem, None).unwrap();
    let fresh = JoinToken::generate(&root);
    let rotate = Rotate { worker: Some(fresh.to_string()), manager: None };

    cluster.control.update_cluster(found.meta.version, found.spec, rotate).await.unwrap();

    let after = admission(&cluster).authority().await.unwrap();
    assert!(after.tokens.worker.matches(&fresh) && !after.tokens.worker.matches(&before.tokens.worker));
    assert!(after.tokens.manager.matches(&before.tokens.manager));
    assert_eq!(after.cluster_id, found.id.to_string());
}
