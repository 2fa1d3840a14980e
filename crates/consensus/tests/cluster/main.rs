//! Real managers over loopback TCP and mutual TLS, with real folders.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Instant;

use consensus::{MemberError, ProposeError, ReadError};
use support::{Hosts, Role, Start, leader_of, voters};

#[tokio::test(flavor = "multi_thread")]
async fn one_manager_alone_takes_writes_and_answers_with_the_outcome() {
    let mut hosts = Hosts::new();
    let manager = hosts.start(1, Start::Bootstrap).await.unwrap();

    let applied = manager.raft.propose(b"abc".to_vec()).await.unwrap();

    assert_eq!(applied.outcome, b"cba");
    assert!(manager.holds("abc"));
    assert_eq!(manager.raft.status().borrow().role, Role::Leader);
    manager.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joined_managers_become_voters_and_every_one_takes_writes() {
    let mut hosts = Hosts::new();
    let managers = hosts.three().await;

    for (raft_id, manager) in &managers {
        let entry = format!("from {raft_id}");
        manager.write(&entry).await;
        assert!(manager.holds(&entry), "a write is in the view of the manager that took it");
    }

    let status = managers[&2].raft.status().borrow().clone();
    assert_eq!(voters(&status), 3);
    for manager in managers.into_values() {
        manager.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_leader_is_replaced_and_the_next_write_is_taken() {
    let mut hosts = Hosts::new();
    let mut managers = hosts.three().await;
    managers[&2].write("before").await;
    let leader = leader_of(&managers);

    managers.remove(&leader).unwrap().crash().await;
    let since = Instant::now();
    let survivor = managers.values().next().unwrap();
    let after = survivor.raft.propose(b"after".to_vec()).await;

    println!("leader lost, next write accepted after {:?}: {after:?}", since.elapsed());
    if after.is_err() {
        survivor.write("after").await;
    }
    assert!(survivor.holds("before"));
    assert!(since.elapsed().as_secs() < 10);
    let back = hosts.start(leader, Start::Resume).await.unwrap();
    back.until_holds("after").await;
}
