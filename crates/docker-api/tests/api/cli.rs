//! The unmodified `docker` client.

use docker_api::LocalState;
use engine_json::Channel;
use model::TaskState;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::services::spec;
use crate::support::{Docker, Host, PATIENCE, line};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_founded_shown_changed_and_left() {
    let host = Host::founder().await;
    let docker = Docker::on(&host);

    let refused = docker.try_run("node ls").await;
    let founded = docker.run("swarm init --advertise-addr 10.1.1.1").await;
    let again = docker.try_run("swarm init").await;
    let token = docker.run("swarm join-token -q worker").await;
    let rotated = docker.run("swarm join-token --rotate -q worker").await;
    let command = docker.run("swarm join-token manager").await;
    let updated = docker.run("swarm update --task-history-limit 7").await;
    let info = docker.run("info").await;
    let left = docker.try_run("swarm leave").await;
    docker.run("swarm leave --force").await;

    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("This node is not a swarm manager. Use \"docker swarm init\""),
        "{}",
        refused.err
    );
    assert!(founded.contains("docker swarm join --token SWMTKN-1-"), "{founded}");
    assert!(founded.contains("10.1.1.1:2377"), "{founded}");
    assert!(again.err.contains("This node is already part of a swarm."), "{}", again.err);
    assert!(token.starts_with("SWMTKN-1-") && rotated.starts_with("SWMTKN-1-") && token != rotated);
    assert!(command.contains("10.1.1.1:2377"), "{command}");
    assert!(updated.contains("Swarm updated."), "{updated}");
    for fragment in ["Swarm: active", "Is Manager: true", "Task History Retention Limit: 7", "Managers: 1"] {
        assert!(info.contains(fragment), "{fragment} in {info}");
    }
    assert!(left.err.contains("attempting to leave the swarm"), "{}", left.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_joins() {
    let host = Host::outside(LocalState::Inactive);
    let docker = Docker::on(&host);

    let joined = docker.run("swarm join --token SWMTKN-1-a-b 10.1.1.1:2377").await;

    assert!(joined.contains("This node joined a swarm as a worker."), "{joined}");
    assert_eq!(host.engine.calls(), [r#"join ["10.1.1.1:2377"] SWMTKN-1-a-b"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_listed_inspected_and_updated() {
    let host = Host::manager().await;
    let docker = Docker::on(&host);

    let list = docker.run("node ls").await;
    let tls = docker.run("node ls --format {{.Hostname}}|{{.TLSStatus}}|{{.ManagerStatus}}|{{.Self}}").await;
    docker.run("node update --availability drain --label-add zone=a m1").await;
    let inspected = docker.run("node inspect --pretty self").await;
    let filtered = docker.run("node ls -q --filter role=worker").await;
    let removed = docker.try_run("node rm --force m1").await;
    let promoted = docker.try_run("node demote m1").await;

    assert!(list.contains("m1") && list.contains("Ready") && list.contains("Leader"), "{list}");
    assert_eq!(tls.trim(), "m1|Ready|Leader|true");
    assert!(inspected.contains("Drain"), "{inspected}");
    assert!(inspected.contains("zone=a") && inspected.contains("10.1.1.1"), "{inspected}");
    assert_eq!(filtered, "");
    assert!(removed.code == 1 && removed.err.contains("must be demoted"), "{}", removed.err);
    assert!(promoted.code == 1 && promoted.err.contains("not supported"), "{}", promoted.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_lives_from_create_to_rm() {
    let host = Host::manager().await;
    let docker = Docker::on(&host);
    let create = "service create -d --name web --replicas 2 --publish 8080:8080 --env A=b drover/whoami";

    let id = docker.run(create).await;
    host.cluster().put_task("web", 1, TaskState::Running, TaskState::Running).await;
    let list =
        docker.run("service ls --format {{.Name}}|{{.Mode}}|{{.Replicas}}|{{.Image}}|{{.Ports}}").await;
    let tasks =
        docker.run("service ps web --format {{.Name}}|{{.Node}}|{{.DesiredState}}|{{.CurrentState}}").await;
    let pretty = docker.run("service inspect --pretty web").await;
    let scaled = docker.run("service scale -d web=5").await;
    docker.run("service update -d --image drover/whoami:2 web").await;
    docker.run("service rollback -d web").await;
    let image = docker.run("service inspect --format {{.Spec.TaskTemplate.ContainerSpec.Image}} web").await;
    let on_node = docker.run("node ps m1 --format {{.Name}}|{{.Image}}").await;
    let duplicate = docker.try_run("service create -d --name web drover/whoami").await;
    let taken = docker.try_run("service create -d --name api --publish 8080:80 drover/whoami").await;
    docker.run("service rm web").await;
    let gone = docker.try_run("service inspect web").await;

    assert_eq!(id.trim().len(), 25, "{id}");
    assert_eq!(list.trim(), "web|replicated|1/2|drover/whoami:latest|");
    assert!(tasks.starts_with("web.1|m1|Running|Running "), "{tasks}");
    assert!(pretty.contains("Replicas:\t2") && pretty.contains("A=b"), "{pretty}");
    assert!(scaled.contains("web scaled to 5"), "{scaled}");
    assert_eq!(image.trim(), "drover/whoami:latest");
    assert_eq!(on_node.trim(), "web.1|drover/whoami:latest");
    assert!(duplicate.err.contains("name conflicts with an existing object: service web already exists"));
    assert!(taken.err.contains("port '8080' is already in use by service 'web'"), "{}", taken.err);
    assert!(gone.code == 1 && gone.err.contains("no such service: web"), "{}", gone.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_shown_until_the_service_has_converged() {
    let host = Host::manager().await;
    let docker = Docker::on(&host);
    let child = docker.start("service create --name web --update-monitor 100ms drover/whoami");
    let created = async {
        let mut views = host.cluster().control.proposer().views();
        views.wait_for(|view| view.service_by_name("web").is_some()).await.unwrap();
    };
    timeout(PATIENCE, created).await.expect("the service is made");

    host.cluster().put_task("web", 1, TaskState::Running, TaskState::Running).await;
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it converges").unwrap();

    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("converged"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_name_the_task_and_its_node() {
    let host = Host::manager().await;
    let docker = Docker::on(&host);
    host.create(&spec("web")).await;
    let task = host.cluster().put_task("web", 1, TaskState::Running, TaskState::Running).await;
    host.engine.has_line(line(Some(task), Channel::Stdout, "hello\n"));

    let of_service = docker.run("service logs --no-trunc web").await;
    let raw = docker.run(&format!("service logs --raw --tail 3 {task}")).await;

    assert!(of_service.starts_with(&format!("web.1.{task}@m1")), "{of_service}");
    assert!(of_service.ends_with("| hello\n"), "{of_service}");
    assert_eq!(raw, "hello\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_printed_as_they_happen() {
    let host = Host::manager().await;
    let docker = Docker::on(&host);
    let mut child = docker.start("events --format {{.Type}}|{{.Action}}|{{.Actor.Attributes.name}}");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();

    // The client says nothing when it is connected; services are made until it tells of one.
    let told = async {
        loop {
            host.create(&spec("")).await;
            if let Ok(line) = timeout(std::time::Duration::from_millis(200), lines.next_line()).await {
                return line.unwrap().unwrap();
            }
        }
    };
    let line = timeout(PATIENCE, told).await.expect("events come");

    assert!(line.starts_with("service|create|"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_listed_loaded_pulled_tagged_and_removed() {
    let host = Host::outside(LocalState::Inactive);
    host.engine.has_image("drover/whoami:latest", 200);
    let docker = Docker::on(&host);
    let archive = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(archive.path(), b"an archive").unwrap();

    let list = docker.run("image ls --format {{.Repository}}:{{.Tag}}").await;
    let narrowed = docker.run("images drover/whoami -q").await;
    let inspected = docker.run("image inspect --format {{.Id}} drover/whoami:latest").await;
    let history = docker.run("image history --no-trunc drover/whoami:latest").await;
    let loaded = docker.run(&format!("image load -i {}", archive.path().display())).await;
    let pulled = docker.run("image pull -q reg.local:5000/team/app:1").await;
    docker.run("image tag drover/whoami:latest other/name:2").await;
    let removed = docker.run("image rm drover/whoami:latest").await;
    let missing = docker.try_run("image inspect nope").await;
    let nowhere = docker.try_run("image pull nowhere/x").await;

    assert_eq!(list.trim(), "drover/whoami:latest");
    assert_eq!(narrowed.trim().len(), 12, "{narrowed}");
    assert!(inspected.starts_with("sha256:"), "{inspected}");
    assert!(history.contains("COPY / /"), "{history}");
    assert!(loaded.contains("Loaded image: drover/whoami:latest"), "{loaded}");
    assert_eq!(pulled.trim(), "reg.local:5000/team/app:1");
    assert!(removed.contains("Untagged: drover/whoami:latest"), "{removed}");
    assert!(
        missing.code == 1 && missing.err.to_lowercase().contains("no such image: nope"),
        "{}",
        missing.err
    );
    assert!(nowhere.code == 1 && nowhere.err.contains("manifest for"), "{}", nowhere.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_else_is_empty_or_refused_in_words() {
    let host = Host::manager().await;
    let docker = Docker::on(&host);

    let version = docker.run("version").await;
    let networks = docker.run("network ls --format {{.Name}}|{{.Driver}}|{{.Scope}}").await;
    let network = docker.run("network inspect --format {{.Ingress}} ingress").await;
    for empty in [
        "ps -q",
        "ps -aq",
        "volume ls -q",
        "secret ls -q",
        "config ls -q",
        "plugin ls -q",
        "stack ls --format {{.Name}}",
    ] {
        assert_eq!(docker.run(empty).await, "", "docker {empty}");
    }
    host.create(&spec("web")).await;
    let service = docker.run("inspect --format {{.Spec.Name}} web").await;
    let nothing = docker.try_run("inspect nope").await;
    let created = docker.try_run("plugin install net").await;

    assert!(version.contains("API version:      1.50 (minimum version 1.24)"), "{version}");
    assert!(
        networks.contains("ingress|overlay|swarm\n") && networks.contains("bridge|bridge|local\n"),
        "{networks}"
    );
    assert_eq!(network.trim(), "true");
    assert_eq!(service.trim(), "web");
    assert!(nothing.err.to_lowercase().contains("no such object: nope"), "{}", nothing.err);
    assert!(created.code == 1 && created.err.contains("plugins are not supported"), "{}", created.err);
}
