//! `diff`

use anyhow::Result;
use clap::Args;
use client::Context;
use container_json::{Change, ChangeKind};

use crate::lifecycle::route;

/// Which container is looked at.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The container
    container: String,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let changes: Option<Vec<Change>> = context.engine.get(route(&arguments.container, "changes")).await?;
    let line = |Change { kind, path }: &Change| {
        let letter = match kind {
            ChangeKind::Modified => 'C',
            ChangeKind::Added => 'A',
            ChangeKind::Deleted => 'D',
        };
        format!("{letter} {path}\n")
    };
    let lines: String = changes.iter().flatten().map(line).collect();
    Ok(context.console.write(&lines)?)
}
