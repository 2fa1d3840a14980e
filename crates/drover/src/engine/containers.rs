//! Containers of this host for the Engine API.

use container::{Containers, Phase, Status};
use container_json as json;
use docker_api::{ApiError, Status as Code};

use crate::clock;

/// Lists the containers, ended ones included.
pub fn list(containers: &Containers) -> Vec<json::Summary> {
    containers.list().iter().map(|status| summary(containers, status)).collect()
}

fn summary(containers: &Containers, status: &Status) -> json::Summary {
    let label = |key: &str| status.labels.get(key).cloned().unwrap_or_default();
    let args = containers.spec(&status.id).map(|spec| spec.args).unwrap_or_default();
    let (state, text, created) = match &status.phase {
        Phase::Created => ("created", "Created".to_owned(), 0),
        Phase::Running(started) => {
            let seconds = started.at.elapsed().unwrap_or_default().as_secs();
            ("running", format!("Up {}", ago(seconds)), clock::timestamp(started.at).0 / 1_000_000_000)
        }
        Phase::Exited(exit) => {
            let seconds = exit.finished_at.elapsed().unwrap_or_default().as_secs();
            let text = format!("Exited ({}) {} ago", exit.code, ago(seconds));
            ("exited", text, clock::timestamp(exit.finished_at).0 / 1_000_000_000)
        }
    };
    json::Summary {
        id: status.id.clone(),
        names: vec![format!("/{}", label("com.docker.swarm.task.name"))],
        image: label("drover.image"),
        image_id: label("drover.image.id"),
        command: args.join(" "),
        created,
        labels: status.labels.clone(),
        state: state.into(),
        status: text,
        ..json::Summary::default()
    }
}

/// Writes a time span as Docker does.
fn ago(seconds: u64) -> String {
    match seconds {
        0 => "Less than a second".into(),
        1 => "1 second".into(),
        2..=59 => format!("{seconds} seconds"),
        60..=119 => "About a minute".into(),
        120..=3599 => format!("{} minutes", seconds / 60),
        3600..=7199 => "About an hour".into(),
        7200..=172_799 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Describes a container, found by id, name or the beginning of its id.
pub fn inspect(containers: &Containers, name: &str) -> Result<json::Inspect, ApiError> {
    let all = containers.list();
    let named = |status: &&Status| {
        status
            .labels
            .get("com.docker.swarm.task.name")
            .is_some_and(|known| known == name.trim_start_matches('/'))
    };
    let exact = all.iter().find(|status| status.id == name).or_else(|| all.iter().find(named));
    let found: Vec<&Status> = match exact {
        Some(found) => vec![found],
        None => all.iter().filter(|status| !name.is_empty() && status.id.starts_with(name)).collect(),
    };
    match found[..] {
        [] => Err(ApiError::not_found(format!("No such container: {name}"))),
        [only] => described(containers, only),
        ref several => Err(ApiError::new(
            Code::BadRequest,
            format!("container {name} is ambiguous ({} matches found)", several.len()),
        )),
    }
}

fn described(containers: &Containers, status: &Status) -> Result<json::Inspect, ApiError> {
    let spec = containers.spec(&status.id).map_err(|error| ApiError::internal(error.to_string()))?;
    let label = |key: &str| status.labels.get(key).cloned().unwrap_or_default();
    let mut args = spec.args.into_iter();
    let path = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    Ok(json::Inspect {
        id: status.id.clone(),
        path,
        state: state(&status.phase),
        image: label("drover.image.id"),
        name: format!("/{}", label("com.docker.swarm.task.name")),
        driver: "overlay2".into(),
        platform: "linux".into(),
        config: json::Config {
            hostname: spec.hostname,
            user: spec.user,
            tty: spec.tty,
            open_stdin: spec.open_stdin,
            env: spec.env,
            cmd: Some(args.clone()),
            image: label("drover.image"),
            working_dir: spec.cwd,
            labels: status.labels.clone(),
            ..json::Config::default()
        },
        args,
        ..json::Inspect::default()
    })
}

fn state(phase: &Phase) -> json::State {
    let named = |status: &str| json::State { status: status.into(), ..json::State::default() };
    match phase {
        Phase::Created => named("created"),
        Phase::Running(started) => json::State {
            running: true,
            pid: started.pid.into(),
            started_at: clock::timestamp(started.at).into(),
            ..named("running")
        },
        Phase::Exited(exit) => json::State {
            oom_killed: exit.oom_killed,
            exit_code: exit.code.into(),
            error: exit.error.clone().unwrap_or_default(),
            finished_at: clock::timestamp(exit.finished_at).into(),
            ..named("exited")
        },
    }
}
