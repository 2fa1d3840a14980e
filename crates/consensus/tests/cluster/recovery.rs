//! What a folder gives back after a stop, a crash, or damage.

use std::fs;
use std::path::PathBuf;

use crate::support::{Hosts, Start, leader_of, voters};

fn newest(hosts: &Hosts, raft_id: u64, prefix: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(hosts.dir(raft_id))
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix))
        .collect();
    found.sort();
    found.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_managers_at_once_come_back_with_everything() {
    let mut hosts = Hosts::new();
    let managers = hosts.three().await;
    for count in 0..50 {
        managers[&(count % 3 + 1)].write(&format!("entry {count}")).await;
    }
    for manager in managers.into_values() {
        manager.crash().await;
    }

    let mut back = Vec::new();
    for raft_id in 1..=3 {
        back.push(hosts.start(raft_id, Start::Resume).await.unwrap());
    }

    for manager in &back {
        let view = manager.raft.read_index().await.unwrap();
        assert_eq!(view.len(), 50);
    }
    back[0].write("and goes on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_away_longer_than_the_log_gets_a_snapshot() {
    let mut hosts = Hosts::new();
    hosts.tune = |config| {
        config.snapshot_every = 50;
        config.keep_for_slow_followers = 5;
    };
    let mut managers = hosts.three().await;
    let leader = leader_of(&managers);
    let away = leader % 3 + 1;
    managers.remove(&away).unwrap().crash().await;
    for count in 0..200 {
        // A state of several megabytes makes the snapshot travel in several chunks.
        managers[&leader].write(&format!("{count} {}", "x".repeat(20_000))).await;
    }
    managers[&leader].write("last").await;

    let back = hosts.start(away, Start::Resume).await.unwrap();

    back.until_holds("last").await;
    assert_eq!(back.raft.views().borrow().len(), 201);
    back.write("and goes on").await;
    back.crash().await;
    let again = hosts.start(away, Start::Resume).await.unwrap();
    again.until_holds("and goes on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail_is_cut_and_what_was_acknowledged_before_it_stays() {
    let mut hosts = Hosts::new();
    let manager = hosts.start(1, Start::Bootstrap).await.unwrap();
    for count in 0..20 {
        manager.write(&format!("entry {count}")).await;
    }
    manager.crash().await;
    let log = newest(&hosts, 1, "log-0");
    let bytes = fs::read(&log).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(end as u64 - 10).unwrap();

    let back = hosts.start(1, Start::Resume).await.unwrap();

    back.until_holds("entry 18").await;
    assert!(!back.holds("entry 19"));
    back.write("and goes on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_log_stops_the_start_and_names_the_file() {
    let mut hosts = Hosts::new();
    let manager = hosts.start(1, Start::Bootstrap).await.unwrap();
    for count in 0..20 {
        manager.write(&format!("entry {count}")).await;
    }
    manager.crash().await;
    let log = newest(&hosts, 1, "log-0");
    let mut bytes = fs::read(&log).unwrap();
    bytes[700] ^= 1;
    fs::write(&log, bytes).unwrap();

    let refused = hosts.start(1, Start::Resume).await.err().unwrap().to_string();

    assert!(refused.contains(log.to_str().unwrap()) && refused.contains("damaged"), "{refused}");
    assert!(refused.contains("backup"), "it says what to do: {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_snapshot_stops_the_start_and_names_the_file() {
    let mut hosts = Hosts::new();
    let manager = hosts.start(1, Start::Bootstrap).await.unwrap();
    manager.write("entry").await;
    manager.crash().await;
    let snapshot = newest(&hosts, 1, "snapshot-");
    let mut bytes = fs::read(&snapshot).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&snapshot, bytes).unwrap();

    let refused = hosts.start(1, Start::Resume).await.err().unwrap().to_string();

    assert!(refused.contains(snapshot.to_str().unwrap()) && refused.contains("damaged"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_serves_one_process_and_one_cluster() {
    let mut hosts = Hosts::new();
    let manager = hosts.start(1, Start::Bootstrap).await.unwrap();

    let while_up = hosts.start_elsewhere(1, Start::Resume).await.err().unwrap().to_string();
    manager.crash().await;
    let twice = hosts.start(1, Start::Bootstrap).await.err().unwrap().to_string();
    let absent = hosts.start(2, Start::Resume).await.err().unwrap().to_string();

    assert!(while_up.contains("in use by another process"), "{while_up}");
    assert!(twice.contains("holds a manager's log already"), "{twice}");
    assert!(absent.contains("holds no log"), "{absent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_entry_is_readable_on_disk() {
    let mut hosts = Hosts::new();
    hosts.tune = |config| config.snapshot_every = 1;
    let manager = hosts.start(1, Start::Bootstrap).await.unwrap();
    for _ in 0..3 {
        manager.write("a secret of the cluster").await;
    }
    manager.crash().await;

    for item in fs::read_dir(hosts.dir(1)).unwrap() {
        let bytes = fs::read(item.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"a secret"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_survivor_becomes_a_new_cluster_with_every_object_kept() {
    let mut hosts = Hosts::new();
    let managers = hosts.three().await;
    for count in 0..20 {
        managers[&2].write(&format!("entry {count}")).await;
    }
    for manager in managers.into_values() {
        manager.crash().await;
    }

    let alone = hosts.start(2, Start::ForceNewCluster).await.unwrap();

    let status = alone.until(|status| status.is_leader()).await;
    assert_eq!(voters(&status), 1);
    assert_eq!(alone.raft.views().borrow().len(), 20);
    alone.write("and goes on").await;
    let fresh = hosts.join(4, 2).await;
    fresh.until(|status| voters(status) == 2).await;
    fresh.until_holds("and goes on").await;
    alone.stop().await;
}
