//! Lists of tasks, as `service ps` and `node ps` show them.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use client::{Context, Route};
use engine_json::{Node, PortConfig, Service, Task, Time};
use format::Listing;
use format::reference::without_digest;
use format::{capitalized, cut, duration, natural};
use serde_json::{Value, json};

/// How long an error may be in a table.
const ERROR_CHARACTERS_MAX: usize = 30;
/// How many characters of an id are shown.
const ID_CHARACTERS: usize = 12;

/// How tasks are listed.
#[derive(Debug, Args)]
pub struct Options {
    /// Only tasks that fit, such as `desired-state=running`
    #[arg(short, long, value_name = "FILTER")]
    pub filter: Vec<String>,
    /// Show each task with a Go template, or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show ids in place of names
    #[arg(long)]
    no_resolve: bool,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Only show ids
    #[arg(short, long)]
    quiet: bool,
}

/// Shows tasks in the order of their names, the latest of each name first.
pub(crate) async fn show(context: &mut Context, tasks: Vec<Task>, options: &Options) -> Result<()> {
    let names = Names::of(context, &tasks, options.no_resolve).await;
    let mut tasks: Vec<(String, Task)> = tasks.into_iter().map(|task| (names.task(&task), task)).collect();
    tasks.sort_by(|(a, x), (b, y)| natural::compare(a, b).then(y.created_at.cmp(&x.created_at)));
    if options.quiet {
        let ids: String = tasks.iter().map(|(_, task)| format!("{}\n", task.id)).collect();
        return Ok(context.console.write(&ids)?);
    }
    let is_table = options.format.as_deref().is_none_or(|format| format.starts_with("table"));
    let now = context.console.now();
    let mut rows: Vec<Value> = Vec::new();
    let mut former = None;
    for (name, task) in &tasks {
        let shown = if former == Some(name) && is_table { format!(" \\_ {name}") } else { name.clone() };
        rows.push(row(task, shown, names.node(&task.node_id), options, now));
        former = Some(name);
    }
    let listing = Listing {
        columns: &[
            ("ID", "ID"),
            ("Name", "NAME"),
            ("Image", "IMAGE"),
            ("Node", "NODE"),
            ("DesiredState", "DESIRED STATE"),
            ("CurrentState", "CURRENT STATE"),
            ("Error", "ERROR"),
            ("Ports", "PORTS"),
        ],
        extra: &[],
        rows,
    };
    let shown = listing.show(options.format.as_deref())?;
    Ok(context.console.write(&shown)?)
}

fn row(task: &Task, name: String, node: String, options: &Options, now: Time) -> Value {
    let image = task.spec.container_spec.as_ref().map(|spec| spec.image.as_str()).unwrap_or_default();
    json!({
        "ID": if options.no_trunc { task.id.as_str() } else { cut(&task.id, ID_CHARACTERS) },
        "Name": name,
        "Image": if options.no_trunc { image.to_owned() } else { without_digest(image) },
        "Node": node,
        "DesiredState": capitalized(&task.desired_state),
        "CurrentState": format!(
            "{} {} ago",
            capitalized(&task.status.state),
            duration::human(now.since(task.status.timestamp)).to_lowercase()
        ),
        "Error": error(&task.status.err, options.no_trunc),
        "Ports": ports(&task.status.port_status.ports),
    })
}

fn error(text: &str, whole: bool) -> String {
    match text {
        "" => String::new(),
        text if whole || text.chars().count() <= ERROR_CHARACTERS_MAX => format!("\"{text}\""),
        text => format!("\"{}…\"", cut(text, ERROR_CHARACTERS_MAX - 1)),
    }
}

fn ports(ports: &[PortConfig]) -> String {
    let shown: Vec<String> = ports
        .iter()
        .map(|port| format!("*:{}->{}/{}", port.published_port, port.target_port, port.protocol))
        .collect();
    shown.join(",")
}

/// Names of the services and nodes that tasks mention.
#[derive(Default)]
pub(crate) struct Names {
    services: BTreeMap<String, String>,
    nodes: BTreeMap<String, String>,
}

impl Names {
    /// Asks for the names; what is gone keeps its id.
    pub(crate) async fn of(context: &Context, tasks: &[Task], keep_ids: bool) -> Self {
        let mut names = Self::default();
        if keep_ids {
            return names;
        }
        for task in tasks {
            names.learn(context, &task.service_id, &task.node_id).await;
        }
        names
    }

    /// Asks for the names of one service and one node, unless they are known.
    pub(crate) async fn learn(&mut self, context: &Context, service: &str, node: &str) {
        if !service.is_empty() && !self.services.contains_key(service) {
            let route = Route::new(format!("/services/{service}")).with("insertDefaults", "false");
            let name = context.engine.get::<Service>(route).await.map(|service| service.spec.name);
            self.services.insert(service.to_owned(), name.unwrap_or_else(|_| service.to_owned()));
        }
        if !node.is_empty() && !self.nodes.contains_key(node) {
            let found = context.engine.get::<Node>(Route::new(format!("/nodes/{node}"))).await;
            let name = found.map(|node| match node.spec.name.as_str() {
                "" => node.description.hostname,
                name => name.to_owned(),
            });
            self.nodes.insert(
                node.to_owned(),
                name.ok().filter(|name| !name.is_empty()).unwrap_or_else(|| node.to_owned()),
            );
        }
    }

    /// Returns a task's name: its service and its slot, or its node where there are no slots.
    pub(crate) fn task(&self, task: &Task) -> String {
        let service = self.service(&task.service_id);
        match task.slot {
            0 => format!("{service}.{}", task.node_id),
            slot => format!("{service}.{slot}"),
        }
    }

    /// Returns a service's name.
    pub(crate) fn service(&self, id: &str) -> String {
        self.services.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// Returns a node's name.
    pub(crate) fn node(&self, id: &str) -> String {
        self.nodes.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_errors_are_cut_at_characters() {
        assert_eq!(error("", false), "");
        assert_eq!(error("short", false), "\"short\"");
        assert_eq!(error(&"é".repeat(31), false), format!("\"{}…\"", "é".repeat(29)));
        assert_eq!(error(&"x".repeat(31), true), format!("\"{}\"", "x".repeat(31)));
    }
}
