//! Logs of services and tasks, from whatever nodes they run on.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use control::{Control, find};
use engine_json as json;
use futures_util::StreamExt;
use futures_util::stream::{self, SelectAll};
use model::{ServiceId, TaskId, TaskState};
use store::View;
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;

use crate::engine::{LogLine, LogsWanted};
use crate::error::ApiError;
use crate::moment;
use crate::request::{Answer, App, Name, Query, Version};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/services/{id}/logs", get(of_service)).route("/tasks/{id}/logs", get(of_task))
}

async fn of_service(State(app): State<App>, Name(id): Name, query: Query, version: Version) -> Answer {
    let control = app.control()?;
    let view = control.current().await?;
    let service = find::service(&view, &id)?;
    let of = Of::Service { service: service.id, tty: service.spec.task.container.tty };
    logs(&app, &control, of, &query, version)
}

async fn of_task(State(app): State<App>, Name(id): Name, query: Query, version: Version) -> Answer {
    let control = app.control()?;
    let view = control.current().await?;
    let task = find::task(&view, &id)?;
    let tty = view.spec(task.spec_id()).is_some_and(|spec| spec.task.container.tty);
    logs(&app, &control, Of::Task { task: task.id, tty }, &query, version)
}

/// Whose logs are read, and whether they come from a terminal.
#[derive(Debug, Clone, Copy)]
enum Of {
    Service { service: ServiceId, tty: bool },
    Task { task: TaskId, tty: bool },
}

/// How each line is written.
#[derive(Debug, Clone, Copy)]
struct Shape {
    frames: bool,
    timestamps: bool,
    details: bool,
}

fn logs(app: &App, control: &Control, of: Of, query: &Query, version: Version) -> Answer {
    let wanted = lines_wanted(query)?;
    let (Of::Service { tty, .. } | Of::Task { tty, .. }) = of;
    let shape = Shape { frames: !tty, timestamps: query.flag("timestamps"), details: query.flag("details") };
    let content_type = respond::output_type(tty, version);
    let reading = Reading {
        app: app.clone(),
        views: control.proposer().views(),
        of,
        wanted,
        shape,
        is_begun: false,
        asked: BTreeSet::new(),
        lines: SelectAll::new(),
    };
    Ok(respond::stream(content_type, stream::unfold(reading, next)))
}

/// Reads which lines of logs a client wants.
pub(super) fn lines_wanted(query: &Query) -> Result<LogsWanted, ApiError> {
    let wanted = LogsWanted {
        follow: query.flag("follow"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        since: query.time("since")?.map(Into::into),
        tail: match query.text("tail") {
            "" | "all" => None,
            // Below 0 means all as well.
            text => u64::try_from(text.parse::<i64>().map_err(|_| {
                ApiError::bad_request(format!(
                    "invalid value for \"tail\": {text:?}: expected a number of lines, or all"
                ))
            })?)
            .ok(),
        },
    };
    if !wanted.stdout && !wanted.stderr {
        return Err(ApiError::bad_request("Bad parameters: you must choose at least one stream"));
    }
    Ok(wanted)
}

/// A reading of logs that, if it follows, goes on with tasks that appear meanwhile.
struct Reading {
    app: App,
    views: watch::Receiver<View>,
    of: Of,
    wanted: LogsWanted,
    shape: Shape,
    is_begun: bool,
    asked: BTreeSet<TaskId>,
    lines: SelectAll<ReceiverStream<LogLine>>,
}

async fn next(mut reading: Reading) -> Option<(Bytes, Reading)> {
    loop {
        let view = reading.views.borrow_and_update().clone();
        reading.ask_for_new_tasks(&view);
        let goes_on = reading.wanted.follow && reading.is_there(&view);
        if reading.lines.is_empty() && !goes_on {
            return None;
        }
        tokio::select! {
            Some(line) = reading.lines.next() => {
                let bytes = written(&line, &view, reading.shape);
                return Some((bytes, reading));
            }
            changed = reading.views.changed(), if goes_on => changed.ok()?,
            else => return None,
        }
    }
}

impl Reading {
    fn is_there(&self, view: &View) -> bool {
        match self.of {
            Of::Service { service, .. } => view.service(service).is_some(),
            Of::Task { task, .. } => view.task(task).is_some_and(|task| !task.status.state.is_terminal()),
        }
    }

    fn ask_for_new_tasks(&mut self, view: &View) {
        let has_output = |task: &model::Task| task.node.is_some() && task.status.state >= TaskState::Ready;
        let tasks: Vec<TaskId> = match self.of {
            Of::Service { service, .. } => {
                view.tasks_of_service(service).filter(|task| has_output(task)).map(|task| task.id).collect()
            }
            Of::Task { task, .. } => {
                view.task(task).filter(|task| has_output(task)).map(|task| task.id).into_iter().collect()
            }
        };
        // Tasks that appear later are read from their beginning.
        let tail = if self.is_begun { None } else { self.wanted.tail };
        self.is_begun = true;
        let fresh: Vec<TaskId> = tasks.into_iter().filter(|task| self.asked.insert(*task)).collect();
        if !fresh.is_empty() {
            let lines = self.app.engine.task_logs(fresh, LogsWanted { tail, ..self.wanted });
            self.lines.push(ReceiverStream::new(lines));
        }
    }
}

/// Writes one line, as one frame unless it comes from a terminal: time, details, text, as asked for.
fn written(line: &LogLine, view: &View, shape: Shape) -> Bytes {
    let mut text = Vec::with_capacity(line.line.len() + 160);
    if shape.timestamps {
        text.extend_from_slice(moment::write(line.at).as_bytes());
        text.push(b' ');
    }
    if shape.details
        && let Some(task) = line.task.and_then(|task| view.task(task))
    {
        let node = task.node.map(|node| node.to_string()).unwrap_or_default();
        let details = format!(
            "com.docker.swarm.node.id={node},com.docker.swarm.service.id={},com.docker.swarm.task.id={} ",
            task.service, task.id
        );
        text.extend_from_slice(details.as_bytes());
    }
    text.extend_from_slice(&line.line);
    if shape.frames {
        json::Frame { channel: line.channel, payload: &text }.encode().into()
    } else {
        text.into()
    }
}
