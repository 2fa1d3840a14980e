//! Those who watch a container and write to it.

use std::fs;

use container::{Phase, Process, Removal, Size, Spec, Streams};

use crate::host::{Host, eventually, frames, text_of};

pub fn who_attaches_before_the_start_misses_nothing(host: &Host) {
    host.lay_out(&host.shell("early", "echo out; echo err >&2; echo -n end"));
    let (mut both, mut errors) = (host.attach("early"), {
        let streams = Streams { stderr: true, ..Streams::default() };
        host.runtime.block_on(host.handle().attach("early", streams)).unwrap()
    });

    host.start("early");

    let said = frames(&host.read(&mut both));
    let of =
        |kind| said.iter().filter(|(k, _)| *k == kind).map(|(_, text)| text.as_str()).collect::<String>();
    assert_eq!((of(1).as_str(), of(2).as_str()), ("out\nend", "err\n"));
    assert_eq!(frames(&host.read(&mut errors)), [(2, "err\n".to_owned())]);
}

pub fn input_ends_with_its_first_writer_if_asked_for(host: &Host) {
    let spec = Spec { open_stdin: true, stdin_once: true, ..host.shell("once", "cat; echo over") };
    host.lay_out(&spec);
    let mut stream = host.attach("once");
    host.start("once");

    host.write(&mut stream, "one\n");
    host.read_until(&mut stream, "one\n");
    host.write(&mut stream, "two\n");
    host.end_input(&mut stream);

    assert_eq!(text_of(&host.read(&mut stream)), "two\nover\n");
    assert_eq!(host.wait("once").code, 0);

    host.start("once");
    let stream = host.attach("once");
    drop(stream);
    assert_eq!(host.wait("once").code, 0, "a writer who goes ends it too");
}

pub fn input_outlives_its_writers_otherwise(host: &Host) {
    host.run(&Spec { open_stdin: true, ..host.shell("open", "while read line; do echo got $line; done") });
    let mut first = host.attach("open");
    host.write(&mut first, "one\n");
    host.end_input(&mut first);
    host.read_until(&mut first, "got one\n");
    drop(first);

    let mut second = host.attach("open");
    host.write(&mut second, "two\n");

    host.read_until(&mut second, "got two\n");
}

pub fn slow_reader_makes_the_container_wait_and_loses_nothing(host: &Host) {
    const LINES: usize = 40_000;
    // It writes far faster than this, if at all.
    const STILL: usize = 50;
    let script = format!(
        "n=0; while [ $n -lt {LINES} ]; do echo line $n of a long, long, long, long text; n=$((n+1)); done"
    );
    host.lay_out(&host.shell("wordy", &script));
    let (mut slow, gone) = (host.attach("wordy"), host.attach("wordy"));
    host.start("wordy");
    drop(gone);
    let log = host.dir.path().join("root/wordy/json.log");
    let size = || fs::metadata(&log).map_or(0, |meta| meta.len());
    eventually(|| size() > 100_000);
    let (mut before, mut same) = (0, 0);
    eventually(|| {
        let now = size();
        same = if now == before { same + 1 } else { 0 };
        before = now;
        same == STILL
    });
    assert!(matches!(host.handle().status("wordy").unwrap().phase, Phase::Running(_)), "it does not wait");

    let shown = text_of(&host.read(&mut slow));

    assert_eq!(host.wait("wordy").code, 0);
    assert_eq!(shown.lines().count(), LINES);
    assert!(host.said("wordy") == shown, "the log differs from what was shown");
}

pub fn terminal_echoes_interrupts_and_has_a_size(host: &Host) {
    let spec = Spec {
        tty: true,
        open_stdin: true,
        stdin_once: true,
        console: Some(Size { rows: 11, columns: 22 }),
        ..host.shell("term", "stty size; read line; stty size; echo got $line; trap 'exit 130' INT; while :; do sleep 0.02; done")
    };
    host.lay_out(&spec);
    let mut stream = host.attach("term");
    host.start("term");
    host.read_until(&mut stream, "11 22\r\n");

    host.runtime.block_on(host.handle().resize("term", Size { rows: 33, columns: 44 })).unwrap();
    host.write(&mut stream, "word\n");
    let said = host.read_until(&mut stream, "got word\r\n");
    assert!(said.starts_with("word\r\n33 44\r\n"), "{said:?}");
    host.write(&mut stream, "\x03");

    assert_eq!(host.wait("term").code, 130);
    assert_eq!(host.read(&mut stream), b"^C");
}

pub fn size_of_a_terminal_is_set_before_the_start(host: &Host) {
    host.lay_out(&Spec { tty: true, ..host.shell("sized", "stty size") });
    let mut stream = host.attach("sized");
    host.runtime.block_on(host.handle().resize("sized", Size { rows: 5, columns: 6 })).unwrap();

    host.start("sized");

    assert_eq!(host.read(&mut stream), b"5 6\r\n");
}

pub fn container_without_a_log_is_still_heard(host: &Host) {
    host.lay_out(&Spec { discard_log: true, ..host.shell("silent", "echo heard") });
    let mut stream = host.attach("silent");

    host.start("silent");

    assert_eq!(text_of(&host.read(&mut stream)), "heard\n");
    assert_eq!(host.wait("silent").code, 0);
    assert_eq!(host.said("silent"), "");
    assert!(!host.dir.path().join("root/silent/json.log").exists());
}

pub fn waiting_viewer_sees_the_end_of_a_container_that_cannot_start(host: &Host) {
    let spec = host.shell("never", "true");
    host.lay_out(&Spec { user: "nobody-here".into(), ..spec });
    let mut stream = host.attach("never");

    let error = host.runtime.block_on(host.handle().start("never")).unwrap_err();

    assert!(error.to_string().contains("unable to find user nobody-here"), "{error}");
    assert_eq!(host.read(&mut stream), b"");
    assert_eq!(host.handle().status("never").unwrap().phase, Phase::Created);
    host.runtime.block_on(host.handle().remove("never", Removal::OnlyStopped)).unwrap();
}

pub fn terminal_belongs_to_the_user_of_its_process(host: &Host) {
    let user = "web".to_owned();
    let own = Spec {
        tty: true,
        user,
        ..host.shell("own", "echo mine > /dev/stdout; while :; do sleep 0.02; done")
    };
    host.run(&own);
    host.await_said("own", "mine");
    let script = "while ! echo mine > $(readlink /proc/self/fd/0); do sleep 0.02; done 2>/dev/null";
    let args = ["sh", "-c", script].map(String::from).to_vec();
    let process = Process { args, tty: true, streams: Streams::ALL, ..Process::default() };

    let mut stream = host.exec("own", "e", &process).unwrap();

    host.read_until(&mut stream, "mine\r\n");
    assert_eq!(host.exec_wait("own", "e"), 0);
}
