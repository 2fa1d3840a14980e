//! Further processes in containers.

use std::fs;
use std::time::Duration;

use container::{Error, ExecStatus, Process, Signal, Size, Spec, Streams};

use crate::host::{DEADLINE, Host, eventually, text_of};

fn shell(script: &str) -> Process {
    let args = ["sh", "-c", script].map(String::from).to_vec();
    Process { args, streams: Streams { stdout: true, stderr: true, stdin: false }, ..Process::default() }
}

pub fn exec_is_in_the_container(host: &Host) {
    let env = ["WHO=container", "KEPT=yes"].map(String::from).to_vec();
    host.run(&Spec { env, cwd: "/tmp".into(), ..host.script("home", "sleep 100") });
    let script = "pwd; echo $WHO $KEPT $PATH $HOSTNAME; cat /proc/1/comm; id -u; exit 3";

    let (code, said) =
        host.exec_output("home", "e1", &Process { env: vec!["WHO=exec".into()], ..shell(script) });

    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!((code, said), (3, format!("/tmp\nexec yes {path} box\nsleep\n0\n")));
    let elsewhere = Process { cwd: "/etc".into(), user: "web".into(), ..shell("pwd; id; echo $HOME") };
    let (_, said) = host.exec_output("home", "e2", &elsewhere);
    assert_eq!(said, "/etc\nuid=33(web) gid=34(web) groups=44(logs)\n/srv\n");
}

pub fn exec_joins_every_cgroup_and_namespace(host: &Host) {
    host.run(&host.script("joined", "sleep 100"));
    host.exec("joined", "e", &shell("sleep 100")).unwrap();
    let ExecStatus::Running { pid } = status(host, "joined", "e").unwrap() else { panic!("it does not run") };
    let own = host.pid("joined");

    let read = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert_eq!(read(pid), read(own));
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "uts"] {
        let of = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        assert_eq!(of(pid), of(own), "{kind}");
    }
}

pub fn exec_has_the_rights_of_its_container(host: &Host) {
    let drop = vec!["CHOWN".to_owned()];
    host.run(&Spec { capabilities_drop: drop, ..host.script("rights", "sleep 100") });
    let facts = "grep -E '^(CapBnd|CapEff|CapInh|CapAmb|Seccomp|NoNewPrivs):' /proc/self/status";
    let own = fs::read_to_string(format!("/proc/{}/status", host.pid("rights"))).unwrap();
    let of = |text: &str, name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
    };

    let (_, said) = host.exec_output("rights", "plain", &shell(facts));
    for name in ["CapBnd:", "CapEff:", "CapInh:", "CapAmb:", "Seccomp:", "NoNewPrivs:"] {
        assert_eq!(of(&said, name), of(&own, name), "{name}");
    }
    assert_eq!(of(&said, "Seccomp:"), "2");

    let (_, said) = host.exec_output("rights", "user", &Process { user: "web".into(), ..shell(facts) });
    assert_eq!((of(&said, "CapEff:").as_str(), of(&said, "Seccomp:").as_str()), ("0000000000000000", "2"));

    let all = Process { privileged: true, ..shell(facts) };
    let (_, said) = host.exec_output("rights", "all", &all);
    let mine = fs::read_to_string("/proc/self/status").unwrap();
    assert_eq!((of(&said, "CapEff:"), of(&said, "Seccomp:").as_str()), (of(&mine, "CapBnd:"), "2"));
}

pub fn exec_is_refused_in_dockers_words(host: &Host) {
    host.run(&host.script("strict", "sleep 100"));
    let args = |name: &str| Process { args: vec![name.to_owned()], ..Process::default() };
    let begin = "OCI runtime exec failed: exec failed: unable to start container process: ";
    let cases = [
        (args("x"), format!("{begin}exec: \"x\": executable file not found in $PATH: unknown"), 127),
        (args("/x"), format!("{begin}exec: \"/x\": stat /x: no such file or directory: unknown"), 127),
        (args("/etc/passwd"), format!("{begin}exec: \"/etc/passwd\": permission denied: unknown"), 126),
        (args("/bin/broken"), format!("{begin}exec /bin/broken: exec format error: unknown"), 126),
        (
            Process { cwd: "/nowhere".into(), ..args("true") },
            format!(
                "{begin}chdir to cwd (\"/nowhere\") set in config.json failed: no such file or directory: unknown"
            ),
            127,
        ),
        (
            Process { user: "nobody-here".into(), ..args("true") },
            "unable to find user nobody-here: no matching entries in passwd file".to_owned(),
            126,
        ),
    ];
    for (number, (process, words, expected)) in cases.into_iter().enumerate() {
        let id = format!("e{number}");
        match host.exec("strict", &id, &process) {
            Err(Error::Command { message, code }) => assert_eq!((message, code), (words, expected)),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{process:?} was started"),
        }
    }
    host.exec("strict", "twice", &shell("sleep 100")).unwrap();
    assert!(matches!(host.exec("strict", "twice", &shell("true")), Err(Error::ExecExists { .. })));
    host.lay_out(&host.script("idle", "true"));
    assert!(matches!(host.exec("idle", "e", &shell("true")), Err(Error::NotRunning { .. })));
    assert!(matches!(status(host, "strict", "unknown"), Err(Error::NoExec { .. })));
}

