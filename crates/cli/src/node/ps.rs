//! `node ps`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, conclude, escape_path, filters, or_missing};
use engine_json::{Node, Task};

use super::resolve;
use crate::task;

/// Whose tasks are listed, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of nodes, or `self`
    #[arg(value_name = "NODE", default_value = "self", hide_default_value = true)]
    nodes: Vec<String>,
    #[command(flatten)]
    options: task::Options,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut failures = Vec::new();
    for name in &arguments.nodes {
        match of(context, name, &arguments.options).await {
            Ok(of_node) => tasks.extend(of_node),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    if failures.is_empty() || !tasks.is_empty() {
        task::show(context, tasks, &arguments.options).await?;
    }
    conclude(&failures)
}

async fn of(context: &Context, name: &str, options: &task::Options) -> Result<Vec<Task>> {
    let name = resolve(context, name).await?;
    let node: Node = or_missing(
        context.engine.get(Route::new(format!("/nodes/{}", escape_path(&name)))).await,
        "node",
        &name,
    )?;
    let mut filters = filters(&options.filter)?;
    filters.add("node", node.id);
    Ok(context.engine.get(Route::new("/tasks").filtered(&filters)).await?)
}
