//! The unmodified docker client, pointed at a host's daemon.

use crate::support::{Lab, Running, Service, box_archive, eventually, turn};

#[test]
fn docker_client_drives_the_cluster() {
    let _turn = turn();
    let lab = Lab::up("docker", 1, 1);
    eventually(10, "two ready nodes", || {
        let text =
            lab.docker("m1", "node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'").tried()?;
        if text.contains("m1 Ready Leader") && text.contains("w1 Ready") { Ok(()) } else { Err(text) }
    });
    about_the_daemon(&lab);
    images(&lab);
    let events = lab.folder("m1").join("events");
    let file = std::fs::File::create(&events).unwrap();
    let mut following = lab.on("m1", &["docker", "events", "--format", "{{.Type}} {{.Action}}"]);
    let _following = Running::printing(following.stdout(file));
    // Events before the client listens are not told, and nothing says when it does.
    eventually(10, "the client hears events", || {
        lab.docker("m1", "node update --label-add heard=no w1").ok();
        lab.docker("m1", "node update --label-rm heard w1").ok();
        let text = std::fs::read_to_string(&events).unwrap();
        if text.contains("node update") { Ok(()) } else { Err(text) }
    });
    services(&lab);
    eventually(10, "events of the service", || {
        let text = std::fs::read_to_string(&events).unwrap();
        let all = ["service create", "service update", "service remove"];
        if all.iter().all(|event| text.contains(event)) { Ok(()) } else { Err(text) }
    });
}

fn about_the_daemon(lab: &Lab) {
    lab.docker("m1", "version").says(&["Client:", "Server:", "API version:"]);
    lab.docker("m1", "info").says(&["Swarm: active", "Is Manager: true", "Managers: 1", "Nodes: 2"]);
    lab.docker("w1", "info").says(&["Swarm: active", "Is Manager: false"]);
    lab.docker("m1", "swarm join-token worker").says(&["To add a worker to this swarm", "SWMTKN-1-"]);
    let former = lab.docker("m1", "swarm join-token -q worker").ok();
    let rotated = lab.docker("m1", "swarm join-token --rotate -q worker").ok();
    assert_ne!(former, rotated);
    lab.docker("w1", "node ls").refused(&["This node is not a swarm manager"]);
    lab.docker("m1", "node inspect w1 --format '{{.Spec.Role}} {{.Status.State}}'").says(&["worker ready"]);
    lab.docker("m1", "node update --label-add disk=ssd w1").ok();
    lab.docker("m1", "node inspect w1 --format '{{.Spec.Labels.disk}}'").says(&["ssd"]);
}

fn images(lab: &Lab) {
    let folder = tempfile::tempdir().unwrap();
    let archive = box_archive(folder.path());
    for host in lab.hosts() {
        lab.docker(host, &format!("image load -i {}", archive.display())).says(&["Loaded image: test/box:1"]);
    }
    lab.docker("m1", "image ls").says(&["test/box", "drover/whoami"]);
    lab.docker("m1", "image inspect test/box:1 --format '{{.Os}}/{{.Architecture}}'").says(&["linux/amd64"]);
    lab.docker("m1", "image inspect nothing:1").refused(&["No such image: nothing:1"]);
    // Nothing listens there: the client is told what was tried.
    lab.docker("m1", "image pull 127.0.0.1:9/nothing:1").refused(&["127.0.0.1:9"]);
    lab.docker("w1", "image rm test/box:1").says(&["Untagged: test/box:1"]);
    lab.docker("w1", &format!("image load -q -i {}", archive.display())).ok();
}

fn services(lab: &Lab) {
    let create = "service create --name web --replicas 2 --env COLOUR=red --label team=a --publish 8080:8080 \
                  --detach drover/whoami";
    let id = lab.docker("m1", create).ok();
    assert_eq!(id.len(), 25, "{id}");
    let web = Service::named(lab, "m1", "web");
    web.until_running(2);
    lab.docker("m1", "service ls").says(&["web", "replicated", "2/2", "*:8080->8080/tcp"]);
    lab.docker("m1", "service ps web").says(&["web.1", "web.2", "Running"]);
    lab.docker("m1", "service inspect --pretty web").says(&["Name:", "web", "COLOUR=red", "Replicas:"]);
    lab.docker("m1", "service scale --detach web=4").says(&["web scaled to 4"]);
    web.until_running(4);
    let logs = lab.docker("m1", "service logs web").ok();
    assert_eq!(logs.lines().filter(|line| line.contains("answers on port")).count(), 4, "{logs}");
    lab.docker("m1", "node ps w1").says(&["web."]);
    lab.docker("m1", "service create --detach --name web drover/whoami").refused(&["already exists"]);
    lab.docker("m1", "service rm web").says(&["web"]);
    lab.docker("m1", "service inspect web").refused(&["no such service: web"]);
    lab.until_nothing_is_left();
}
