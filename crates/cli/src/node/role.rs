//! `node promote` and `node demote`

use anyhow::Result;
use clap::Args;
use client::{Context, each};

use super::{resolve, update};

/// Whose role changes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of nodes, or `self`
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments, role: &'static str) -> Result<()> {
    each(context, &arguments.nodes, async |context, name| {
        let node = resolve(context, name).await?;
        let mut has_role = false;
        update::change(context, &node, |spec| {
            has_role = spec.role == role;
            spec.role = role.to_owned();
            Ok(())
        })
        .await?;
        let told = match (role, has_role) {
            ("manager", true) => format!("Node {name} is already a manager."),
            ("manager", false) => format!("Node {name} promoted to a manager in the swarm."),
            (_, true) => format!("Node {name} is already a worker."),
            (_, false) => format!("Manager {name} demoted in the swarm."),
        };
        Ok(context.console.line(&told)?)
    })
    .await
}
