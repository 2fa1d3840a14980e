//! Who may join, who may be removed, and what they are told.

use std::time::Duration;

use consensus::MemberError;
use wire::pb;
use wire::pb::raft_client::RaftClient;

use crate::support::{Hosts, Role, Start, leader_of, voters};

#[tokio::test(flavor = "multi_thread")]
async fn removing_what_would_lose_the_quorum_is_refused_with_the_numbers() {
    let mut hosts = Hosts::new();
    let mut managers = hosts.three().await;
    let leader = leader_of(&managers);
    let (gone, left) = (leader % 3 + 1, (leader + 1) % 3 + 1);
    managers.remove(&gone).unwrap().crash().await;
    let is_gone = |member: &consensus::Member| member.raft_id == gone && !member.reachable;
    managers[&leader].until(|status| status.members.iter().any(is_gone)).await;

    let refused = managers[&left].raft.remove_member(left).await.unwrap_err();

    let MemberError::Refused(reason) = refused else { panic!("{refused}") };
    assert!(reason.contains("of the 2 managers left 2 must be reachable, and 1 is"), "{reason}");
    managers[&left].raft.remove_member(gone).await.unwrap();
    managers[&left].until(|status| voters(status) == 2).await;
    managers[&left].write("two are enough for two").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_manager_cannot_be_removed() {
    let mut hosts = Hosts::new();
    let manager = hosts.start(1, Start::Bootstrap).await.unwrap();

    let refused = manager.raft.remove_member(1).await.unwrap_err();

    assert!(refused.to_string().contains("last manager"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_removed_hands_over_and_learns_that_it_is_out() {
    let mut hosts = Hosts::new();
    let managers = hosts.three().await;
    let leader = leader_of(&managers);

    managers[&leader].raft.remove_member(leader).await.unwrap();

    managers[&leader].until(|status| status.role == Role::Removed).await;
    let other = &managers[&(leader % 3 + 1)];
    other.until(|status| voters(status) == 2).await;
    other.write("without it").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_manager_cannot_come_back_under_its_number() {
    let mut hosts = Hosts::new();
    let mut managers = hosts.three().await;
    managers[&1].raft.remove_member(3).await.unwrap();
    managers.remove(&3).unwrap().crash().await;
    std::fs::remove_dir_all(hosts.dir(3)).unwrap();

    let via = vec![hosts.address(1), hosts.address(2)];
    let refused = hosts.start(3, Start::Join { via }).await.err().unwrap();

    assert!(refused.to_string().contains("was removed from the cluster"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_a_dead_address_ends_with_the_address_and_the_cause() {
    let mut hosts = Hosts::new();
    hosts.tune = |config| config.join_timeout = Duration::from_millis(500);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = listener.local_addr().unwrap().to_string();
    drop(listener);

    let refused = hosts.start(2, Start::Join { via: vec![dead.clone()] }).await.err().unwrap();

    let text = refused.to_string();
    assert!(text.contains(&dead) && text.contains("refused"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_refused() {
    let mut hosts = Hosts::new();
    let _manager = hosts.start(1, Start::Bootstrap).await.unwrap();
    let tls = hosts.tls("a-worker", identity::Role::Worker);
    let mut client = RaftClient::new(identity::channel(&hosts.address(1), &tls));

    let refused = client.propose(pb::ProposeRequest { entry: b"x".to_vec().into() }).await.unwrap_err();

    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_cannot_join_under_another_name_or_send_rubbish() {
    let mut hosts = Hosts::new();
    let manager = hosts.start(1, Start::Bootstrap).await.unwrap();
    let tls = hosts.tls("node-9", identity::Role::Manager);
    let mut client = RaftClient::new(identity::channel(&hosts.address(1), &tls));

    let member = pb::Member { raft_id: 8, node_id: "node-8".into(), address: "127.0.0.1:1".into() };
    let named = client.add_member(pb::AddMemberRequest { member: Some(member) }).await.unwrap_err();
    let rubbish = pb::RaftMessage { data: vec![0xff; 100].into() };
    let stepped = client.step(tokio_stream::iter([rubbish])).await.unwrap_err();

    assert_eq!(named.code(), tonic::Code::PermissionDenied);
    assert_eq!(stepped.code(), tonic::Code::InvalidArgument);
    manager.write("unharmed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_moved_tells_the_others() {
    let mut hosts = Hosts::new();
    let mut managers = hosts.three().await;
    managers.remove(&3).unwrap().stop().await;
    let before = hosts.forget_address(3);

    let moved = hosts.start(3, Start::Resume).await.unwrap();

    let after = hosts.address(3);
    assert_ne!(before, after);
    let knows = |member: &consensus::Member| member.raft_id == 3 && member.address == after;
    managers[&1].until(|status| status.members.iter().any(knows)).await;
    moved.write("from the new place").await;
}
