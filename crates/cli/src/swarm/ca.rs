//! `swarm ca`

use anyhow::{Result, bail};
use clap::Args;
use client::{Context, Route};
use engine_json::Swarm;
use format::duration;

use super::Rotate;

/// How often it is looked whether the rotation is done.
const POLL: std::time::Duration = std::time::Duration::from_millis(200);

/// What to do with the root certificate.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Replace the root certificate and every node's certificate
    #[arg(long)]
    rotate: bool,
    /// How long nodes' certificates are valid
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, requires = "rotate")]
    cert_expiry: Option<i64>,
    /// Do not wait until every node has its new certificate
    #[arg(short, long, requires = "rotate")]
    detach: bool,
    /// Say nothing while waiting
    #[arg(short, long, requires = "rotate")]
    quiet: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let swarm: Swarm = context.engine.get(Route::new("/swarm")).await?;
    if !arguments.rotate {
        if swarm.tls_info.trust_root.is_empty() {
            bail!("No CA information available");
        }
        return Ok(context.console.line(swarm.tls_info.trust_root.trim())?);
    }
    let mut spec = swarm.spec;
    spec.ca_config.force_rotate += 1;
    if let Some(expiry) = arguments.cert_expiry {
        spec.ca_config.node_cert_expiry = expiry;
    }
    context.engine.post_plain(Rotate::Nothing.route(swarm.version.index), &spec).await?;
    if arguments.detach {
        return Ok(());
    }
    if !arguments.quiet {
        context.console.line("rotating: waiting until every node has its new certificate")?;
    }
    loop {
        let swarm: Swarm = context.engine.get(Route::new("/swarm")).await?;
        if !swarm.root_rotation_in_progress {
            return Ok(context.console.line(swarm.tls_info.trust_root.trim())?);
        }
        tokio::time::sleep(POLL).await;
    }
}
