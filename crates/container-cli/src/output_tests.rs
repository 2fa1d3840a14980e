//! Whole commands against a daemon that answers from a list; outputs are those of the docker CLI 28.2.2.

use clap::Parser;
use client::fake::{Answers, Outcome, answers};
use engine_json::Time;
use serde_json::{Value, json};

use crate::{Command, Verb, volume};

#[derive(Debug, Parser)]
#[command(name = "drover")]
enum Program {
    #[command(flatten)]
    Do(Verb),
    #[command(subcommand)]
    Container(Command),
    #[command(subcommand)]
    Volume(volume::Command),
    Ps(crate::ls::Arguments),
}

/// Runs a command line, words cut at spaces, with something typed.
async fn typed(line: &str, answers: Answers, input: &str) -> Outcome {
    words(&line.split_whitespace().collect::<Vec<_>>(), answers, input).await
}

async fn run(line: &str, answers: Answers) -> Outcome {
    typed(line, answers, "").await
}

async fn words(words: &[&str], answers: Answers, input: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let words = std::iter::once("drover").chain(words.iter().copied());
    let program = Program::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    client::fake::run(folder.path(), answers, input, async |context| match program {
        Program::Do(verb) => verb.run(context).await,
        Program::Container(command) => command.run(context).await,
        Program::Volume(command) => command.run(context).await,
        Program::Ps(arguments) => crate::ls::run(context, arguments).await,
    })
    .await
}

fn with<const N: usize>(mut known: Answers, more: [(&str, u16, Value); N]) -> Answers {
    known.extend(more.into_iter().map(|(route, status, body)| (route.to_owned(), (status, body))));
    known
}

/// Returns a frame of standard output or error, as text.
fn frame(channel: u8, text: &str) -> String {
    format!("{}\0\0\0\0\0\0{}{text}", char::from(channel), char::from(u8::try_from(text.len()).unwrap()))
}

fn now() -> i64 {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(clock.as_secs()).unwrap()
}

#[test]
fn every_command_is_well_formed() {
    use clap::CommandFactory as _;

    Program::command().debug_assert();
}

fn two_containers() -> Value {
    json!([
        {"Id": "a".repeat(64), "Names": ["/web"], "Image": "nginx:1", "Created": now() - 3700, "State": "running",
            "Command": "nginx -g 'daemon off;' some long text", "Status": "Up About an hour", "Labels": {"a": "b"},
            "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                {"PrivatePort": 443, "Type": "tcp"}, {"PrivatePort": 444, "Type": "tcp"}],
            "NetworkSettings": {"Networks": {"bridge": {}, "abc": {}}}, "SizeRw": 1234, "SizeRootFs": 200_000_000,
            "Mounts": [{"Type": "volume", "Name": "verylongvolumenamehere", "Destination": "/d"},
                {"Type": "bind", "Source": "/src", "Destination": "/e"}]},
        {"Id": "c".repeat(64), "Names": ["/x/alias", "/db"], "Image": "nginx:1", "Created": now() - 3700,
            "State": "exited", "Command": "sh", "Status": "Exited (0) 2 hours ago"}
    ])
}

