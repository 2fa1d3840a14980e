//! `swarm join`

use anyhow::Result;
use clap::Args;
use client::{Context, Route};
use engine_json::{Info, JoinRequest};

use super::membership::Membership;

/// Which cluster is joined, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where one of its managers listens, `HOST:PORT`
    #[arg(value_name = "HOST:PORT")]
    remote: String,
    /// What lets this node in; `drover swarm join-token` shows it
    #[arg(long, required = true)]
    token: String,
    #[command(flatten)]
    membership: Membership,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let request = JoinRequest {
        listen_addr: arguments.membership.listen_addr,
        advertise_addr: arguments.membership.advertise_addr,
        data_path_addr: arguments.membership.data_path_addr,
        remote_addrs: vec![arguments.remote],
        join_token: arguments.token,
        availability: arguments.membership.availability,
    };
    context.engine.post_plain(Route::new("/swarm/join"), &request).await?;
    let info: Info = context.engine.get(Route::new("/info")).await?;
    let role = if info.swarm.control_available { "manager" } else { "worker" };
    Ok(context.console.line(&format!("This node joined a swarm as a {role}."))?)
}
