//! What each step does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::cluster::Cluster;
use super::requests::{self, Stream};
use super::{seconds, wait_for};
use crate::program;

const SERVICE: &str = "web";
const REPLICAS: usize = 3;
const REPLICAS_SCALED: usize = 10;
/// Enough that a replica which is never chosen is a fault, not bad luck: (2/3)^60 is below one in a billion.
const REQUESTS_PER_HOST_MAX: usize = 60;
const PATIENCE: Duration = Duration::from_secs(60);

pub fn bring_up(cluster: &mut Cluster) -> Result<()> {
    let is_up = program::output(&mut cluster.lab("ps")).is_ok();
    if is_up {
        println!("a lab called {} is up; taking it down first", cluster.name());
        program::output(&mut cluster.lab("down"))?;
    }
    let began = Instant::now();
    program::run(cluster.lab("up").args(["--managers", "3", "--workers", "2"]))?;
    cluster.find_hosts()?;
    let count = cluster.hosts.len();
    wait_for(&format!("{count} nodes ready"), PATIENCE, || {
        Ok((cluster.ready_nodes("m1")? == count).then_some(()))
    })?;
    println!("five hosts, one cluster: {}", seconds(began.elapsed()));
    cluster.show_on("m1", &["node", "ls"])
}

pub fn create(cluster: &mut Cluster) -> Result<()> {
    let replicas = REPLICAS.to_string();
    let publish = format!("{0}:{0}", requests::PORT);
    let words = [
        "service",
        "create",
        "--name",
        SERVICE,
        "--replicas",
        &replicas,
        "--publish",
        &publish,
        "drover/whoami",
    ];
    let time = cluster.show_until("m1", &words, SERVICE, REPLICAS)?;
    println!("{REPLICAS}/{REPLICAS} running after {}", seconds(time));
    cluster.show_on("m1", &["service", "ps", SERVICE])
}

pub fn ask_every_host(cluster: &mut Cluster) -> Result<()> {
    let replicas = cluster.replicas("m1", SERVICE)?;
    let nodes: BTreeSet<&str> = replicas.iter().map(|replica| replica.node.as_str()).collect();
    for (host, address) in &cluster.hosts {
        let mut answers: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..REQUESTS_PER_HOST_MAX {
            let fields = requests::ask(*address)?;
            let field = |name: &str| fields.get(name).map_or("?", String::as_str);
            *answers.entry(format!("{SERVICE}.{} on {}", field("slot"), field("node"))).or_default() += 1;
        }
        let shown: Vec<String> =
            answers.iter().map(|(replica, count)| format!("{replica} ×{count}")).collect();
        let own = if nodes.contains(host.as_str()) { "" } else { "  (runs no replica itself)" };
        println!("{host} {address}:{} → {}{own}", requests::PORT, shown.join(", "));
        if answers.len() < replicas.len() {
            bail!("only {} of {} replicas answered through {host}", answers.len(), replicas.len());
        }
    }
    Ok(())
}

pub fn scale(cluster: &mut Cluster) -> Result<()> {
    let words = ["service", "scale", &format!("{SERVICE}={REPLICAS_SCALED}")];
    let time = cluster.show_until("m1", &words, SERVICE, REPLICAS_SCALED)?;
    println!("{REPLICAS_SCALED}/{REPLICAS_SCALED} running after {}", seconds(time));
    Ok(())
}

