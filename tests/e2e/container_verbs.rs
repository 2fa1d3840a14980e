//! Every verb on containers, images and volumes, with both clients.

use std::fs;

use crate::support::{Client, Lab, eventually, turn};

#[test]
fn every_verb_does_what_docker_users_expect() {
    let _turn = turn();
    let lab = Lab::up("verbs", 1, 0);
    let [drover, docker] = Client::both(&lab, "m1");
    drover.load("busybox");
    for client in [drover, docker] {
        life(client);
        looking(client);
        inside(client);
        files(client);
        limits(client);
        networks(client);
        health(client);
        restarts(client);
        images(client);
        cleaning(client);
    }
    lab.until_nothing_is_left();
}

fn life(client: Client<'_>) {
    let id = client.run("create --name one busybox sleep 1000").ok();
    assert_eq!(id.len(), 64, "{id}");
    client.run("ps -a --format '{{.Names}} {{.Status}}'").says(&["one Created"]);
    client
        .run("create --name one busybox")
        .refused(&["Conflict. The container name \"/one\" is already in use"]);
    client.run("start one").says(&["one"]);
    client.run("pause one").says(&["one"]);
    client.run("ps --format '{{.Status}}'").says(&["(Paused)"]);
    client.run("exec one true").refused(&["is paused"]);
    client.run("unpause one").says(&["one"]);
    client.run("rename one two").ok();
    client.run("stop -t 0 two").says(&["two"]);
    client.run("ps -a --format '{{.Status}}'").says(&["Exited (137)"]);
    client.run("restart -t 0 two").says(&["two"]);
    client.run("kill -s USR1 two").says(&["two"]);
    client.run("rm two").refused(&["container is running"]);
    client.run("kill two").ok();
    assert_eq!(client.run("wait two").ok(), "137");
    client.run("kill two").refused(&["is not running"]);
    client.run("rm two").says(&["two"]);
    client.run("start two").refused(&["No such container: two"]);
    client.run("run nothing:1").refused(&["nothing"]);
    client.run("run --name 'bad name' busybox").refused(&["Invalid container name"]);
}

fn looking(client: Client<'_>) {
    client.run("run -d --name seen -l team=a -p 127.0.0.1:8010:80 busybox sh -c 'echo out; echo err >&2; httpd -f -p 80'").ok();
    client.until_says(5, "logs seen", "out");
    let said = client.run("logs -t seen");
    assert!(said.out.starts_with("20") && said.err.contains("err"), "{said:?}");
    client.run("logs --tail 1 seen").ok();
    client.run("top seen").says(&["PID", "httpd"]);
    client.run("port seen").says(&["80/tcp -> 127.0.0.1:8010"]);
    client.run("ps --filter label=team=a --format '{{.Ports}}'").says(&["127.0.0.1:8010->80/tcp"]);
    client.until_serves(8010, "404");
    client
        .run("stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDs}}' seen")
        .says(&["seen", "iB / "]);
    client.run("inspect seen").says(&["\"Running\": true", "\"IPAddress\": \"", "\"team\": \"a\""]);
    client
        .run("inspect --format '{{.Config.Image}} {{json .State.Status}}' seen")
        .says(&["busybox \"running\""]);
    client
        .run("events --since 1m --until 0s --filter container=seen --format '{{.Action}}'")
        .says(&["create", "start"]);
    client.run("rm -f seen").ok();
}

fn inside(client: Client<'_>) {
    client.run("run -d --name in -e A=1 busybox sleep 1000").ok();
    assert_eq!(client.run("exec -e B=2 -w /tmp in sh -c 'echo $A$B; pwd'").ok(), "12\n/tmp");
    assert_eq!(client.run("exec -u nobody in id -u").ok(), "65534");
    assert_eq!(client.run("exec in sh -c 'exit 5'").code, Some(5));
    // What goes wrong after the client was connected comes as the command's own output.
    let said = client.run("exec in nosuchprogram");
    assert!(said.code == Some(127) && said.out.contains("executable file not found"), "{said:?}");
    let program = client.program;
    let shell = |line: &str| client.lab.sh(client.host, line);
    assert_eq!(shell(&format!("echo hello | {program} exec -i in cat")).ok(), "hello");
    assert_eq!(shell(&format!("echo hello | {program} run --rm -i busybox cat")).ok(), "hello");
    assert_eq!(shell(&format!("seq 100000 | {program} run --rm -i busybox tail -n 1")).ok(), "100000");
    shell(&format!("script -qec '{program} run --rm -t busybox tty' /dev/null")).says(&["/dev/pts/0"]);
    shell(&format!(
        "script -qec 'stty rows 33 cols 77; {program} run --rm -it busybox stty size' /dev/null </dev/null"
    ))
    .says(&["33 77"]);
    client.run("rm -f in").ok();
}

