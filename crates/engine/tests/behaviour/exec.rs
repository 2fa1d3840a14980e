//! Commands beside the programs of containers.

use container::Size;
use container_json::{ExecBody, ExecInspect, ExecStart};
use engine::Kind;
use serde_json::{Value, json};

use crate::host::{Client, Host};

const FOREVER: &str = "exec sleep 1000";

fn body(more: Value) -> ExecBody {
    let mut body = json!({ "AttachStdout": true, "AttachStderr": true });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    engine_json::decode(body.to_string().as_bytes()).unwrap()
}

fn shell(script: &str) -> ExecBody {
    body(json!({ "Cmd": ["sh", "-c", script] }))
}

/// Prepares a command and starts it; returns its id and the client that talks to it.
fn begin<'a>(host: &'a Host, name: &str, body: ExecBody) -> (String, Client<'a>) {
    let id = host.engine().exec_create(name, body).unwrap().id;
    let session = host.block_on(host.engine().exec_start(&id, ExecStart::default())).unwrap().unwrap();
    (id, host.talk(session))
}

fn inspect(host: &Host, id: &str) -> ExecInspect {
    host.block_on(host.engine().exec_inspect(id)).unwrap()
}

/// Waits for the end of a command and returns its exit code.
fn code(host: &Host, id: &str) -> i64 {
    host.eventually("the command ends", || inspect(host, id).exit_code.is_some());
    inspect(host, id).exit_code.unwrap()
}

pub fn commands_say_what_they_do_and_how_they_ended(host: &Host) {
    host.run("box", FOREVER, json!({}));

    let (id, client) = begin(host, "box", shell("echo out; echo err >&2; exit 7"));
    let said = client.heard_to_end();

    assert_eq!(code(host, &id), 7);
    assert!(said.contains("out\n") && said.contains("err\n"), "{said:?}");
    let described = inspect(host, &id);
    assert_eq!((described.running, described.pid), (false, 0));
    assert_eq!(described.container_id, host.inspect("box").id);
    assert_eq!(described.process_config.entrypoint, "sh");
    let again = host.block_on(host.engine().exec_start(&id, ExecStart::default())).err().unwrap();
    assert_eq!(again.text(), format!("Error: Exec command {id} has already run"));
    assert_eq!(host.inspect("box").state.status, "running");
}

pub fn commands_are_told_of_as_events(host: &Host) {
    host.run("box", FOREVER, json!({}));
    let mut listener = host.engine().events().listen(None);

    let (id, client) = begin(host, "box", shell("exit 3"));
    client.heard_to_end();
    code(host, &id);

    let mut told = Vec::new();
    host.eventually("the end is told", || {
        told.extend(std::iter::from_fn(|| listener.next_past()));
        told.iter().any(|event| event.action == "exec_die")
    });
    let actions: Vec<&str> = told.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["exec_create: sh -c exit 3", "exec_start: sh -c exit 3", "exec_die"]);
    assert!(told.iter().all(|event| event.actor.attributes["execID"] == id));
    assert_eq!((&*told[2].actor.attributes["exitCode"], &*told[2].actor.attributes["name"]), ("3", "box"));
}

pub fn commands_that_cannot_be_executed_say_so(host: &Host) {
    host.run("box", FOREVER, json!({}));

    let (id, client) = begin(host, "box", body(json!({ "Cmd": ["nosuch"] })));
    let said = client.heard_to_end();
    let detached = host.engine().exec_create("box", body(json!({ "Cmd": ["/etc"] }))).unwrap().id;
    let how = ExecStart { detach: true, ..ExecStart::default() };
    let refusal = host.block_on(host.engine().exec_start(&detached, how)).err().unwrap();

    let begin = "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nosuch\"";
    assert!(said.starts_with(begin) && said.ends_with("\r\n"), "{said:?}");
    assert_eq!((code(host, &id), code(host, &detached)), (127, 126));
    assert!(refusal.text().contains("exec: \"/etc\": is a directory"), "{refusal}");
}