pub fn kill_leader(cluster: &mut Cluster) -> Result<()> {
    const PROOF: &str = "proof";
    let managers = cluster.managers("m1")?;
    let leader = managers.iter().find(|(_, status)| *status == "Leader").map(|(name, _)| name.clone());
    let leader = leader.context("`drover node ls` names no leader")?;
    let other = managers.keys().find(|name| **name != leader).context("there is only one manager")?;
    let before = cluster.programs()?;
    let stream = Stream::start(&cluster.addresses_without(&leader));

    println!("$ drover lab kill --daemon {leader}");
    program::run(cluster.lab("kill").args(["--daemon", &leader]))?;
    let create = ["service", "create", "--detach", "--name", PROOF, "--replicas", "0", "drover/whoami"];
    let ((), time) = wait_for("a write without the old leader", PATIENCE, || {
        program::output(&mut cluster.on(other, &create)).map(|_| Some(()))
    })?;
    println!("the next write was accepted through {other} after {}", seconds(time));
    cluster.wait_for_replicas(other, SERVICE, REPLICAS_SCALED, |_| true)?;
    let tally = stream.stop();
    let after = cluster.programs()?;
    println!("{} of {} containers went on; {tally}", after.intersection(&before).count(), before.len());
    if after != before {
        bail!("containers stopped or started while {leader}'s daemon was away");
    }
    if tally.failed > 0 {
        bail!("requests failed although only a daemon was killed");
    }

    println!("$ drover lab start {leader}");
    let began = Instant::now();
    program::run(cluster.lab("start").arg(&leader))?;
    wait_for(&format!("{leader} to catch up"), PATIENCE, || {
        let knows = program::output(&mut cluster.on(&leader, &["service", "inspect", PROOF])).is_ok();
        let is_back = cluster.managers(&leader)?.values().all(|status| status != "Unreachable");
        Ok((knows && is_back && cluster.ready_nodes(&leader)? == cluster.hosts.len()).then_some(()))
    })?;
    println!("{leader} caught up {} after its start", seconds(began.elapsed()));
    if cluster.programs()? != before {
        bail!("containers of {leader} did not survive the start of its daemon");
    }
    program::output(&mut cluster.on(&leader, &["service", "rm", PROOF])).map(drop)
}

pub fn kill_worker(cluster: &mut Cluster) -> Result<()> {
    let replicas = cluster.replicas("m1", SERVICE)?;
    let on = |host: &str| replicas.iter().filter(|replica| replica.node == host).count();
    let workers = cluster.hosts.keys().filter(|host| host.starts_with('w'));
    let worker = workers.max_by_key(|host| on(host)).context("the lab has no worker")?.clone();
    let lost = on(&worker);
    let stream = Stream::start(&cluster.addresses_without(&worker));

    println!("$ drover lab kill {worker}        # {lost} replicas run there");
    let began = Instant::now();
    program::run(cluster.lab("kill").arg(&worker))?;
    cluster.dead.insert(worker.clone());
    cluster.wait_for_replicas("m1", SERVICE, REPLICAS_SCALED, |replicas| {
        replicas.iter().all(|replica| replica.node != worker)
    })?;
    println!("{REPLICAS_SCALED}/{REPLICAS_SCALED} again without {worker}: {}", seconds(began.elapsed()));
    let tally = stream.stop();
    println!("{tally}");
    if tally.asked == tally.failed {
        bail!("no request was answered");
    }
    cluster.show_on("m1", &["service", "ps", SERVICE, "--filter", "desired-state=running"])
}

pub fn say_how_to_go_on(cluster: &mut Cluster) -> Result<()> {
    let folder = cluster.drover().parent().context("the binary lies in a folder")?.display();
    let named = if cluster.name() == "lab" { String::new() } else { format!(" --name {}", cluster.name()) };
    let mut lines = vec![
        (format!("export PATH={folder}:$PATH"), "so that the shell finds drover".to_owned()),
        (format!("drover lab ps{named}"), "the hosts".to_owned()),
        (format!("drover lab exec{named} m1 -- drover node ls"), "any command on a host".to_owned()),
        (
            format!("drover lab exec{named} m1 -- docker service ps {SERVICE}"),
            "the docker client, too".to_owned(),
        ),
    ];
    if let Some((host, address)) = cluster.hosts.iter().find(|(host, _)| !cluster.dead.contains(*host)) {
        lines.push((
            format!("curl http://{address}:{}/", requests::PORT),
            format!("port of {host}, from this machine"),
        ));
    }
    for host in &cluster.dead {
        lines.push((format!("drover lab start{named} {host}"), "bring the killed host back".to_owned()));
    }
    lines.push((format!("drover lab down{named}"), "take everything down; nothing stays behind".to_owned()));
    for (command, what) in lines {
        println!("{command:<56}  # {what}");
    }
    Ok(())
}
