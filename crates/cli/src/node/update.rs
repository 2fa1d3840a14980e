//! `node update`

use anyhow::{Result, bail};
use clap::Args;
use client::{Context, Route, escape_path};
use engine_json::{Node, NodeSpec};

use super::resolve;

/// What changes on a node.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The node's name or id, or `self`
    node: String,
    /// Whether it takes tasks
    #[arg(long, value_parser = ["active", "pause", "drain"])]
    availability: Option<String>,
    /// Add or replace a label
    #[arg(long, value_name = "KEY=VALUE")]
    label_add: Vec<String>,
    /// Take a label away
    #[arg(long, value_name = "KEY")]
    label_rm: Vec<String>,
    /// What it is in the cluster
    #[arg(long, value_parser = ["worker", "manager"])]
    role: Option<String>,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let name = resolve(context, &arguments.node).await?;
    change(context, &name, |spec| {
        if let Some(availability) = &arguments.availability {
            spec.availability.clone_from(availability);
        }
        if let Some(role) = &arguments.role {
            spec.role.clone_from(role);
        }
        for label in &arguments.label_add {
            let (key, value) = label.split_once('=').unwrap_or((label, ""));
            spec.labels.insert(key.to_owned(), value.to_owned());
        }
        for key in &arguments.label_rm {
            if spec.labels.remove(key).is_none() {
                bail!("key {key} doesn't exist in node's labels");
            }
        }
        Ok(())
    })
    .await?;
    Ok(context.console.line(&arguments.node)?)
}

/// Reads a node's spec, changes it and writes it back.
pub(super) async fn change(
    context: &Context,
    name: &str,
    change: impl FnOnce(&mut NodeSpec) -> Result<()>,
) -> Result<()> {
    let node: Node = context.engine.get(Route::new(format!("/nodes/{}", escape_path(name)))).await?;
    let mut spec = node.spec;
    change(&mut spec)?;
    let route =
        Route::new(format!("/nodes/{}/update", node.id)).with("version", node.version.index.to_string());
    context.engine.post_plain(route, &spec).await?;
    Ok(())
}
