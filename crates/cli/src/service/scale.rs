//! `service scale`

use anyhow::{Result, anyhow, bail};
use clap::Args;
use client::{Context, conclude};

use super::{Kind, Waiting, converge, find, write};

/// Which services get how many tasks.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Services and their numbers of tasks
    #[arg(value_name = "SERVICE=REPLICAS", required = true)]
    scales: Vec<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let scales = arguments.scales.iter().map(|text| read(text)).collect::<Result<Vec<_>>>()?;
    let mut failures: Vec<String> = Vec::new();
    let mut scaled: Vec<&str> = Vec::new();
    for (name, replicas) in scales {
        match scale(context, name, replicas).await {
            Ok(()) => scaled.push(name),
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    if !arguments.waiting.is_detached() {
        for name in scaled {
            if let Err(error) = converge::wait(context, name, &arguments.waiting).await {
                failures.push(format!("{name}: {error:#}"));
            }
        }
    }
    conclude(&failures)
}

fn read(text: &str) -> Result<(&str, u64)> {
    let (name, replicas) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| anyhow!("invalid scale specifier '{text}'.\nSee 'drover service scale --help'."))?;
    let replicas = replicas.parse().map_err(|_| anyhow!("{name}: invalid replicas value {replicas}"))?;
    Ok((name, replicas))
}

async fn scale(context: &mut Context, name: &str, replicas: u64) -> Result<()> {
    let service = find(context, name).await?;
    let mut spec = service.spec.clone();
    match (&mut spec.mode.replicated, &mut spec.mode.replicated_job) {
        (Some(mode), _) => mode.replicas = Some(replicas),
        (None, Some(job)) => job.total_completions = Some(replicas),
        (None, None) => bail!("scale can only be used with replicated or replicated-job mode"),
    }
    write(context, &service, &spec, Kind::Change).await?;
    Ok(context.console.line(&format!("{name} scaled to {replicas}"))?)
}