pub fn exec_reads_its_input_to_the_end(host: &Host) {
    host.run(&host.script("reader", "sleep 100"));
    let process = Process { args: vec!["cat".into()], streams: Streams::ALL, ..Process::default() };
    let mut stream = host.exec("reader", "cat", &process).unwrap();

    host.write(&mut stream, "some text");
    host.end_input(&mut stream);

    assert_eq!(text_of(&host.read(&mut stream)), "some text");
    assert_eq!(host.exec_wait("reader", "cat"), 0);
    assert_eq!(host.exec_output("reader", "none", &shell("cat; echo end")), (0, "end\n".to_owned()));
}

pub fn exec_has_a_terminal(host: &Host) {
    host.run(&host.script("screen", "sleep 100"));
    let size = Some(Size { rows: 7, columns: 8 });
    let script = "stty size; read line; stty size; tty=$(ls -l /proc/self/fd/0); echo ${tty##* } $TERM; exec sleep 100";
    let process = Process { tty: true, size, streams: Streams::ALL, ..shell(script) };
    let mut stream = host.exec("screen", "sh", &process).unwrap();
    host.read_until(&mut stream, "7 8\r\n");

    host.runtime.block_on(host.handle().exec_resize("screen", "sh", Size { rows: 9, columns: 10 })).unwrap();
    host.write(&mut stream, "go\n");

    let said = host.read_until(&mut stream, "xterm\r\n");
    assert!(said.starts_with("go\r\n9 10\r\n/dev/pts/"), "{said:?}");
    host.write(&mut stream, "\x03");
    assert_eq!(host.exec_wait("screen", "sh"), 130);
    assert_eq!(host.read(&mut stream), b"^C");
}

pub fn exec_outlives_its_handle_and_its_code_is_kept(host: &Host) {
    host.run(&host.script("keeper", "sleep 1000"));
    let stream = host.exec("keeper", "long", &shell("while [ ! -e /go ]; do sleep 0.02; done; exit 6"));
    host.exec("keeper", "short", &shell("exit 5")).unwrap();
    host.exec_wait("keeper", "short");
    drop(stream);

    host.reopen();

    assert!(matches!(status(host, "keeper", "long").unwrap(), ExecStatus::Running { .. }));
    assert_eq!(host.exec_wait("keeper", "short"), 5);
    assert_eq!(host.exec_output("keeper", "go", &shell("touch /go")).0, 0);
    assert_eq!(host.exec_wait("keeper", "long"), 6);
    host.exec("keeper", "last", &shell("sleep 1000")).unwrap();
    host.runtime.block_on(host.handle().stop("keeper", None, Duration::ZERO)).unwrap();
    assert_eq!(host.exec_wait("keeper", "last"), 137);
    host.reopen();
    for (exec, code) in [("short", 5), ("long", 6), ("last", 137)] {
        assert_eq!(host.exec_wait("keeper", exec), code, "{exec}");
    }
}

pub fn exec_that_nobody_watches_runs_to_its_end(host: &Host) {
    host.run(&host.script("alone", "sleep 1000"));
    let script = "dd if=/dev/zero bs=65536 count=64; sleep 1000 & exit 2";
    let process = Process { streams: Streams::default(), ..shell(script) };

    drop(host.exec("alone", "loud", &process).unwrap());

    assert_eq!(host.exec_wait("alone", "loud"), 2);
    host.exec("alone", "stuck", &shell("trap '' TERM; sleep 1000")).unwrap();
    host.runtime.block_on(host.handle().exec_signal("alone", "stuck", Signal::KILL)).unwrap();
    assert_eq!(host.exec_wait("alone", "stuck"), 137);
    // Everybody who helped is gone, and nothing is left lying about.
    let shim = host.shim_of("alone");
    let children = || fs::read_to_string(format!("/proc/{shim}/task/{shim}/children")).unwrap();
    eventually(|| children().trim() == host.pid("alone").to_string());
}

pub fn exec_and_its_viewer_go_at_the_same_time(host: &Host) {
    host.run(&host.script("brief", "sleep 1000"));

    for number in 0..100 {
        let id = format!("e{number}");
        drop(host.exec("brief", &id, &shell("exit 0")).unwrap());
        assert_eq!(host.exec_wait("brief", &id), 0);
    }
}

pub fn many_execs_at_once(host: &Host) {
    host.run(&host.script("busy", "n=0; while :; do echo line $n; n=$((n+1)); sleep 0.01; done"));
    let containers = host.handle();

    let codes = host.runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let containers = containers.clone();
            tasks.spawn(async move {
                let (exec, process) = (format!("e{number}"), shell(&format!("exit {number}")));
                containers.exec("busy", &exec, &process).await.unwrap();
                let code = tokio::time::timeout(DEADLINE, containers.exec_wait("busy", &exec)).await.unwrap();
                (number, code.unwrap())
            });
        }
        tasks.join_all().await
    });

    assert!(codes.iter().all(|(number, code)| number == code), "{codes:?}");
}

fn status(host: &Host, id: &str, exec: &str) -> Result<ExecStatus, Error> {
    host.runtime.block_on(host.handle().exec_status(id, exec))
}
