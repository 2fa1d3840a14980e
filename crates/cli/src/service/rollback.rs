//! `service rollback`

use anyhow::Result;
use clap::Args;
use client::Context;

use super::{Kind, Waiting, converge, find, write};

/// Which service goes back.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The service's name or id
    service: String,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    go_back(context, &arguments.service, &arguments.waiting).await
}

/// Takes back the last change of a service.
pub(super) async fn go_back(context: &mut Context, name: &str, waiting: &Waiting) -> Result<()> {
    let service = find(context, name).await?;
    write(context, &service, &service.spec, Kind::Rollback).await?;
    context.console.line(name)?;
    if waiting.is_detached() {
        return Ok(());
    }
    converge::wait(context, name, waiting).await
}
