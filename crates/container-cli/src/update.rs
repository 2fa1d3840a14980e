//! `update` and `rename`

use anyhow::{Result, bail};
use clap::Args;
use client::{Context, conclude};
use container_flags::Change;
use container_json::UpdateAnswer;

use crate::lifecycle::route;

/// Which containers change, and how.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub struct Arguments {
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
    #[command(flatten)]
    change: Change,
}

/// Which container gets which name.
#[derive(Debug, Args)]
pub struct Rename {
    /// The container
    #[arg(value_name = "CONTAINER")]
    old: String,
    /// Its name from then on
    #[arg(value_name = "NAME")]
    new: String,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let body = arguments.change.body()?;
    let (mut warnings, mut failures) = (Vec::new(), Vec::new());
    for name in &arguments.containers {
        match context.engine.post::<UpdateAnswer>(route(name, "update"), &body).await {
            Ok(answer) => {
                context.console.line(name)?;
                warnings.extend(answer.warnings);
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    for warning in warnings {
        context.console.line(&warning)?;
    }
    conclude(&failures)
}

pub(crate) async fn rename(context: &mut Context, arguments: Rename) -> Result<()> {
    let (old, new) = (arguments.old.trim(), arguments.new.trim());
    if old.is_empty() || new.is_empty() {
        bail!("Error: Neither old nor new names may be empty");
    }
    if let Err(error) = context.engine.act(route(old, "rename").with("name", new)).await {
        bail!("{error}\nError: failed to rename container named {old}");
    }
    Ok(())
}
