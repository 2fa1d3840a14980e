//! Checks of health.

use engine::HealthStatus;
use serde_json::{Value, json};

use crate::host::Host;

const MS: u64 = 1_000_000;

fn check(script: &str, more: Value) -> Value {
    let mut check = json!({
        "Test": ["CMD-SHELL", script], "Interval": 50 * MS, "Timeout": 20_000 * MS, "Retries": 2,
    });
    check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "Healthcheck": check })
}

fn status(host: &Host, name: &str) -> String {
    host.inspect(name).state.health.map(|health| health.status).unwrap_or_default()
}

fn exec(host: &Host, name: &str, script: &str) {
    let body = json!({ "Cmd": ["sh", "-c", script], "AttachStdout": true });
    let body = engine_json::decode(body.to_string().as_bytes()).unwrap();
    let id = host.engine().exec_create(name, body).unwrap().id;
    let session = host.block_on(host.engine().exec_start(&id, container_json::ExecStart::default()));
    host.talk(session.unwrap().unwrap()).heard_to_end();
}

pub fn health_follows_the_check(host: &Host) {
    let mut listener = host.engine().events().listen(None);
    host.run("box", "exec sleep 1000", check("echo looked; test -e /tmp/well", json!({})));
    let mut watched = host.engine().watch_health("box").unwrap();

    assert_eq!(status(host, "box"), "starting");
    exec(host, "box", "touch /tmp/well");
    host.block_on(watched.wait_for(|health| health.status == HealthStatus::Healthy)).unwrap();
    exec(host, "box", "rm /tmp/well");
    host.block_on(watched.wait_for(|health| health.status == HealthStatus::Unhealthy)).unwrap();

    let health = host.inspect("box").state.health.unwrap();
    assert!(health.failing_streak >= 2 && health.log.len() <= 5, "{health:?}");
    let last = health.log.last().unwrap();
    assert_eq!((last.exit_code, last.output.as_str()), (1, "looked\n"));
    let mut told = String::new();
    host.eventually("the changes are told", || {
        for event in std::iter::from_fn(|| listener.next_past()) {
            told.extend(event.action.strip_prefix("health_status: ").map(|status| format!("{status} ")));
        }
        told.ends_with("healthy unhealthy ")
    });
    host.stop("box");
    assert_eq!(status(host, "box"), "unhealthy");
}

pub fn checks_that_hang_are_killed(host: &Host) {
    let hanging = check("echo begun; exec sleep 1000", json!({ "Timeout": 300 * MS, "Retries": 1 }));
    host.run("box", "exec sleep 500", hanging);

    host.eventually("it is unhealthy", || status(host, "box") == "unhealthy");

    let health = host.inspect("box").state.health.unwrap();
    assert_eq!(health.log[0].exit_code, -1);
    assert_eq!(health.log[0].output, "Health check exceeded timeout (300ms): begun\n");
    // At the most the program and the check of the moment are there.
    let pids = host.block_on(host.parts().containers.pids(&host.inspect("box").id)).unwrap();
    assert!(pids.len() <= 2, "checks pile up: {pids:?}");
}

pub fn containers_without_a_check_have_no_health(host: &Host) {
    host.run("none", "exec sleep 1000", json!({ "Healthcheck": { "Test": ["NONE"] } }));
    host.run("open", "exec sleep 1000", json!({}));

    assert!(host.inspect("none").state.health.is_none() && host.inspect("open").state.health.is_none());
    assert_eq!(host.engine().watch_health("open").unwrap().borrow().status, HealthStatus::None);
}

pub fn checks_go_on_under_another_daemon(host: &Host) {
    host.run("box", "exec sleep 1000", check("true", json!({})));
    host.eventually("it is well", || status(host, "box") == "healthy");

    host.restart_daemon();

    host.eventually("it is well again", || status(host, "box") == "healthy");
    host.block_on(host.engine().pause("box")).unwrap();
    let seen = host.inspect("box").state.health.unwrap().log.last().cloned();
    // Some intervals of the check.
    host.sleep(300);
    let log = host.inspect("box").state.health.unwrap().log;
    host.block_on(host.engine().unpause("box")).unwrap();
    assert!(log.last().cloned() == seen, "a frozen container is not checked");
}