pub fn commands_take_input_to_its_end(host: &Host) {
    host.run("box", FOREVER, json!({}));

    let (id, mut client) = begin(host, "box", body(json!({ "Cmd": ["cat"], "AttachStdin": true })));
    client.type_in("one\n");
    client.await_text("one");
    client.type_in("two\n");
    client.close_input();

    assert_eq!(client.heard_to_end(), "one\ntwo\n");
    assert_eq!(code(host, &id), 0);
}

pub fn commands_run_as_they_are_told(host: &Host) {
    host.run("box", FOREVER, json!({ "Env": ["OWN=1", "BOTH=own"], "WorkingDir": "/tmp" }));

    let script = "echo $OWN $BOTH $MORE; pwd; id -u; id -g";
    let more = json!({
        "Cmd": ["sh", "-c", script], "Env": ["BOTH=asked", "MORE=2"], "User": "web", "WorkingDir": "/srv",
    });
    let (_, told) = begin(host, "box", body(more));
    let (_, open) = begin(host, "box", shell(script));

    assert_eq!(told.heard_to_end(), "1 asked 2\n/srv\n33\n34\n");
    assert_eq!(open.heard_to_end(), "1 own\n/tmp\n0\n0\n");
}

pub fn terminals_of_commands_are_resized_and_left(host: &Host) {
    host.run("box", FOREVER, json!({}));
    let mut listener = host.engine().events().listen(None);
    let more = json!({
        "Cmd": ["sh"], "AttachStdin": true, "Tty": true, "DetachKeys": "ctrl-x,x", "ConsoleSize": [33, 77],
    });

    let (id, mut client) = begin(host, "box", body(more));
    client.type_in("stty size; echo $TERM\n");
    client.await_text("33 77\r\n");
    client.await_text("xterm\r\n");
    host.block_on(host.engine().exec_resize(&id, Size { rows: 20, columns: 50 })).unwrap();
    client.type_in("stty size\n");
    client.await_text("20 50\r\n");
    client.type_in("\u{18}x");
    client.heard_to_end();

    assert!(inspect(host, &id).running);
    assert_eq!(host.inspect("box").exec_ids, [id]);
    let told: Vec<_> = std::iter::from_fn(|| listener.next_past()).map(|event| event.action).collect();
    assert_eq!(told.last().unwrap(), "exec_detach");
}

pub fn commands_need_a_container_that_runs(host: &Host) {
    let id = host.create("box", FOREVER, json!({}));
    let refused = |more| host.engine().exec_create("box", body(more)).err().unwrap();

    let created = refused(json!({ "Cmd": ["true"] }));
    host.start("box");
    let empty = refused(json!({ "Cmd": [] }));
    let keys = refused(json!({ "Cmd": ["true"], "DetachKeys": "ctrl-xx" }));
    host.block_on(host.engine().pause("box")).unwrap();
    let paused = refused(json!({ "Cmd": ["true"] }));
    host.block_on(host.engine().unpause("box")).unwrap();
    let unknown = host.block_on(host.engine().exec_inspect("nosuch")).err().unwrap();

    assert_eq!(
        (created.kind(), created.text()),
        (Kind::Conflict, &*format!("container {id} is not running"))
    );
    assert_eq!((empty.kind(), empty.text()), (Kind::Invalid, "No exec command specified"));
    assert_eq!(keys.text(), "Invalid detach keys (ctrl-xx) provided");
    assert_eq!(paused.text(), "container box is paused, unpause the container before exec");
    assert_eq!((unknown.kind(), unknown.text()), (Kind::NotFound, "No such exec instance: nosuch"));
}

pub fn commands_outlive_the_daemon(host: &Host) {
    host.run("box", FOREVER, json!({}));
    let (ended, client) = begin(host, "box", shell("exit 5"));
    client.heard_to_end();
    code(host, &ended);
    let (running, client) =
        begin(host, "box", shell("echo begun; while ! test -e /tmp/go; do sleep 0.05; done; exit 6"));
    drop(client);

    host.restart_daemon();
    let is_found = inspect(host, &running);
    let (_, go) = begin(host, "box", shell("touch /tmp/go"));
    go.heard_to_end();

    assert!(is_found.running && is_found.pid > 0);
    assert_eq!(code(host, &running), 6);
    assert_eq!(code(host, &ended), 5);
}
