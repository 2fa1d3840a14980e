//! `service rm`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, each, escape_path};

/// Which services go.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of services
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<String>,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    each(context, &arguments.services, async |context, service| {
        context.engine.delete(Route::new(format!("/services/{}", escape_path(service)))).await?;
        Ok(context.console.line(service)?)
    })
    .await
}