#[tokio::test]
async fn containers_are_listed() {
    let known = || answers([("GET /containers/json", two_containers())]);

    let plain = run("ps", known()).await;
    let sizes = run("container ls -as -f status=running", known()).await;
    let quiet = run("ps -lq", known()).await;
    let format = "{{.Names}} {{.Mounts}} {{.Labels}} {{.Label \"a\"}} {{.State}} {{.Networks}} {{.Size}}";
    let own = words(&["ps", "--format", format], known(), "").await;

    assert_eq!(plain.out, "\
CONTAINER ID   IMAGE     COMMAND                  CREATED             STATUS                   PORTS                                                  NAMES
aaaaaaaaaaaa   nginx:1   \"nginx -g 'daemon of…\"   About an hour ago   Up About an hour         443-444/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp   web
cccccccccccc   nginx:1   \"sh\"                     About an hour ago   Exited (0) 2 hours ago                                                          db
");
    assert_eq!(
        sizes.requests[0].0,
        "GET /containers/json?all=1&filters=%7B%22status%22%3A%7B%22running%22%3Atrue%7D%7D&size=1"
    );
    assert!(sizes.out.lines().nth(1).unwrap().ends_with("web       1.23kB (virtual 200MB)"), "{}", sizes.out);
    assert_eq!(quiet.requests[0].0, "GET /containers/json?limit=1");
    assert_eq!(quiet.out, "aaaaaaaaaaaa\ncccccccccccc\n");
    assert_eq!(
        own.out.lines().next(),
        Some("web verylongvolume…,/src a=b b running abc,bridge 1.23kB (virtual 200MB)")
    );
    assert_eq!(own.requests[0].0, "GET /containers/json?size=1");
}

fn runnable(start: (u16, Value)) -> Answers {
    with(
        answers([("POST /containers/c1/wait", json!({"StatusCode": 3}))]),
        [
            ("POST /containers/create", 201, json!({"Id": "c1", "Warnings": ["careful"]})),
            ("POST /containers/c1/attach", 101, json!("said\n")),
            ("POST /containers/c1/start", start.0, start.1),
        ],
    )
}

#[tokio::test]
async fn run_attaches_before_it_starts_and_ends_as_the_container() {
    let outcome = typed("run -i --name web busybox cat", runnable((204, json!(""))), "typed").await;

    assert_eq!(
        (outcome.out.as_str(), outcome.err.as_str(), outcome.code),
        ("said\n", "WARNING: careful\n", 3)
    );
    let routes: Vec<&str> = outcome.requests.iter().map(|(route, _)| route.as_str()).collect();
    assert_eq!(
        routes,
        [
            "POST /containers/create?name=web",
            "POST /containers/c1/attach?stderr=1&stdin=1&stdout=1&stream=1",
            "POST /containers/c1/wait?condition=next-exit",
            "POST /containers/c1/start",
            "STDIN /containers/c1/attach",
        ]
    );
    assert_eq!(outcome.requests[0].1["Cmd"], json!(["cat"]));
    assert_eq!(outcome.requests[0].1["StdinOnce"], json!(true));
}

#[tokio::test]
async fn run_detached_shows_the_id() {
    let outcome = run("run -d --rm busybox", runnable((204, json!("")))).await;

    assert_eq!((outcome.out.as_str(), outcome.code), ("c1\n", 0));
    assert_eq!(outcome.requests.len(), 2);
    assert_eq!(outcome.requests[0].1["AttachStdout"], json!(false));
    assert_eq!(outcome.requests[0].1["HostConfig"]["AutoRemove"], json!(true));
}

#[tokio::test]
async fn run_fails_with_the_codes_of_a_shell() {
    for (message, code) in [
        ("exec: \"nope\": executable file not found in $PATH", 127),
        ("exec: \"/x\": no such file or directory", 127),
        ("exec: \"/etc\": permission denied", 126),
        ("port is already allocated", 125),
    ] {
        let outcome = run("run --rm busybox nope", runnable((400, json!({"message": message})))).await;

        assert_eq!(outcome.code, code, "{message}");
        assert_eq!(
            outcome.err,
            format!(
                "WARNING: careful\ndrover: Error response from daemon: {message}\n\nRun 'drover run --help' for more information\n"
            )
        );
        assert_eq!(outcome.requests[2].0, "POST /containers/c1/wait?condition=removed");
    }
    let invalid = run("run -p a:b busybox", Answers::new()).await;
    assert_eq!((invalid.code, invalid.requests.len()), (125, 0));
    assert!(invalid.err.starts_with("drover: invalid containerPort: b\n"), "{}", invalid.err);
    let terminal = run("run -it busybox", Answers::new()).await;
    assert!(terminal.err.starts_with("drover: the input device is not a TTY\n"), "{}", terminal.err);
}

#[tokio::test]
async fn a_missing_image_is_fetched_unless_it_must_not_be() {
    let known = || {
        with(
            answers([(
                "POST /images/create",
                json!("{\"status\":\"Pulling\",\"id\":\"l1\",\"progressDetail\":{}}\n"),
            )]),
            [("POST /containers/create", 404, json!({"message": "No such image: busybox:latest"}))],
        )
    };

    let missing = run("create busybox", known()).await;
    let never = run("create --pull never busybox", known()).await;

    let routes: Vec<&str> = missing.requests.iter().map(|(route, _)| route.as_str()).collect();
    assert_eq!(
        routes,
        [
            "POST /containers/create",
            "POST /images/create?fromImage=docker.io%2Flibrary%2Fbusybox&tag=latest",
            "POST /containers/create"
        ]
    );
    assert!(
        missing.err.starts_with("Unable to find image 'busybox:latest' locally\nl1: Pulling\n"),
        "{}",
        missing.err
    );
    assert_eq!((never.requests.len(), never.code), (1, 125));
}

#[tokio::test]
async fn exec_ends_as_its_command() {
    let known = || {
        with(
            answers([("GET /exec/e1/json", json!({"ExitCode": 4}))]),
            [
                ("POST /containers/web/exec", 201, json!({"Id": "e1"})),
                ("POST /exec/e1/start", 101, json!("out\n")),
            ],
        )
    };

    let attached = run("exec -e A=1 -w /x -u root --privileged web ls -la", known()).await;
    let detached = with(known(), [("POST /exec/e1/start", 200, json!(""))]);
    let detached = run("exec -d web sleep 9", detached).await;

    assert_eq!((attached.out.as_str(), attached.code), ("out\n", 4));
    assert_eq!(
        attached.requests[0].1,
        json!({"User": "root", "Privileged": true, "Tty": false, "AttachStdin": false, "AttachStderr": true,
            "AttachStdout": true, "Detach": false, "DetachKeys": "", "Env": ["A=1"], "WorkingDir": "/x",
            "Cmd": ["ls", "-la"]})
    );
    assert_eq!(attached.requests[1].1, json!({"Detach": false, "Tty": false}));
    assert_eq!((detached.code, detached.requests.len()), (0, 2));
    assert_eq!(detached.requests[1].1, json!({"Detach": true, "Tty": false}));
}

#[tokio::test]
async fn attach_needs_a_container_that_runs() {
    let state = |state: Value| {
        with(
            answers([
                ("GET /containers/a/json", json!({"Id": "c1", "State": state})),
                ("POST /containers/c1/wait", json!({"StatusCode": 0})),
            ]),
            [("POST /containers/c1/attach", 101, json!("said\n"))],
        )
    };

    let running = run("attach a", state(json!({"Running": true}))).await;
    let stopped = run("attach a", state(json!({"Running": false}))).await;
    let paused = run("attach a", state(json!({"Running": true, "Paused": true}))).await;

    assert_eq!((running.out.as_str(), running.code), ("said\n", 0));
    assert_eq!(stopped.err, "cannot attach to a stopped container, start the container first\n");
    assert_eq!(paused.err, "cannot attach to a paused container, unpause first\n");
}

#[tokio::test]
async fn logs_part_the_streams() {
    let text = frame(1, "hi\n") + &frame(2, "er\n");
    let known = || {
        answers([
            ("GET /containers/a/json", json!({"Id": "c1", "Config": {"Tty": false}})),
            ("GET /containers/c1/logs", json!(text)),
        ])
    };

    let outcome = run("logs -ft -n 5 --since 1700000000 a", known()).await;

    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("hi\n", "er\n"));
    assert_eq!(
        outcome.requests[1].0,
        "GET /containers/c1/logs?follow=1&since=1700000000&stderr=1&stdout=1&tail=5&timestamps=1"
    );
}

