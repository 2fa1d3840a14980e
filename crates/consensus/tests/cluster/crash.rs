//! A process that is killed in the middle of writing; the test starts itself again as that process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::{Hosts, Start};

const CHILD: &str = "CONSENSUS_TEST_WRITER";
const ROUNDS: u64 = 5;
const WRITES_SEEN: usize = 40;

/// Writes for ever and says what was acknowledged; does nothing when run as a test of its own.
#[tokio::test(flavor = "multi_thread")]
async fn writer_that_is_killed() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (root, round) = task.rsplit_once('#').unwrap();
    let mut hosts = Hosts::at(root);
    let start = if round == "0" { Start::Bootstrap } else { Start::Resume };
    let manager = hosts.start(1, start).await.unwrap();
    for count in 0_u64.. {
        let entry = format!("{round}/{count}");
        manager.write(&entry).await;
        println!("acknowledged {entry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_sigkill() {
    let root = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writer_that_is_killed", "--nocapture"])
            .env(CHILD, format!("{}#{round}", root.path().display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // The harness prints the test's name on the line of the first report.
        let reported = |line: String| line.split_once("acknowledged ").map(|(_, entry)| entry.to_owned());
        let mut lines = lines.filter_map(reported);
        acknowledged.extend(lines.by_ref().take(WRITES_SEEN));
        child.kill().unwrap();
        acknowledged.extend(lines);
        child.wait().unwrap();
    }
    let mut hosts = Hosts::at(root.path().to_str().unwrap());

    let manager = hosts.start(1, Start::Resume).await.unwrap();

    let view = manager.raft.read_index().await.unwrap();
    let held: Vec<&[u8]> = view.values().map(Vec::as_slice).collect();
    assert!(acknowledged.len() >= WRITES_SEEN * ROUNDS as usize);
    // The last line of a killed process may be cut short, which makes it another entry's name or none.
    for entry in &acknowledged {
        assert!(held.contains(&entry.as_bytes()), "{entry} is lost of {}", acknowledged.len());
    }
}
