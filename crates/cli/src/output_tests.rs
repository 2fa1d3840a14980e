//! Whole commands against a daemon that answers from a list; outputs are those of the docker CLI 28.2.2.

use engine_json::Time;
use serde_json::{Value, json};

use crate::fake::{answers, run, run_words};

fn ago(seconds: i64) -> String {
    let now = i64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos()).unwrap();
    Time::from_nanoseconds(now - seconds * 1_000_000_000).to_string()
}

fn service(id: &str, name: &str, image: &str, mode: Value, counts: [u64; 3]) -> Value {
    let [running, desired, completed] = counts;
    json!({"ID": id, "Spec": {"Name": name, "Mode": mode, "TaskTemplate": {"ContainerSpec": {"Image": image}}},
        "ServiceStatus": {"RunningTasks": running, "DesiredTasks": desired, "CompletedTasks": completed}})
}

#[tokio::test]
async fn services_are_listed_by_name() {
    let mut web = service(
        "s1ccccccccccccc",
        "web",
        "nginx:1.25@sha256:ab",
        json!({"Replicated": {"Replicas": 3}}),
        [2, 3, 0],
    );
    let port = |published: u32, target: u32, protocol: &str, mode: &str| json!({"PublishedPort": published, "TargetPort": target, "Protocol": protocol, "PublishMode": mode});
    web["Endpoint"] = json!({"Ports": [port(8080, 80, "tcp", "ingress"), port(7000, 7000, "tcp", "ingress"),
        port(7001, 7001, "tcp", "ingress"), port(53, 53, "udp", "ingress"), port(9, 9, "tcp", "host")]});
    let mut limited =
        service("s4gggggggggggg", "w10", "x", json!({"Replicated": {"Replicas": 3}}), [0, 3, 0]);
    limited["Spec"]["TaskTemplate"]["Placement"] = json!({"MaxReplicas": 2});
    let job = json!({"ReplicatedJob": {"MaxConcurrent": 2, "TotalCompletions": 5}});
    let list = json!([
        web,
        service("s2dddddddddddd", "agent", "busybox", json!({"Global": {}}), [4, 4, 0]),
        limited,
        service("s3eeeeeeeeeeee", "w2", "y", job, [2, 2, 1])
    ]);

    let plain =
        run("service ls --filter name=w -f mode=global", answers([("GET /services", list.clone())])).await;
    let quiet = run("service ls -q", answers([("GET /services", list.clone())])).await;
    let json = run("service ls --format json", answers([("GET /services", list.clone())])).await;
    let own = run_words(
        &["service", "ls", "--format", "table {{.Name}}\\t{{upper .Mode}}"],
        answers([("GET /services", list)]),
    )
    .await;

    assert_eq!(plain.out, "\
ID             NAME      MODE             REPLICAS               IMAGE        PORTS
s2dddddddddd   agent     global           4/4                    busybox      
s3eeeeeeeeee   w2        replicated job   2/2 (1/5 completed)    y            
s4gggggggggg   w10       replicated       0/3 (max 2 per node)   x            
s1cccccccccc   web       replicated       2/3                    nginx:1.25   *:7000-7001->7000-7001/tcp, *:8080->80/tcp, *:53->53/udp
");
    assert_eq!(
        plain.requests[0].0,
        "GET /services?filters=%7B%22mode%22%3A%7B%22global%22%3Atrue%7D%2C%22name%22%3A%7B%22w%22%3Atrue%7D%7D&status=true"
    );
    assert_eq!(quiet.out, "s2dddddddddd\ns3eeeeeeeeee\ns4gggggggggg\ns1cccccccccc\n");
    assert_eq!(quiet.requests[0].0, "GET /services");
    assert_eq!(
        json.out.lines().next(),
        Some(
            r#"{"ID":"s2dddddddddd","Image":"busybox","Mode":"global","Name":"agent","Ports":"","Replicas":"4/4"}"#
        )
    );
    assert_eq!(own.out.lines().nth(2), Some("w2        REPLICATED JOB"));
}

fn task(id: &str, slot: u32, states: [&str; 2], ages: [i64; 2], err: &str) -> Value {
    let [created, changed] = ages;
    let [desired, state] = states;
    json!({"ID": id, "ServiceID": "s1", "Slot": slot, "NodeID": "n1", "CreatedAt": ago(created), "DesiredState": desired,
        "Spec": {"ContainerSpec": {"Image": "nginx:1@sha256:ab"}},
        "Status": {"State": state, "Timestamp": ago(changed), "Err": err, "PortStatus": {}}})
}

#[tokio::test]
async fn tasks_of_a_slot_stand_together_newest_first() {
    let mut published = task("t3aaaaaaaaaaaaa", 1, ["running", "running"], [300, 100], "");
    published["Status"]["PortStatus"] =
        json!({"Ports": [{"PublishedPort": 9, "TargetPort": 80, "Protocol": "tcp"}]});
    let tasks = json!([
        task(
            "t2aaaaaaaaaaaaa",
            10,
            ["running", "pending"],
            [400, 90],
            "no suitable node (1 node not available)"
        ),
        task("t5aaaaaaaaaaaaa", 1, ["shutdown", "shutdown"], [5000, 7300], ""),
        task("t4aaaaaaaaaaaaa", 1, ["shutdown", "failed"], [900, 200], "task: non-zero exit (1)"),
        published,
        task("t1aaaaaaaaaaaaa", 2, ["running", "running"], [500, 125], ""),
    ]);
    let known = answers([
        ("GET /services", json!([{"ID": "s1", "Spec": {"Name": "web"}}])),
        ("GET /services/s1", json!({"ID": "s1", "Spec": {"Name": "web"}})),
        ("GET /nodes/n1", json!({"ID": "n1", "Description": {"Hostname": "m1"}})),
        ("GET /tasks", tasks),
    ]);

    let outcome = run("service ps web", known).await;

    assert_eq!(outcome.out, "\
ID             NAME        IMAGE     NODE      DESIRED STATE   CURRENT STATE                ERROR                              PORTS
t3aaaaaaaaaa   web.1       nginx:1   m1        Running         Running about a minute ago                                      *:9->80/tcp
t4aaaaaaaaaa    \\_ web.1   nginx:1   m1        Shutdown        Failed 3 minutes ago         \"task: non-zero exit (1)\"          
t5aaaaaaaaaa    \\_ web.1   nginx:1   m1        Shutdown        Shutdown 2 hours ago                                            
t1aaaaaaaaaa   web.2       nginx:1   m1        Running         Running 2 minutes ago                                           
t2aaaaaaaaaa   web.10      nginx:1   m1        Running         Pending about a minute ago   \"no suitable node (1 node not …\"   
");
}

#[tokio::test]
async fn a_missing_service_spares_the_others() {
    let known = answers([
        ("GET /services", json!([{"ID": "s1", "Spec": {"Name": "web"}}])),
        ("GET /tasks", json!([])),
    ]);

    let outcome = run("service ps web gone", known).await;

    assert!(outcome.out.starts_with("ID        NAME"), "{}", outcome.out);
    assert_eq!(outcome.err, "no such service: gone\n");
}

#[tokio::test]
async fn nodes_are_listed_with_this_one_marked() {
    let node = |id: &str, host: &str, state: &str, availability: &str, manager: Value| {
        json!({"ID": id, "Description": {"Hostname": host, "Engine": {"EngineVersion": "0.1.0"}},
            "Spec": {"Availability": availability}, "Status": {"State": state}, "ManagerStatus": manager})
    };
    let known = answers([
        (
            "GET /nodes",
            json!([
                node("w1bbbbbbbbbbbbbbbbbbbbbbb", "w1", "down", "drain", Value::Null),
                node(
                    "m2fffffffffffffffffffffff",
                    "m10",
                    "ready",
                    "pause",
                    json!({"Reachability": "unreachable"})
                ),
                node("m1aaaaaaaaaaaaaaaaaaaaaaa", "m2", "ready", "active", json!({"Leader": true})),
            ]),
        ),
        ("GET /info", json!({"Swarm": {"NodeID": "m1aaaaaaaaaaaaaaaaaaaaaaa"}})),
    ]);

    let outcome = run("node ls", known).await;

    assert_eq!(
        outcome.out,
        "\
ID                            HOSTNAME   STATUS    AVAILABILITY   MANAGER STATUS   ENGINE VERSION
m1aaaaaaaaaaaaaaaaaaaaaaa *   m2         Ready     Active         Leader           0.1.0
m2fffffffffffffffffffffff     m10        Ready     Pause          Unreachable      0.1.0
w1bbbbbbbbbbbbbbbbbbbbbbb     w1         Down      Drain                           0.1.0
"
    );
}

#[tokio::test]
async fn images_are_listed_once_per_name() {
    let created = time::OffsetDateTime::now_utc().unix_timestamp() - 3 * 86400;
    let known = answers([(
        "GET /images/json",
        json!([
            {"Id": format!("sha256:{}", "c1".repeat(32)), "Created": created, "Size": 187_654_321,
             "RepoTags": ["nginx:1.25", "localhost:5000/a/b:v1"], "RepoDigests": ["nginx@sha256:d2"]},
            {"Id": format!("sha256:{}", "c3".repeat(32)), "Created": created, "Size": 1234, "RepoTags": null,
             "RepoDigests": null},
        ]),
    )]);

    let outcome = run("images", known.clone()).await;
    let digests = run_words(&["image", "ls", "--format", "{{.Repository}}@{{.Digest}}"], known).await;

    assert_eq!(
        outcome.out,
        "\
REPOSITORY           TAG       IMAGE ID       CREATED      SIZE
nginx                1.25      c1c1c1c1c1c1   3 days ago   188MB
localhost:5000/a/b   v1        c1c1c1c1c1c1   3 days ago   188MB
<none>               <none>    c3c3c3c3c3c3   3 days ago   1.23kB
"
    );
    assert_eq!(digests.out, "nginx@sha256:d2\nlocalhost:5000/a/b@<none>\n<none>@<none>\n");
}

#[tokio::test]
async fn founding_a_cluster_tells_how_to_join() {
    let known = answers([
        ("POST /swarm/init", json!("\"m1\"")),
        ("GET /nodes/m1", json!({"ID": "m1", "ManagerStatus": {"Leader": true, "Addr": "10.0.0.1:2377"}})),
        ("GET /swarm", json!({"JoinTokens": {"Worker": "SWMTKN-1-w", "Manager": "SWMTKN-1-m"}})),
    ]);

    let outcome = run("swarm init --advertise-addr 10.0.0.1 --task-history-limit -1", known).await;

    assert_eq!(
        outcome.out,
        "\
Swarm initialized: current node (m1) is now a manager.

To add a worker to this swarm, run the following command:

    drover swarm join --token SWMTKN-1-w 10.0.0.1:2377

To add a manager to this swarm, run 'drover swarm join-token manager' and follow the instructions.
"
    );
    let body = &outcome.requests[0].1;
    assert_eq!(body["AdvertiseAddr"], json!("10.0.0.1"));
    assert_eq!(body["ListenAddr"], json!("0.0.0.0:2377"));
    assert_eq!(body["Spec"]["Orchestration"], json!({"TaskHistoryRetentionLimit": -1}));
}

#[tokio::test]
async fn joining_tells_as_what() {
    for (control, role) in [(true, "manager"), (false, "worker")] {
        let known = answers([
            ("POST /swarm/join", json!("")),
            ("GET /info", json!({"Swarm": {"ControlAvailable": control}})),
        ]);

        let outcome = run("swarm join --token SWMTKN-1-w 10.0.0.1:2377", known).await;

        assert_eq!(outcome.out, format!("This node joined a swarm as a {role}.\n"));
        assert_eq!(outcome.requests[0].1["RemoteAddrs"], json!(["10.0.0.1:2377"]));
    }
}

#[tokio::test]
async fn errors_of_one_name_spare_the_others() {
    let known = answers([("DELETE /services/web", json!("")), ("DELETE /services/api", json!(""))]);

    let outcome = run("service rm web gone api", known).await;

    assert_eq!(outcome.out, "web\napi\n");
    assert_eq!(outcome.err, "Error response from daemon: page not found\n");
}

#[tokio::test]
async fn a_pull_shows_its_steps_and_its_failure() {
    let lines = |lines: &[Value]| json!(lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
    let good = lines(&[
        json!({"status": "Pulling from library/nginx", "id": "latest"}),
        json!({"status": "Pulling fs layer", "progressDetail": {}, "id": "aaa"}),
        json!({"status": "Downloading", "progressDetail": {"current": 5, "total": 10}, "id": "aaa"}),
        json!({"status": "Pull complete", "progressDetail": {}, "id": "aaa"}),
    ]);
    let bad = lines(&[
        json!({"status": "Pulling", "id": "x"}),
        json!({"errorDetail": {"message": "disk full"}, "error": "disk full"}),
    ]);

    let pulled = run("pull nginx", answers([("POST /images/create", good)])).await;
    let failed = run("pull localhost:5000/x@sha256:ab", answers([("POST /images/create", bad)])).await;

    assert_eq!(
        pulled.out,
        "Using default tag: latest\nlatest: Pulling from library/nginx\naaa: Pulling fs layer\naaa: Pull complete\n\
         docker.io/library/nginx:latest\n"
    );
    assert_eq!(pulled.requests[0].0, "POST /images/create?fromImage=docker.io%2Flibrary%2Fnginx&tag=latest");
    assert_eq!(failed.err, "disk full\n");
    assert_eq!(failed.requests[0].0, "POST /images/create?fromImage=localhost%3A5000%2Fx&tag=sha256%3Aab");
}

#[tokio::test]
async fn loading_sends_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    std::fs::write(&path, "\"bytes\"").unwrap();
    let known = answers([("POST /images/load", json!("{\"stream\":\"Loaded image: nginx:latest\\n\"}\r\n"))]);

    let outcome = run_words(&["load", "-i", path.to_str().unwrap()], known).await;
    let known = answers([("POST /images/load", json!("{\"stream\":\"Loaded image: nginx:latest\\n\"}\r\n"))]);
    let quiet = run_words(&["load", "-q", "-i", path.to_str().unwrap()], known).await;
    assert_eq!(quiet.out, "Loaded image: nginx:latest\n");
    let missing = run("load -i /nowhere/image.tar", answers([])).await;

    assert_eq!(outcome.out, "Loaded image: nginx:latest\n");
    assert_eq!(outcome.requests, [("POST /images/load?quiet=1".to_owned(), json!("bytes"))]);
    assert_eq!(missing.err, "open /nowhere/image.tar: No such file or directory (os error 2)\n");
}

#[tokio::test]
async fn inspecting_keeps_the_daemons_order() {
    let mut known = answers([]);
    known.insert("GET /services/web".into(), (200, json!("{\"ID\":\"abc\",\"B\":{},\"A\":[1]}\n")));

    let both = run("service inspect web gone", known.clone()).await;
    let template = run_words(&["service", "inspect", "-f", "{{.ID}}-{{.Nope}}", "web"], known).await;

    assert_eq!(
        both.out,
        "[\n    {\n        \"ID\": \"abc\",\n        \"B\": {},\n        \"A\": [\n            1\n        ]\n    }\n]\n"
    );
    assert_eq!(both.err, "no such service: gone\n");
    assert_eq!(template.out, "abc-<no value>\n");
}

#[tokio::test]
async fn logs_say_whose_each_line_is() {
    let frame = |channel: engine_json::Channel, line: &str| {
        let details = "com.docker.swarm.node.id=n1,com.docker.swarm.service.id=s1,com.docker.swarm.task.id=t1aaaaaaaaaaaaa";
        String::from_utf8(
            engine_json::Frame { channel, payload: format!("{details} {line}\n").as_bytes() }.encode(),
        )
        .unwrap()
    };
    let stream = frame(engine_json::Channel::Stdout, "hello") + &frame(engine_json::Channel::Stderr, "oops");
    let known = answers([
        ("GET /services/web", json!({"ID": "s1", "Spec": {"Name": "web"}})),
        ("GET /services/s1", json!({"ID": "s1", "Spec": {"Name": "web"}})),
        ("GET /nodes/n1", json!({"ID": "n1", "Description": {"Hostname": "m1"}})),
        ("GET /tasks/t1aaaaaaaaaaaaa", json!({"ID": "t1", "ServiceID": "s1", "Slot": 2, "NodeID": "n1"})),
        ("GET /services/s1/logs", json!(stream)),
    ]);

    let outcome = run("service logs web", known).await;

    assert_eq!(outcome.out, "web.2.t1aaaaaaaaaa@m1    | hello\n");
    assert_eq!(outcome.err, "web.2.t1aaaaaaaaaa@m1    | oops\n");
}

#[tokio::test]
async fn a_dead_daemon_is_named() {
    let mut context = client::Context {
        engine: client::Engine::new("unix:///nowhere/d.sock".parse().unwrap()),
        console: client::Console::process(),
    };

    let error =
        crate::system::info::run(&mut context, crate::system::info::Arguments::default()).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "Cannot connect to the Drover daemon at unix:///nowhere/d.sock. Is the daemon running?"
    );
}

#[tokio::test]
async fn what_takes_room_is_summed_up() {
    let usage = json!({"LayersSize": 500_000,
        "Images": [{"Id": format!("sha256:{}", "1".repeat(64)), "RepoTags": ["x:1"], "Size": 300_000, "SharedSize": 100,
                "Containers": 1, "Created": 1_700_000_000},
            {"Id": format!("sha256:{}", "2".repeat(64)), "Size": 200_000, "SharedSize": 0, "Containers": 0}],
        "Containers": [{"Id": "a".repeat(64), "Names": ["/web"], "Image": "x:1", "SizeRw": 10, "State": "running",
                "Command": "sh", "Status": "Up"},
            {"Id": "b".repeat(64), "Names": ["/old"], "Image": "x:1", "SizeRw": 20, "State": "exited",
                "Command": "sh", "Status": "Exited"}],
        "Volumes": [{"Name": "v", "UsageData": {"RefCount": 1, "Size": 1000}},
            {"Name": "w", "UsageData": {"RefCount": 0, "Size": 500}}]});
    let known = || answers([("GET /system/df", usage.clone())]);

    let summary = run("system df", known()).await;
    let whole = run("system df -v", known()).await;

    assert_eq!(
        summary.out,
        "\
TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE
Images          2         1         500kB     200.1kB (40%)
Containers      2         1         30B       20B (66%)
Local Volumes   2         1         1.5kB     500B (33%)
Build Cache     0         0         0B        0B
"
    );
    assert!(
        whole.out.starts_with("Images space usage:\n\nREPOSITORY   TAG       IMAGE ID       "),
        "{}",
        whole.out
    );
    assert!(whole.out.contains("   300kB     100B          299.9kB       1\n"), "{}", whole.out);
    assert!(
        whole.out.contains("VOLUME NAME   LINKS     SIZE\nv             1         1kB\n"),
        "{}",
        whole.out
    );
}

#[tokio::test]
async fn pruning_asks_first_and_tells_what_went() {
    let known = || {
        answers([
            ("POST /containers/prune", json!({"ContainersDeleted": ["abc"], "SpaceReclaimed": 1000})),
            ("POST /networks/prune", json!({"NetworksDeleted": ["n1"]})),
            ("POST /volumes/prune", json!({"VolumesDeleted": [], "SpaceReclaimed": 0})),
            (
                "POST /images/prune",
                json!({"ImagesDeleted": [{"Untagged": "x:1"}, {"Deleted": "sha256:abc"}], "SpaceReclaimed": 5000}),
            ),
        ])
    };

    let images = run("image prune -f", known()).await;
    let all = run("system prune -af --volumes", known()).await;
    let asked = run("system prune", known()).await;

    let gone = "Deleted Images:\nuntagged: x:1\ndeleted: sha256:abc\n\n";
    assert_eq!(images.out, format!("{gone}Total reclaimed space: 5kB\n"));
    assert_eq!(
        images.requests[0].0,
        "POST /images/prune?filters=%7B%22dangling%22%3A%7B%22true%22%3Atrue%7D%7D"
    );
    assert_eq!(
        all.out,
        format!("Deleted Containers:\nabc\n\nDeleted Networks:\nn1\n\n{gone}Total reclaimed space: 6kB\n")
    );
    assert_eq!(all.requests.len(), 4);
    assert!(
        asked.out.ends_with("  - all dangling images\n\nAre you sure you want to continue? [y/N] "),
        "{}",
        asked.out
    );
    assert!(asked.requests.is_empty());
}

#[tokio::test]
async fn images_go_out_and_come_in() {
    let pushed = [
        json!({"status": "The push refers to repository [localhost:5000/x]"}),
        json!({"status": "Pushed", "progressDetail": {}, "id": "abc"}),
        json!({"status": "v: digest: sha256:ff size: 528"}),
        json!({"progressDetail": {}, "aux": {"Tag": "v"}}),
    ];
    let pushed: String = pushed.iter().map(|line| format!("{line}\r\n")).collect();
    let known = || {
        answers([
            ("POST /images/localhost:5000/x/push", json!(pushed)),
            ("GET /images/get", json!("TAR")),
            ("POST /images/create", json!("{\"status\":\"sha256:abc\"}\r\n")),
        ])
    };
    for (line, request, out) in [
        (
            "push localhost:5000/x:v",
            "POST /images/localhost:5000/x/push?tag=v",
            "The push refers to repository [localhost:5000/x]\nabc: Pushed\nv: digest: sha256:ff size: 528\n",
        ),
        ("push -q localhost:5000/x:v", "POST /images/localhost:5000/x/push?tag=v", "localhost:5000/x:v\n"),
        ("save x y", "GET /images/get?names=x&names=y", "TAR"),
        (
            "import -m msg --platform linux/amd64 - repo:1",
            "POST /images/create?fromSrc=-&message=msg&platform=linux%2Famd64&repo=repo%3A1",
            "sha256:abc\n",
        ),
    ] {
        let outcome = run(line, known()).await;

        assert_eq!(
            (outcome.requests[0].0.as_str(), outcome.out.as_str()),
            (request, out),
            "{line}: {}",
            outcome.err
        );
    }
}

#[tokio::test]
async fn inspect_finds_objects_of_any_kind() {
    let known = || {
        answers([
            ("GET /containers/web/json", json!({"Name": "/web"})),
            ("GET /volumes/data", json!({"Name": "data"})),
        ])
    };

    let both = run("inspect -f {{.Name}} web data gone", known()).await;
    let typed = run("inspect --type foo web", known()).await;

    assert_eq!((both.out.as_str(), both.err.as_str()), ("/web\ndata\n", "Error: No such object: gone\n"));
    assert!(typed.err.starts_with("unknown type: \"foo\": must be one of \"config\", "), "{}", typed.err);
}