#[tokio::test]
async fn names_that_fail_spare_the_others() {
    let known = || {
        with(
            Answers::new(),
            [
                ("POST /containers/a/stop", 204, json!("")),
                ("POST /containers/a/start", 204, json!("")),
                ("POST /containers/b/stop", 404, json!({"message": "No such container: b"})),
                ("POST /containers/b/start", 404, json!({"message": "No such container: b"})),
                ("DELETE /containers/b", 404, json!({"message": "No such container: b"})),
            ],
        )
    };

    let stop = run("stop -t 3 -s INT b a", known()).await;
    let start = run("start b a", known()).await;
    let rm = run("rm -fv b", known()).await;
    let gone = run("rm b", known()).await;

    assert_eq!((stop.out.as_str(), stop.code), ("a\n", 1));
    assert_eq!(stop.err, "Error response from daemon: No such container: b\n");
    assert_eq!(stop.requests[0].0, "POST /containers/b/stop?signal=INT&t=3");
    assert_eq!(start.out, "a\n");
    assert_eq!(
        start.err,
        "Error response from daemon: No such container: b\nError: failed to start containers: b\n"
    );
    assert_eq!((rm.code, rm.requests[0].0.as_str()), (0, "DELETE /containers/b?force=1&v=1"));
    assert_eq!(gone.code, 1);
}

