//! Logs.

use container::{LogOptions, LogQuery, LogStream, Spec};

use crate::host::Host;

pub fn program_runs_and_its_output_is_logged(host: &Host) {
    let spec =
        host.shell("hello", "echo out; echo err >&2; hostname 2>/dev/null || cat /proc/sys/kernel/hostname");

    let (exit, _) = host.output(&spec);

    assert_eq!((exit.code, exit.oom_killed, exit.error), (0, false, None));
    let lines = host.lines("hello", LogQuery::default());
    let of =
        |stream| lines.iter().filter(|l| l.stream == stream).map(|l| l.line.as_str()).collect::<String>();
    assert_eq!((of(LogStream::Stdout).as_str(), of(LogStream::Stderr).as_str()), ("out\nbox\n", "err\n"));
}

pub fn following_a_log_ends_with_the_container(host: &Host) {
    host.run(&host.script("talk", "for n in 1 2 3 4 5; do echo $n; sleep 0.1; done; echo -n end"));

    let lines = host.lines("talk", LogQuery { follow: true, ..LogQuery::default() });

    let text: String = lines.into_iter().map(|line| line.line).collect();
    assert_eq!(text, "1\n2\n3\n4\n5\nend");
}

pub fn log_files_rotate_at_their_size(host: &Host) {
    let script = "n=0; while [ $n -lt 200 ]; do echo line $n; n=$((n+1)); done";
    let log = LogOptions { max_size_bytes: Some(4096), max_files: Some(3) };

    let (_, said) = host.output(&Spec { log, ..host.script("wordy", script) });

    assert!(said.ends_with("line 199\n") && !said.contains("line 0\n"), "{said}");
    let dir = host.dir.path().join("root/wordy");
    let files = ["json.log", "json.log.1", "json.log.2"].map(|name| dir.join(name).metadata().unwrap().len());
    assert!(files.iter().all(|size| *size <= 4096), "{files:?}");
    assert!(!dir.join("json.log.3").exists());
}

pub fn terminal_gives_one_stream(host: &Host) {
    let spec =
        Spec { tty: true, ..host.shell("term", "test -t 0 && echo terminal; echo err >&2; echo $TERM") };

    let (exit, said) = host.output(&spec);

    assert_eq!((exit.code, said.as_str()), (0, "terminal\r\nerr\r\nxterm\r\n"));
}
