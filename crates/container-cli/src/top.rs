//! `top`

use anyhow::Result;
use clap::Args;
use client::Context;
use container_json::Top;
use format::columns;

use crate::lifecycle::route;

/// The least width of a column, its gap included.
const WIDTH_MIN: usize = 20;

/// Whose processes are shown, and what of them.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The container
    container: String,
    /// Options of `ps`
    #[arg(value_name = "OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let mut route = route(&arguments.container, "top");
    if !arguments.options.is_empty() {
        route = route.with("ps_args", arguments.options.join(" "));
    }
    let top: Top = context.engine.get(route).await?;
    let rows: Vec<String> =
        std::iter::once(&top.titles).chain(&top.processes).map(|row| row.join("\t")).collect();
    Ok(context.console.write(&columns(&rows, WIDTH_MIN))?)
}
