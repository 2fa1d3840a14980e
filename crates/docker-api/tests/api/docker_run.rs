//! Containers, volumes and their neighbours with the unmodified `docker` client.

use container_json::{EndpointSettings, MountPoint, Port, Summary, Volume};
use docker_api::LocalState;
use engine_json as json;

use crate::support::{Docker, Host, container};

fn host() -> Host {
    let host = Host::outside(LocalState::Inactive);
    let mut web = container("web");
    web.network_settings.ports.insert(
        "80/tcp".into(),
        Some(vec![container_json::PortBinding { host_ip: "0.0.0.0".into(), host_port: "8080".into() }]),
    );
    host.engine.knows(web);
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_run_to_its_end() {
    let host = host();
    let docker = Docker::on(&host);

    let run = docker.run("run --name x --memory 64m nginx echo").await;
    let fed = docker.try_run("run --name y -i nginx cat").await;
    let detached = docker.run("run -d --name z nginx").await;
    let created = docker.run("create --name c nginx").await;
    let missing = docker.try_run("run --pull never missing").await;

    assert_eq!(run, "hello\n");
    assert_eq!((fed.code, fed.out.as_str(), fed.err.as_str()), (0, "hello\n", "heard "));
    assert_eq!(detached.trim().len(), 64, "{detached}");
    assert_eq!(created, detached);
    assert!(missing.code == 125 && missing.err.contains("No such image: missing:latest"), "{}", missing.err);
    let calls = host.engine.calls();
    let kinds: Vec<&str> = calls.iter().take(4).map(|call| call.split(' ').next().unwrap()).collect();
    assert_eq!(kinds, ["create", "attach", "wait", "start"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbs_of_a_life_do_what_they_say() {
    let host = host();
    let docker = Docker::on(&host);

    for words in ["stop -t 3 web", "restart web", "kill -s HUP web", "pause web", "unpause web"] {
        assert_eq!(docker.run(words).await, "web\n", "docker {words}");
    }
    assert_eq!(docker.run("start web").await, "web\n");
    assert_eq!(docker.run("wait web").await, "0\n");
    assert_eq!(docker.run("update --memory 64m web").await, "web\n");
    assert_eq!(docker.run("rm -fv web").await, "web\n");
    docker.run("rename web api").await;
    let gone = docker.try_run("stop nope").await;

    assert!(gone.code == 1 && gone.err.contains("No such container: nope"), "{}", gone.err);
    assert_eq!(host.engine.calls()[0], r#"stop web "" Some(3)"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_are_listed_and_described() {
    let host = host();
    let mut shown = Summary {
        id: "c0ffee".repeat(10) + "c0ff",
        names: vec!["/web".into()],
        image: "nginx".into(),
        command: "nginx -g".into(),
        state: "running".into(),
        status: "Up 5 minutes (healthy)".into(),
        ports: vec![Port { ip: "0.0.0.0".into(), private_port: 80, public_port: 8080, kind: "tcp".into() }],
        mounts: vec![MountPoint { kind: "volume".into(), name: "data".into(), ..MountPoint::default() }],
        ..Summary::default()
    };
    shown.network_settings.networks.insert("bridge".into(), EndpointSettings::default());
    host.engine.has_container(shown);
    let docker = Docker::on(&host);

    let list =
        docker.run("ps --format {{.ID}}|{{.Names}}|{{.Ports}}|{{.Mounts}}|{{.Networks}}|{{.Status}}").await;
    let narrowed = docker.run("ps -aq --filter name=^/web$ --filter publish=8080 --filter volume=data").await;
    let size = docker.run("ps -s --format {{.Size}}").await;
    let none = docker.run("ps -q --filter status=exited").await;
    let inspected =
        docker.run("inspect --format {{.Name}}|{{.State.Running}}|{{.HostConfig.Memory}} web").await;
    let port = docker.run("port web 80").await;

    assert_eq!(list.trim(), "c0ffeec0ffee|web|0.0.0.0:8080->80/tcp|data|bridge|Up 5 minutes (healthy)");
    assert_eq!((narrowed.trim(), none.as_str()), ("c0ffeec0ffee", ""));
    assert_eq!(size.trim(), "1kB (virtual 5MB)");
    assert_eq!(inspected.trim(), "/web|true|0");
    assert_eq!(port.trim(), "0.0.0.0:8080");
}

#[tokio::test(flavor = "multi_thread")]
async fn running_containers_are_looked_into() {
    let host = host();
    let docker = Docker::on(&host);

    let exec = docker.try_run("exec -u 5 web ls").await;
    let fed = docker.try_run("exec -i web cat").await;
    let detached = docker.run("exec -d web ls").await;
    let logs = docker.run("logs --since 10m --tail 5 -t web").await;
    let top = docker.run("top web aux").await;
    let diff = docker.run("diff web").await;
    let stats =
        docker.run("stats --no-stream --format {{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.PIDs}} web").await;
    host.engine.end(0);
    let attached = docker.run("attach --no-stdin web").await;

    assert_eq!((exec.code, exec.out.as_str()), (3, "hello\n"));
    assert_eq!((fed.code, fed.out.as_str(), fed.err.as_str()), (3, "hello\n", "heard "));
    assert_eq!((detached.as_str(), logs.as_str()), ("", "line\n"));
    assert!(top.starts_with("PID") && top.contains("42"), "{top}");
    assert_eq!(diff, "C /etc\nA /etc/x\n");
    assert_eq!(stats.trim(), "web|50.00%|2MiB / 64MiB|4");
    assert_eq!(attached, "hello\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_copied_in_and_out() {
    let host = host();
    let docker = Docker::on(&host);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page");
    std::fs::write(&file, "hello").unwrap();
    let (file, exported) = (file.display(), folder.path().join("tree.tar"));
    host.engine.packs(b"a tar".to_vec());

    docker.run(&format!("cp {file} web:/tmp")).await;
    let out = docker.run("cp web:/etc/passwd -").await;
    docker.run(&format!("export -o {} web", exported.display())).await;
    let missing = docker.try_run(&format!("cp {file} nope:/tmp")).await;

    assert_eq!(out, "a tar");
    assert_eq!(std::fs::read(exported).unwrap(), b"a tree");
    assert!(missing.err.contains("No such container: nope"), "{}", missing.err);
    let unpacked =
        host.engine.calls().iter().any(|call| {
            call == "unpack web /tmp Unpack { no_overwrite_dir_non_dir: true, copy_uid_gid: false }"
        });
    assert!(unpacked, "{:?}", host.engine.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_live_from_create_to_rm() {
    let host = host();
    host.engine.has_volume(Volume { name: "used".into(), driver: "local".into(), ..Volume::default() });
    let docker = Docker::on(&host);

    let created = docker.run("volume create --label a=b --opt type=tmpfs mydata").await;
    let list = docker.run("volume ls --filter label=a --format {{.Driver}}|{{.Name}}").await;
    let shown = docker.run("volume inspect --format {{.Mountpoint}}|{{.Options.type}} mydata").await;
    let in_use = docker.try_run("volume rm used").await;
    let removed = docker.run("volume rm mydata").await;
    let pruned = docker.run("volume prune -f").await;

    assert_eq!((created.as_str(), removed.as_str()), ("mydata\n", "mydata\n"));
    assert_eq!(list.trim(), "local|mydata");
    assert_eq!(shown.trim(), "/var/lib/drover/volumes/mydata/_data|tmpfs");
    assert!(in_use.code == 1 && in_use.err.contains("volume is in use - [c0ffee]"), "{}", in_use.err);
    assert!(pruned.contains("old") && pruned.contains("1kB"), "{pruned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_host_is_measured_and_cleaned() {
    let host = host();
    let docker = Docker::on(&host);

    let usage = docker.run("system df --format {{.Type}}|{{.Size}}|{{.Reclaimable}}").await;
    let pruned = docker.run("system prune -f --volumes").await;
    let images = docker.run("image prune -af --filter until=24h").await;
    let login = docker.run("login -u ann -p right reg").await;
    let refused = docker.try_run("login -u ann -p wrong reg").await;

    for line in [
        "Images|5MB|1MB (20%)",
        "Containers|7kB|7kB (100%)",
        "Local Volumes|3MB|0B (0%)",
        "Build Cache|0B|0B",
    ] {
        assert!(usage.contains(line), "{line} in {usage}");
    }
    assert!(
        pruned.contains("Deleted Containers:\nold") && pruned.contains("Deleted Volumes:\nold"),
        "{pruned}"
    );
    assert!(images.contains("deleted: sha256:1") && images.contains("2MB"), "{images}");
    assert!(login.contains("Login Succeeded"), "{login}");
    assert!(refused.code == 1 && refused.err.contains("unauthorized"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_saved_pushed_and_imported() {
    let host = host();
    host.engine.has_image("reg:5000/team/app:1", 100);
    let docker = Docker::on(&host);
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("app.tar");

    docker.run(&format!("save -o {} reg:5000/team/app:1", saved.display())).await;
    let pushed = docker.run("push reg:5000/team/app:1").await;
    let imported = docker.run(&format!("import -m said -c WORKDIR=/x {} app:2", saved.display())).await;

    assert_eq!(std::fs::read(&saved).unwrap(), b"an archive");
    assert!(pushed.contains("layer: Pushed") && pushed.contains("1: digest: sha256:0"), "{pushed}");
    assert_eq!(imported.trim(), "sha256:1");
    assert_eq!(
        host.engine.calls(),
        [
            r#"save ["reg:5000/team/app:1"] "#,
            "push reg:5000/team/app:1 ",
            r#"import app:2 "said" ["WORKDIR=/x"] 10"#
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_on_the_host_is_told_with_its_history() {
    let host = host();
    let event = |kind: &str, action: &str, name: &str, at: i64| json::Event {
        kind: kind.into(),
        action: action.into(),
        actor: json::Actor { id: name.into(), attributes: [("name".to_owned(), name.to_owned())].into() },
        scope: "local".into(),
        time: at,
        time_nano: at * 1_000_000_000,
        ..json::Event::default()
    };
    host.engine.happens(event("container", "create", "web", 100));
    host.engine.happens(event("volume", "create", "data", 101));
    host.engine.happens(event("container", "health_status: healthy", "web", 102));
    host.engine.happens(event("container", "die", "web", 103));
    let docker = Docker::on(&host);
    let format = "--format {{.Type}}|{{.Action}}|{{.Actor.ID}}";

    let all = docker.run(&format!("events --since 100 --until 102 {format}")).await;
    let health =
        docker.run(&format!("events --since 0 --until 200 --filter event=health_status {format}")).await;
    let volumes = docker.run(&format!("events --since 1 --until 200 --filter type=volume {format}")).await;
    let of_web = docker.run(&format!("events --since 101 --until 200 --filter container=web {format}")).await;

    assert_eq!(all, "container|create|web\nvolume|create|data\ncontainer|health_status: healthy|web\n");
    assert_eq!(health, "container|health_status: healthy|web\n");
    assert_eq!(volumes, "volume|create|data\n");
    assert_eq!(of_web, "container|health_status: healthy|web\ncontainer|die|web\n");
}
