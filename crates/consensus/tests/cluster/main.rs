//! Real managers over loopback TCP and mutual TLS, with real folders.

#![allow(clippy::unwrap_used)]

mod crash;
mod full;
mod group;
mod recovery;
mod support;

use std::time::{Duration, Instant};

use consensus::{ProposeError, ReadError};
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
        let view = managers[&(raft_id % 3 + 1)].raft.read_index().await.unwrap();
        assert!(view.values().any(|held| held == entry.as_bytes()), "a current read shows it elsewhere");
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
    let mut after = survivor.raft.propose(b"after".to_vec()).await;
    if after == Err(ProposeError::Unknown) {
        after = survivor.raft.propose(b"after".to_vec()).await;
    }
    let took = since.elapsed();

    println!("leader lost, next write accepted after {took:?}");
    after.unwrap();
    assert!(survivor.holds("before"));
    assert!(took < Duration::from_secs(10), "{took:?}");
    let back = hosts.start(leader, Start::Resume).await.unwrap();
    back.until_holds("after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stops_in_order_hands_over_without_an_election_timeout() {
    let mut hosts = Hosts::new();
    let mut managers = hosts.three().await;
    let leader = leader_of(&managers);

    managers.remove(&leader).unwrap().stop().await;

    let survivor = managers.values().next().unwrap();
    let status = survivor.until(|status| status.leader.is_some()).await;
    assert_ne!(status.leader.unwrap().raft_id, leader);
    survivor.write("after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_writes_and_reads_end_with_dockers_words() {
    let mut hosts = Hosts::new();
    hosts.tune = |config| config.leader_timeout = Duration::from_secs(1);
    let mut managers = hosts.three().await;
    let survivor = managers.remove(&2).unwrap();
    for manager in managers.into_values() {
        manager.crash().await;
    }
    survivor.until(|status| status.leader.is_none()).await;

    let write = survivor.raft.propose(b"lost".to_vec()).await.unwrap_err();
    let read = survivor.raft.read_index().await.unwrap_err();

    assert_eq!((&write, &read), (&ProposeError::NoLeader, &ReadError::NoLeader));
    assert!(write.to_string().starts_with("The swarm does not have a leader."), "{write}");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_are_empty_or_too_large_are_refused() {
    let mut hosts = Hosts::new();
    let manager = hosts.start(1, Start::Bootstrap).await.unwrap();

    let large = manager.raft.propose(vec![1; (1 << 20) + 1]).await;
    let empty = manager.raft.propose(Vec::new()).await;
    let fitting = manager.raft.propose(vec![1; 1 << 20]).await;

    assert_eq!(large, Err(ProposeError::TooLarge { size: (1 << 20) + 1, limit: 1 << 20 }));
    assert_eq!(empty, Err(ProposeError::Empty));
    assert!(fitting.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_entry_reaches_followers() {
    let mut hosts = Hosts::new();
    let managers = hosts.three().await;

    for count in 0..8 {
        let since = Instant::now();
        let done = managers[&3].raft.propose(vec![b'x'; 1 << 20]).await.map(|applied| applied.index);
        let states: Vec<_> =
            managers.values().map(|manager| manager.raft.status().borrow().clone()).collect();
        assert!(done.is_ok(), "entry {count}: {done:?} after {:?}: {states:#?}", since.elapsed());
    }

    managers[&2].write("behind it").await;
}