#[tokio::test]
async fn small_verbs_show_what_docker_shows() {
    let ports = json!({"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
        "443/tcp": null, "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}]});
    let known = || {
        with(
            answers([
                ("GET /containers/a/json", json!({"Id": "c1", "NetworkSettings": {"Ports": ports}})),
                (
                    "GET /containers/a/top",
                    json!({"Titles": ["UID", "PID", "CMD"],
                        "Processes": [["root", "12", "nginx -g x"], ["www", "1345", "worker"]]}),
                ),
                (
                    "GET /containers/a/changes",
                    json!([{"Path": "/etc", "Kind": 0}, {"Path": "/etc/new", "Kind": 1}, {"Path": "/old", "Kind": 2}]),
                ),
                ("POST /containers/a/wait", json!({"StatusCode": 3})),
                ("POST /containers/a/update", json!({"Warnings": ["careful"]})),
                (
                    "POST /containers/prune",
                    json!({"ContainersDeleted": ["abc", "def"], "SpaceReclaimed": 1_234_567}),
                ),
                ("GET /containers/a/export", json!("TAR")),
            ]),
            [("POST /containers/a/rename", 409, json!({"message": "taken"}))],
        )
    };
    for (line, out, err) in [
        ("port a", "53/udp -> 127.0.0.1:53\n80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n", ""),
        ("port a 80", "0.0.0.0:8080\n[::]:8080\n", ""),
        ("port a 99", "", "Error: No public port '99' published for a\n"),
        (
            "top a",
            "UID                 PID                 CMD\nroot                12                  nginx -g x\nwww                 1345                worker\n",
            "",
        ),
        ("diff a", "C /etc\nA /etc/new\nD /old\n", ""),
        ("wait a a", "3\n3\n", ""),
        ("update -m 1g a", "a\ncareful\n", ""),
        ("update a", "", "you must provide one or more flags when using this command\n"),
        ("container prune -f", "Deleted Containers:\nabc\ndef\n\nTotal reclaimed space: 1.235MB\n", ""),
        (
            "container prune",
            "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] ",
            "",
        ),
        ("rename a b", "", "Error response from daemon: taken\nError: failed to rename container named a\n"),
        ("export a", "TAR", ""),
        (
            "top a -o pid",
            "UID                 PID                 CMD\nroot                12                  nginx -g x\nwww                 1345                worker\n",
            "",
        ),
    ] {
        let outcome = run(line, known()).await;

        assert_eq!((outcome.out.as_str(), outcome.err.as_str()), (out, err), "{line}");
    }
}

#[tokio::test]
async fn figures_are_those_of_docker() {
    let stats = json!({"name": "/web", "id": "a".repeat(64), "pids_stats": {"current": 5},
        "blkio_stats": {"io_service_bytes_recursive": [{"op": "Read", "value": 1_500_000},
            {"op": "Write", "value": 2500}, {"op": "read", "value": 10}]},
        "cpu_stats": {"cpu_usage": {"total_usage": 2_000_000_000_u64}, "system_cpu_usage": 20_000_000_000_u64, "online_cpus": 2},
        "precpu_stats": {"cpu_usage": {"total_usage": 1_000_000_000_u64}, "system_cpu_usage": 10_000_000_000_u64},
        "memory_stats": {"usage": 104_857_600, "stats": {"inactive_file": 4_857_600}, "limit": 2_147_483_648_u64},
        "networks": {"eth0": {"rx_bytes": 1234, "tx_bytes": 5678}, "eth1": {"rx_bytes": 1_000_000, "tx_bytes": 1}}});
    let known = || answers([("GET /containers/a/stats", stats.clone())]);

    let table = run("stats --no-stream a", known()).await;
    let json = run("stats --no-stream --format json a", known()).await;

    assert_eq!(
        table.out,
        "\
CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O        BLOCK I/O       PIDS
aaaaaaaaaaaa   web       20.00%    95.37MiB / 2GiB     4.66%     1MB / 5.68kB   1.5MB / 2.5kB   5
"
    );
    assert_eq!(table.requests[0].0, "GET /containers/a/stats?stream=0");
    assert_eq!(
        json.out,
        "{\"BlockIO\":\"1.5MB / 2.5kB\",\"CPUPerc\":\"20.00%\",\"Container\":\"a\",\"ID\":\"aaaaaaaaaaaa\",\"MemPerc\":\"4.66%\",\"MemUsage\":\"95.37MiB / 2GiB\",\"Name\":\"web\",\"NetIO\":\"1MB / 5.68kB\",\"PIDs\":\"5\"}\n"
    );
}

#[tokio::test]
async fn volumes_are_made_listed_and_moved() {
    let known = || {
        with(
            answers([
                (
                    "GET /volumes",
                    json!({"Volumes": [{"Name": "zz", "Driver": "local", "Labels": {"a": "b"}},
                        {"Name": "b10", "Driver": "local"}, {"Name": "b2", "Driver": "local"}]}),
                ),
                ("POST /volumes/prune", json!({"VolumesDeleted": ["v1"], "SpaceReclaimed": 99})),
                ("GET /drover/volumes/data/export", json!("TAR")),
                ("POST /drover/volumes/data/import", json!("")),
            ]),
            [
                ("POST /volumes/create", 201, json!({"Name": "data", "Driver": "local"})),
                ("DELETE /volumes/a", 409, json!({"message": "volume is in use"})),
            ],
        )
    };
    for (line, input, request, out) in [
        (
            "volume ls",
            "",
            "GET /volumes",
            "DRIVER    VOLUME NAME\nlocal     b2\nlocal     b10\nlocal     zz\n",
        ),
        ("volume ls -q", "", "GET /volumes", "b2\nb10\nzz\n"),
        ("volume create -o type=tmpfs --label a=b data", "", "POST /volumes/create", "data\n"),
        ("volume rm -f a", "", "DELETE /volumes/a?force=1", ""),
        (
            "volume prune -af",
            "",
            "POST /volumes/prune?filters=%7B%22all%22%3A%7B%22true%22%3Atrue%7D%7D",
            "Deleted Volumes:\nv1\n\nTotal reclaimed space: 99B\n",
        ),
        ("volume export data", "", "GET /drover/volumes/data/export", "TAR"),
        ("volume import data", "TAR", "POST /drover/volumes/data/import", "data\n"),
        ("volume export --node w1 data", "", "GET /drover/volumes/data/export?node=w1", "TAR"),
        (
            "volume import --node w1 --merge data",
            "TAR",
            "POST /drover/volumes/data/import?node=w1&merge=1",
            "data\n",
        ),
    ] {
        let outcome = typed(line, known(), input).await;

        assert_eq!(
            (outcome.requests[0].0.as_str(), outcome.out.as_str()),
            (request, out),
            "{line}: {}",
            outcome.err
        );
    }
    let created = run("volume create -o type=tmpfs --label a=b data", known()).await;
    assert_eq!(
        created.requests[0].1,
        json!({"Driver": "local", "DriverOpts": {"type": "tmpfs"}, "Labels": {"a": "b"}, "Name": "data"})
    );
}

fn stat(name: &str, mode: u32) -> Value {
    let stat = container_json::PathStat {
        name: name.into(),
        mode,
        mtime: Time::from_nanoseconds(0),
        ..Default::default()
    };
    json!(stat.to_header())
}

const DIRECTORY: u32 = 1 << 31 | 0o755;

#[tokio::test]
async fn cp_refuses_what_docker_refuses() {
    let known = || {
        with(
            Answers::new(),
            [("HEAD /containers/a/archive", 200, json!({"X-Docker-Container-Path-Stat": stat("x", 0o644)}))],
        )
    };
    for (line, says) in [
        ("cp x y", "must specify at least one container source\n"),
        ("cp a:/x b:/y", "copying between containers is not supported\n"),
        ("cp a:/x /tmp/none/such/z", "invalid output path: directory \"/tmp/none/such\" does not exist\n"),
        ("cp - a:/x", "destination \"a:/x\" must be a directory\n"),
        ("cp /etc a:/x", "cannot copy directory\n"),
    ] {
        let outcome = run(line, known()).await;

        assert_eq!((outcome.err.as_str(), outcome.code), (says, 1), "{line}");
    }
}

#[tokio::test]
async fn cp_sends_files_and_names_the_place() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("page.html"), "hello").unwrap();
    let known = with(
        answers([("PUT /containers/web/archive", json!(""))]),
        [(
            "HEAD /containers/web/archive",
            200,
            json!({"X-Docker-Container-Path-Stat": stat("html", DIRECTORY)}),
        )],
    );
    let source = here.path().join("page.html").display().to_string();

    let outcome = words(&["cp", &source, "web:/usr/html"], known, "").await;

    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert!(outcome.err.starts_with("Successfully copied "), "{}", outcome.err);
    assert!(outcome.err.ends_with(" to web:/usr/html\n"), "{}", outcome.err);
    assert_eq!(
        outcome.requests[1].0,
        "PUT /containers/web/archive?path=%2Fusr%2Fhtml&noOverwriteDirNonDir=true"
    );
}

#[tokio::test]
async fn cp_fetches_a_file_under_another_name() {
    let here = tempfile::tempdir().unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o640);
    builder.append_data(&mut header, "x", &b"hello"[..]).unwrap();
    let archive = String::from_utf8(builder.into_inner().unwrap()).unwrap();
    let known = with(
        Answers::new(),
        [(
            "GET /containers/web/archive",
            200,
            json!({"X-Docker-Container-Path-Stat": stat("x", 0o640), "body": archive}),
        )],
    );
    let to = here.path().join("y").display().to_string();

    let outcome = words(&["cp", "-q", "web:/dir/x", &to], known, "").await;

    assert_eq!((outcome.err.as_str(), outcome.code), ("", 0));
    assert_eq!(std::fs::read_to_string(here.path().join("y")).unwrap(), "hello");
    assert_eq!(outcome.requests[0].0, "GET /containers/web/archive?path=%2Fdir%2Fx");
}
