//! Networks over several hosts: services find each other by name, and those of other networks not at all.

use std::collections::BTreeSet;

use crate::support::{Client, Lab, Said, Service, eventually, turn};

/// Serves the name of its container.
const SERVER: &str = "busybox sh -c 'mkdir /www; hostname >/www/index.html; exec httpd -f -p 80 -h /www'";
const SPREAD: &str = "--replicas-max-per-node 1";

#[test]
fn services_meet_on_their_networks_alone() {
    let _turn = turn();
    let lab = Lab::up("overlays", 1, 2);
    let [drover, docker] = Client::both(&lab, "m1");
    for host in lab.hosts() {
        Client { host, ..drover }.load("busybox");
    }
    networks_are_made(docker);
    let web = Service::create(
        &lab,
        "m1",
        "web",
        &format!("--replicas 3 {SPREAD} --network name=front,alias=shop {SERVER}"),
    );
    let near = guest(&lab, "near", "--network front");
    let far = guest(&lab, "far", "--network back");
    web.until_running(3);

    let address = names_answer(near);
    every_replica_serves(near, &address);
    scaling_changes_names(web, near, &address);
    others_find_nothing(web, near, far);
    networks_in_use_stay(docker);
    for service in [web, near.0, far.0] {
        service.remove();
    }
    eventually(20, "the networks are free", || {
        ["front", "back"]
            .iter()
            .try_for_each(|name| docker.run(&format!("network rm {name}")).tried().map(drop))
    });
    lab.until_nothing_is_left();
}

/// A line that prints who serves at an address.
fn ask(address: &str) -> String {
    format!(
        "(printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} 80 | grep '^[0-9a-f]*$' || echo failed)"
    )
}

/// A service with one container to look from.
#[derive(Clone, Copy)]
struct Guest<'a>(Service<'a>, &'a Lab, &'a str);

fn guest<'a>(lab: &'a Lab, name: &'a str, flags: &str) -> Guest<'a> {
    Guest(Service::create(lab, "m1", name, &format!("{flags} busybox sleep 100000")), lab, name)
}

impl Guest<'_> {
    /// Runs a line in its container.
    fn sh(self, line: &str) -> Said {
        let (tasks, _) = self.0.until_running(1);
        let host = &tasks.first().unwrap().node;
        let Guest(_, lab, name) = self;
        let id = lab.drover(host, &format!("ps -q --filter label=com.docker.swarm.service.name={name}")).ok();
        lab.run(host, &["drover", "exec", &id, "sh", "-c", line])
    }

    /// Returns the addresses of a name.
    fn addresses(self, name: &str) -> Result<BTreeSet<String>, String> {
        // The first address is the resolver's own.
        let said = self.sh(&format!("nslookup {name} 2>&1 | grep -A99 ^Name"));
        let found = said.out.lines().filter_map(|line| line.strip_prefix("Address")?.split(' ').nth(1));
        let found: BTreeSet<String> = found.map(str::to_owned).collect();
        if found.is_empty() { Err(format!("{said:?}")) } else { Ok(found) }
    }
}

fn networks_are_made(docker: Client<'_>) {
    docker.run("network create --driver overlay --subnet 10.77.0.0/24 --attachable front").ok();
    docker.run("network create --driver overlay --internal back").ok();
    docker.run("network ls --filter driver=overlay --format '{{.Name}} {{.Scope}}'").says(&[
        "back swarm",
        "front swarm",
        "ingress swarm",
    ]);
    docker.run("network create --driver overlay front").refused(&["front already exists"]);
    docker.run("network create --driver overlay --subnet 10.77.0.0/16 wide").refused(&["overlap"]);
    docker.run("network inspect front --format '{{(index .IPAM.Config 0).Subnet}}'").says(&["10.77.0.0/24"]);
    docker.run("network rm nothing").refused(&["nothing"]);
}

/// Returns the address of the service.
fn names_answer(guest: Guest<'_>) -> String {
    let told = "service inspect web --format '{{range .Endpoint.VirtualIPs}}{{.Addr}} {{end}}'";
    let vip = guest.1.drover("m1", told).ok();
    let vip = vip.split('/').next().unwrap().to_owned();
    eventually(10, "the names are known", || {
        let (web, shop) = (guest.addresses("web")?, guest.addresses("shop")?);
        let tasks = guest.addresses("tasks.web")?;
        let is_so = web == BTreeSet::from([vip.clone()]) && shop == web && tasks.len() == 3;
        if is_so { Ok(()) } else { Err(format!("{web:?} {shop:?} {tasks:?}, not {vip}")) }
    });
    assert!(guest.addresses("nothing.invalid").is_err());
    vip
}

fn every_replica_serves(guest: Guest<'_>, address: &str) {
    let said = guest.sh(&format!("for n in $(seq 60); do {}; done | sort | uniq -c", ask(address))).ok();
    assert!(said.lines().count() == 3 && !said.contains("failed"), "{said}");
}

fn scaling_changes_names(web: Service<'_>, guest: Guest<'_>, address: &str) {
    for count in [1, 3] {
        guest.1.drover("m1", &format!("service scale --detach web={count}")).ok();
        web.until_running(count);
        eventually(10, "names follow the tasks", || {
            let tasks = guest.addresses("tasks.web")?;
            if tasks.len() == count { Ok(()) } else { Err(format!("{tasks:?}")) }
        });
        let said = guest.sh(&format!("for n in $(seq 20); do {}; done", ask(address))).ok();
        assert!(!said.contains("failed"), "{said}");
    }
}

fn others_find_nothing(web: Service<'_>, near: Guest<'_>, far: Guest<'_>) {
    let (tasks, _) = web.until_running(3);
    let found = ["web", "tasks.web"].map(|name| near.addresses(name).unwrap());
    let addresses: BTreeSet<String> = found.into_iter().flatten().collect();
    assert_eq!(addresses.len(), 4, "{addresses:?} of {tasks:?}");
    assert!(far.addresses("web").is_err() && far.addresses("tasks.web").is_err());
    for address in addresses {
        assert_eq!(far.sh(&ask(&address)).out, "failed", "{address}");
    }
    // An internal network has no way out; the other has.
    assert_eq!(far.sh("ip route | grep -c ^default").out, "0");
    assert_eq!(near.sh("ip route | grep -c ^default").out, "1");
}

fn networks_in_use_stay(docker: Client<'_>) {
    docker.run("network rm front").refused(&["in use by service"]);
    docker.run("network prune -f").ok();
    docker.run("network inspect front back ingress").ok();
    docker.run("service create --network nothing busybox").refused(&["nothing"]);
}
