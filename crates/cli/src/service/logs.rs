//! `service logs`

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use bytes::Bytes;
use clap::Args;
use client::{Context, Route, escape_path, moment, or_missing};
use engine_json::{Channel, Task};

use super::fetch;
use crate::task::Names;
use format::cut;

/// How many characters of a task's id are shown.
const ID_CHARACTERS: usize = 12;
const DETAILS: [&str; 3] =
    ["com.docker.swarm.node.id", "com.docker.swarm.service.id", "com.docker.swarm.task.id"];

/// Whose output is shown, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The name or id of a service, or the id of a task
    #[arg(value_name = "SERVICE|TASK")]
    name: String,
    /// Show what the log driver tells beside each line
    #[arg(long)]
    details: bool,
    /// Go on as output comes
    #[arg(short, long)]
    follow: bool,
    /// Show ids in place of names
    #[arg(long)]
    no_resolve: bool,
    /// Leave ids of tasks out
    #[arg(long)]
    no_task_ids: bool,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Show the output as it is, without saying whose it is
    #[arg(long)]
    raw: bool,
    /// Only output since this time, or so long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// How many lines of each task to begin with
    #[arg(short = 'n', long, value_name = "COUNT", default_value = "all")]
    tail: String,
    /// Show when each line was written
    #[arg(short, long)]
    timestamps: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let (path, has_terminal) = source(context, &arguments.name).await?;
    if has_terminal && !arguments.raw {
        bail!("tty service logs only supported with --raw");
    }
    let mut route = Route::new(path).with("stdout", "1").with("stderr", "1").with("tail", &arguments.tail);
    for (key, is_set) in
        [("details", !arguments.raw), ("follow", arguments.follow), ("timestamps", arguments.timestamps)]
    {
        if is_set {
            route = route.with(key, "1");
        }
    }
    if let Some(since) = &arguments.since {
        route = route.with("since", moment(since, context.console.now())?);
    }
    let mut lines = context.engine.stream(route).await?;
    if has_terminal {
        while let Some(bytes) = lines.next_raw().await? {
            context.console.write_bytes(&bytes)?;
        }
        return Ok(());
    }
    let mut writer = Writer { names: Names::default(), slots: BTreeMap::new(), width: 0 };
    while let Some((channel, payload)) = lines.next_frame().await? {
        let line =
            if arguments.raw { payload.to_vec() } else { writer.line(context, &payload, &arguments).await? };
        match channel {
            Channel::Stdin | Channel::Stdout => context.console.write_bytes(&line)?,
            Channel::Stderr => context.console.complain_bytes(&line),
            Channel::SystemError => bail!("{}", String::from_utf8_lossy(&payload).trim()),
        }
    }
    Ok(())
}

/// Finds the service or task, and whether its containers have terminals.
async fn source(context: &Context, name: &str) -> Result<(String, bool)> {
    match fetch(context, name).await {
        Ok(service) => {
            let container = service.spec.task_template.container_spec.unwrap_or_default();
            Ok((format!("/services/{}/logs", service.id), container.tty))
        }
        Err(error) if error.is_not_found() => {
            let route = Route::new(format!("/tasks/{}", escape_path(name)));
            let task: Task = or_missing(context.engine.get(route).await, "task or service", name)?;
            Ok((format!("/tasks/{}/logs", task.id), task.spec.container_spec.unwrap_or_default().tty))
        }
        Err(error) => Err(error.into()),
    }
}

/// Says before each line whose it is.
struct Writer {
    names: Names,
    /// Names of tasks by id.
    slots: BTreeMap<String, String>,
    /// The widest prefix so far, so that lines stand below each other.
    width: usize,
}

impl Writer {
    async fn line(&mut self, context: &Context, payload: &Bytes, arguments: &Arguments) -> Result<Vec<u8>> {
        let mut rest: &[u8] = payload;
        let timestamp = if arguments.timestamps { take_word(&mut rest) } else { String::new() };
        let mut details = details(&take_word(&mut rest));
        let ids = DETAILS.map(|key| details.remove(key).unwrap_or_default());
        let prefix = self.prefix(context, ids, arguments).await;
        self.width = self.width.max(prefix.chars().count());
        let width = self.width;
        let mut line = format!("{prefix:<width$}    | ");
        if arguments.timestamps {
            line = format!("{timestamp} {line}");
        }
        if arguments.details && !details.is_empty() {
            let shown: Vec<String> = details.iter().map(|(key, value)| format!("{key}={value}")).collect();
            line.push_str(&format!("{} ", shown.join(",")));
        }
        Ok([line.as_bytes(), rest].concat())
    }

    async fn prefix(&mut self, context: &Context, ids: [String; 3], arguments: &Arguments) -> String {
        let [node, service, task] = ids;
        if !arguments.no_resolve {
            self.names.learn(context, &service, &node).await;
            if !self.slots.contains_key(&task) {
                let found =
                    context.engine.get::<Task>(Route::new(format!("/tasks/{}", escape_path(&task)))).await;
                let name = found.map_or_else(|_| self.names.service(&service), |task| self.names.task(&task));
                self.slots.insert(task.clone(), name);
            }
        }
        let name = self.slots.get(&task).cloned().unwrap_or_else(|| service.clone());
        let short = if arguments.no_trunc { task.as_str() } else { cut(&task, ID_CHARACTERS) };
        let node = self.names.node(&node);
        if arguments.no_task_ids { format!("{name}@{node}") } else { format!("{name}.{short}@{node}") }
    }
}

fn take_word(rest: &mut &[u8]) -> String {
    let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(0);
    let word = String::from_utf8_lossy(&rest[..end]).into_owned();
    *rest = rest.get(end + 1..).unwrap_or_default();
    word
}

fn details(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (unescape(key), unescape(value))).collect()
}

fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
