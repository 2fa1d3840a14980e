//! How a container is: as inspect tells it, and in one line for people.

use std::time::Duration;

use container::{Phase, Status};
use container_config::health::{self, Health};
use container_json::{HealthResult, State};
use engine_json::Time;

use crate::Engine;
use crate::engine::json_time;
use crate::life::Step;
use crate::record::Record;
use crate::table::Entry;

impl Engine {
    /// Describes how a container is.
    pub(crate) fn state(&self, entry: &Entry) -> State {
        let record = entry.record().clone();
        let phase = self.containers().status(&entry.id).map(|Status { phase, .. }| phase);
        let life = entry.life();
        let state = state(&record, life.step, life.exit_code, phase.unwrap_or(Phase::Created));
        State { health: health(&entry.health.borrow()), ..state }
    }
}

/// Describes the health of a container that has a check.
fn health(health: &Health) -> Option<container_json::Health> {
    if health.status == health::Status::None && health.log.is_empty() {
        return None;
    }
    let results = health.log.iter().map(|probe| HealthResult {
        start: json_time(probe.start),
        end: json_time(probe.end),
        exit_code: probe.code.into(),
        output: probe.output.clone(),
    });
    Some(container_json::Health {
        status: health.status.as_str().to_owned(),
        failing_streak: health.failing_streak.into(),
        log: results.collect(),
    })
}

fn state(record: &Record, step: Step, exit_code: i32, phase: Phase) -> State {
    let is_paused = matches!(phase, Phase::Paused(_));
    let status = match step {
        Step::Created => "created",
        Step::Running if is_paused => "paused",
        Step::Running => "running",
        Step::Restarting => "restarting",
        Step::Exited => "exited",
        Step::Removing | Step::Removed => "removing",
    };
    let mut state = State {
        status: status.to_owned(),
        running: step.is_alive(),
        paused: is_paused,
        restarting: step == Step::Restarting,
        exit_code: exit_code.into(),
        started_at: record.started_at,
        ..State::default()
    };
    match phase {
        Phase::Created => {}
        Phase::Running(started) | Phase::Paused(started) => {
            state.pid = started.pid.into();
            state.started_at = json_time(started.at);
            state.exit_code = 0;
        }
        Phase::Exited(exit) => {
            state.oom_killed = exit.oom_killed;
            state.finished_at = json_time(exit.finished_at);
            state.error = exit.error.unwrap_or_default();
        }
    }
    if let Some(failure) = &record.failure {
        state.error.clone_from(&failure.text);
    }
    state
}

/// Returns the state in one line, such as `Up 3 minutes (healthy)`.
pub(crate) fn line(state: &State, now: Time) -> String {
    let up = now.since(state.started_at);
    let down = ago(now.since(state.finished_at));
    match state.status.as_str() {
        "created" => "Created".to_owned(),
        "removing" => "Removal In Progress".to_owned(),
        "restarting" => format!("Restarting ({}) {down} ago", state.exit_code),
        "paused" => format!("Up {} (Paused)", ago(up)),
        "running" => match state.health.as_ref().map(|health| health.status.as_str()) {
            None | Some("" | "none") => format!("Up {}", ago(up)),
            Some("starting") => format!("Up {} (health: starting)", ago(up)),
            Some(health) => format!("Up {} ({health})", ago(up)),
        },
        _ => format!("Exited ({}) {down} ago", state.exit_code),
    }
}

/// Writes a time span as Docker does.
fn ago(span: Duration) -> String {
    let seconds = span.as_secs();
    // The nearest hour, as Docker rounds it.
    let hours = (seconds + 1800) / 3600;
    match (seconds, hours) {
        (0, _) => "Less than a second".to_owned(),
        (1, _) => "1 second".to_owned(),
        (2..=59, _) => format!("{seconds} seconds"),
        (60..=119, _) => "About a minute".to_owned(),
        (120..=3599, _) => format!("{} minutes", seconds / 60),
        (_, 0 | 1) => "About an hour".to_owned(),
        (_, 2..=47) => format!("{hours} hours"),
        (_, 48..=335) => format!("{} days", hours / 24),
        (_, 336..=1439) => format!("{} weeks", hours / 24 / 7),
        (_, 1440..=17_519) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use container::{Exit, Started};
    use std::time::SystemTime;

    use super::*;
    use crate::record::Failure;

    #[test]
    fn spans_are_written_as_docker_does() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (119, "About a minute"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (5400, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (14 * 86_400, "2 weeks"),
            (61 * 86_400, "2 months"),
            (731 * 86_400, "2 years"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn lines_are_dockers() {
        let at = |seconds: i64| Time::from_nanoseconds(seconds * 1_000_000_000);
        let state = |status: &str, health: Option<&str>| State {
            status: status.to_owned(),
            exit_code: 3,
            started_at: at(40),
            finished_at: at(95),
            health: health.map(|status| container_json::Health {
                status: status.to_owned(),
                ..container_json::Health::default()
            }),
            ..State::default()
        };
        for (status, health, text) in [
            ("created", None, "Created"),
            ("running", None, "Up About a minute"),
            ("running", Some("healthy"), "Up About a minute (healthy)"),
            ("running", Some("starting"), "Up About a minute (health: starting)"),
            ("running", Some("none"), "Up About a minute"),
            ("paused", None, "Up About a minute (Paused)"),
            ("restarting", None, "Restarting (3) 5 seconds ago"),
            ("exited", None, "Exited (3) 5 seconds ago"),
            ("removing", None, "Removal In Progress"),
        ] {
            assert_eq!(line(&state(status, health), at(100)), text);
        }
    }

    #[test]
    fn states_are_put_together() {
        let record = Record::sample("aa11", "web");
        let started = Started { pid: 7, at: SystemTime::UNIX_EPOCH };
        let exit = Exit { code: 137, oom_killed: true, finished_at: SystemTime::UNIX_EPOCH, error: None };
        let failed = Record {
            failure: Some(Failure { code: 127, text: "gone".into(), at: Time::default() }),
            ..record.clone()
        };

        let running = state(&record, Step::Running, 5, Phase::Running(started));
        let restarting = state(&record, Step::Restarting, 137, Phase::Exited(exit));
        let never = state(&failed, Step::Created, 127, Phase::Created);

        assert_eq!((running.status.as_str(), running.pid, running.exit_code), ("running", 7, 0));
        assert!(restarting.running && restarting.restarting && restarting.oom_killed);
        assert_eq!((never.status.as_str(), never.exit_code, never.error.as_str()), ("created", 127, "gone"));
    }
}