fn files(client: Client<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir_all(folder.path().join("tree/deep")).unwrap();
    fs::write(folder.path().join("tree/deep/file"), "content").unwrap();
    client
        .run("create --name box busybox sh -c 'cat /copied/deep/file; rm /etc/group; echo more >/new'")
        .ok();
    client.run(&format!("cp {} box:/copied", at("tree"))).ok();
    client.run(&format!("cp {} box:/nowhere/at/all", at("tree"))).refused(&["nowhere"]);
    assert_eq!(client.run("start -a box").ok(), "content");
    client.run("diff box").says(&["A /copied", "D /etc/group", "A /new"]);
    client.run(&format!("cp box:/copied/. {}", at("back"))).ok();
    assert_eq!(fs::read_to_string(folder.path().join("back/deep/file")).unwrap(), "content");
    client.run(&format!("export -o {} box", at("box.tar"))).ok();
    client
        .lab
        .sh(client.host, &format!("tar -tf {}", at("box.tar")))
        .says(&["copied/deep/file", "bin/busybox"]);
    client
        .run(&format!("import -c 'CMD [\"cat\",\"/new\"]' {} box:imported", at("box.tar")))
        .says(&["sha256:"]);
    assert_eq!(client.run("run --rm box:imported").ok(), "more");
    client.run("rmi box:imported").ok();
    // Links that lead out of the container lead into it all the same.
    client.run("run --name trap busybox ln -s ../../../../../../../../ /out").ok();
    client.run(&format!("cp {} trap:/out/tmp/drover-escaped", at("tree/deep/file"))).ok();
    assert!(!std::path::Path::new("/tmp/drover-escaped").exists());
    client.run("rm box trap").ok();
}

fn limits(client: Client<'_>) {
    client.run("run --name small -m 16m busybox tail /dev/zero").refused(&[]);
    client.run("inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' small").says(&["true 137"]);
    client.run("rm small").ok();
    client.run("run -d --name set -m 64m --cpus 0.5 --pids-limit 50 busybox sleep 1000").ok();
    client.run("update --memory 128m --memory-swap 256m --cpus 1 set").ok();
    client
        .run("inspect --format '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}' set")
        .says(&["134217728 1000000000"]);
    client.run("rm -f set").ok();
    let said = client.run("run --rm --read-only --tmpfs /scratch --ulimit nofile=77:77 --shm-size 1m busybox sh -c 'ulimit -n; touch /scratch/x; touch /y'");
    assert!(said.out.contains("77") && said.err.contains("Read-only file system"), "{said:?}");
    client.run("run --rm --cap-drop ALL busybox chown nobody /tmp").refused(&["Operation not permitted"]);
    client
        .run("run --rm --sysctl net.core.somaxconn=99 busybox cat /proc/sys/net/core/somaxconn")
        .says(&["99"]);
    client.run("run --rm --device /dev/fuse busybox ls /dev/fuse").ok();
    client.run("run --rm busybox ls /dev/fuse").refused(&[]);
    client.run("run --rm -m 1m busybox true").refused(&["Minimum memory limit allowed is 6MB"]);
}

fn networks(client: Client<'_>) {
    assert_eq!(client.run("run --rm --network none busybox ls /sys/class/net").ok(), "lo");
    let links = "cut -d: -f1 /proc/net/dev";
    assert_eq!(
        client.run(&format!("run --rm --network host busybox {links}")).ok(),
        client.lab.sh(client.host, links).ok()
    );
    client.run("run -d --name peer busybox httpd -f -p 80").ok();
    client
        .run("run --rm --network container:peer busybox wget -qO- http://127.0.0.1/bin/nothing")
        .refused(&["404"]);
    client.run("run --rm --add-host shop:10.1.2.3 busybox grep shop /etc/hosts").says(&["10.1.2.3"]);
    client.run("run --rm --dns 10.9.9.9 busybox cat /etc/resolv.conf").says(&["nameserver 10.9.9.9"]);
    client.run("run --rm --network nothing busybox true").refused(&["network nothing not found"]);
    client.run("rm -f peer").ok();
}

fn health(client: Client<'_>) {
    client
        .run("run -d --name sick --health-cmd 'test -e /ok' --health-interval 200ms --health-retries 2 busybox sleep 1000")
        .ok();
    client.until_says(10, "inspect --format '{{.State.Health.Status}}' sick", "unhealthy");
    client.run("exec sick touch /ok").ok();
    client.until_says(10, "ps --format '{{.Status}}'", "(healthy)");
    client.run("rm -f sick").ok();
}

fn restarts(client: Client<'_>) {
    client.run("run -d --name often --restart on-failure:2 busybox sh -c 'exit 4'").ok();
    client.until_says(
        20,
        "inspect --format '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' often",
        "2 exited 4",
    );
    client.run("run -d --name ever --restart always busybox true").ok();
    eventually(20, "it is started over and over", || {
        let count = client.run("inspect --format '{{.RestartCount}}' ever").tried()?;
        if count.parse::<u32>().is_ok_and(|count| count >= 2) { Ok(()) } else { Err(count) }
    });
    client.run("stop ever").ok();
    client.run("rm often ever").ok();
    client.run("run --rm --restart always busybox true").refused(&["--rm", "--restart"]);
}

fn images(client: Client<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("saved.tar").display().to_string();
    client.run("tag busybox other:1").ok();
    client.run(&format!("save -o {tar} busybox other:1")).ok();
    client.run("rmi other:1").says(&["Untagged: other:1"]);
    client.run(&format!("load -i {tar}")).says(&["Loaded image: other:1"]);
    client.run("run -d --name user other:1 sleep 1000").ok();
    client.run("rmi other:1").ok();
    client.run("rmi busybox").refused(&["using"]);
    client.run("rm -f user").ok();
    client.run("image ls busybox").says(&["busybox", "latest"]);
    client.run("history busybox").says(&["cargo xtask image"]);
}

fn cleaning(client: Client<'_>) {
    client.run("run --name gone -v kept:/a -v /anonymous busybox true").ok();
    client.run("system df").says(&["Images", "Containers", "Local Volumes"]);
    client.run("container prune -f").says(&["Deleted Containers"]);
    client.run("volume prune -f").says(&["Deleted Volumes"]);
    client.run("volume ls -q").says(&["kept"]);
    client.run("system prune -f --volumes").ok();
    client.run("volume rm kept").ok();
    client.run("image prune -f").ok();
}
