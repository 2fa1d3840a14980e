//! The lab's cluster, through the `drover` binary.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::wait_for;
use crate::program;

/// The lab's cluster.
pub struct Cluster {
    drover: PathBuf,
    name: String,
    /// The hosts with their addresses.
    pub hosts: BTreeMap<String, Ipv4Addr>,
    /// Hosts that were killed.
    pub dead: BTreeSet<String>,
}

/// A task that runs and should.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replica {
    pub task: String,
    pub node: String,
}

impl Cluster {
    /// Names a cluster that is yet to be brought up.
    pub fn new(drover: PathBuf, name: String) -> Self {
        Self { drover, name, hosts: BTreeMap::new(), dead: BTreeSet::new() }
    }

    /// Returns the binary.
    pub fn drover(&self) -> &Path {
        &self.drover
    }

    /// Returns the lab's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a command of the lab, such as `lab ps`.
    pub fn lab(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.drover);
        command.args(["lab", verb, "--name", &self.name]);
        command
    }

    /// Returns a `drover` command on a host.
    pub fn on(&self, host: &str, words: &[&str]) -> Command {
        let mut command = self.lab("exec");
        command.args([host, "--", "drover"]).args(words);
        command
    }

    /// Runs a `drover` command on a host for the person who watches.
    pub fn show_on(&self, host: &str, words: &[&str]) -> Result<()> {
        println!("{host}$ drover {}", words.join(" "));
        program::run(&mut self.on(host, words))
    }

    /// Runs a command for the person who watches, and returns how long it took until so many tasks ran: the command
    /// itself goes on for some seconds, to see whether they stay.
    pub fn show_until(&self, host: &str, words: &[&str], service: &str, count: usize) -> Result<Duration> {
        println!("{host}$ drover {}", words.join(" "));
        let mut command = self.on(host, words);
        let mut child = command.spawn().with_context(|| format!("start {}", program::shown(&command)))?;
        let waited = self.wait_for_replicas(host, service, count, |_| true);
        let status = child.wait().with_context(|| format!("wait for {}", program::shown(&command)))?;
        if !status.success() {
            bail!("{} failed: {status}", program::shown(&command));
        }
        Ok(waited?.1)
    }

    /// Reads names and addresses of the hosts.
    pub fn find_hosts(&mut self) -> Result<()> {
        let text = program::output(&mut self.lab("ps"))?;
        let host = |line: &str| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
        };
        self.hosts = text.lines().filter_map(host).collect();
        if self.hosts.is_empty() {
            bail!("`drover lab ps` lists no host:\n{text}");
        }
        Ok(())
    }

    /// Returns the addresses of the hosts that live and are not `spared`.
    pub fn addresses_without(&self, spared: &str) -> Vec<Ipv4Addr> {
        let lives = |host: &&String| *host != spared && !self.dead.contains(*host);
        self.hosts.keys().filter(lives).map(|host| self.hosts[host]).collect()
    }

    /// Returns the managers by name with what `node ls` says of each, asked on `host`.
    pub fn managers(&self, host: &str) -> Result<BTreeMap<String, String>> {
        let format = "{{.Hostname}} {{.Status}} {{.ManagerStatus}}";
        let text = program::output(&mut self.on(host, &["node", "ls", "--format", format]))?;
        let manager = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, _status, manager] = words[..] else { return None };
            Some((name.to_owned(), manager.to_owned()))
        };
        Ok(text.lines().filter_map(manager).collect())
    }

    /// Returns how many nodes are ready, asked on `host`.
    pub fn ready_nodes(&self, host: &str) -> Result<usize> {
        let text = program::output(&mut self.on(host, &["node", "ls", "--format", "{{.Status}}"]))?;
        Ok(text.lines().filter(|status| status.trim() == "Ready").count())
    }

    /// Returns the tasks of a service that run and should, asked on `host`.
    pub fn replicas(&self, host: &str, service: &str) -> Result<BTreeSet<Replica>> {
        let format = "{{.ID}} {{.Node}} {{.CurrentState}}";
        let filter = "desired-state=running";
        let words = ["service", "ps", service, "--no-trunc", "--filter", filter, "--format", format];
        let text = program::output(&mut self.on(host, &words))?;
        let replica = |line: &str| {
            let mut words = line.split_whitespace();
            let (task, node, state) = (words.next()?, words.next()?, words.next()?);
            (state == "Running").then(|| Replica { task: task.to_owned(), node: node.to_owned() })
        };
        Ok(text.lines().filter_map(replica).collect())
    }

    /// Waits until this many tasks of a service run and a claim holds of them.
    pub fn wait_for_replicas(
        &self,
        host: &str,
        service: &str,
        count: usize,
        claim: impl Fn(&BTreeSet<Replica>) -> bool,
    ) -> Result<(BTreeSet<Replica>, Duration)> {
        wait_for(&format!("{count}/{count} replicas of {service}"), Duration::from_secs(60), || {
            let replicas = self.replicas(host, service)?;
            Ok((replicas.len() == count && claim(&replicas)).then_some(replicas))
        })
    }

    /// Returns the process ids of the replicas' programs on all hosts: a restarted container has another one.
    pub fn programs(&self) -> Result<BTreeSet<u32>> {
        let mut found = BTreeSet::new();
        let mark = format!("drover-{}-", self.name);
        for entry in std::fs::read_dir("/proc").context("list /proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            if read("cmdline").starts_with("/drover\0whoami") && read("cgroup").contains(&mark) {
                found.insert(pid);
            }
        }
        Ok(found)
    }
}
