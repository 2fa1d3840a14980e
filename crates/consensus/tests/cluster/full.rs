//! A disk without space: a small tmpfs in a mount of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use consensus::ProposeError;
use tokio::time::Instant;

use crate::support::{Hosts, PATIENCE, Start};

struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path, size: &str) -> Self {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).status();
        assert!(done.unwrap().success(), "mounting a tmpfs needs root: run this test as root");
        Self(at.to_path_buf())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_loses_none() {
    let mut hosts = Hosts::new();
    hosts.tune = |config| {
        config.segment_bytes = 256 << 10;
        config.propose_timeout = Duration::from_secs(3);
    };
    let _disk = Tmpfs::mount(&hosts.dir(1), "4m");
    let manager = hosts.start(1, Start::Bootstrap).await.unwrap();
    let ballast = hosts.dir(1).join("ballast");
    fs::write(&ballast, vec![1; 2 << 20]).unwrap();

    let mut acknowledged = 0;
    let refused = loop {
        let entry = format!("{acknowledged} {}", "x".repeat(10_000));
        match manager.raft.propose(entry.into_bytes()).await {
            Ok(_) => acknowledged += 1,
            Err(refused) => break refused,
        }
        assert!(acknowledged < 1_000, "the disk is never full");
    };

    assert_eq!(refused, ProposeError::DiskFull);
    assert!(refused.to_string().contains("no space left"), "{refused}");
    assert!(acknowledged > 10);
    assert_eq!(manager.raft.views().borrow().len(), acknowledged);
    fs::remove_file(&ballast).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while manager.raft.propose(b"room again".to_vec()).await.is_err() {
        assert!(Instant::now() < deadline, "writes never go on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    manager.crash().await;
    let back = hosts.start(1, Start::Resume).await.unwrap();
    let view = back.raft.read_index().await.unwrap();
    assert_eq!(view.len(), acknowledged + 1);
    back.stop().await;
}
