//! `swarm init`

use anyhow::Result;
use clap::Args;
use client::{Context, Route};
use engine_json::{InitRequest, SwarmSpec};

use super::membership::Membership;
use super::settings::Settings;
use super::{join_token, unlock_key};

/// How the cluster is founded.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    membership: Membership,
    /// The UDP port of container traffic, 1024 to 49151; 0 means 4789
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    data_path_port: u32,
    /// A pool from which subnets of networks are cut, such as 10.0.0.0/8
    #[arg(long, value_name = "SUBNET", value_delimiter = ',')]
    default_addr_pool: Vec<String>,
    /// The prefix length of a network's subnet
    #[arg(long, value_name = "LENGTH", default_value_t = 24)]
    default_addr_pool_mask_length: u32,
    /// Go on alone from the state on this node's disk, keeping every object
    #[arg(long)]
    force_new_cluster: bool,
    #[command(flatten)]
    settings: Settings,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let mut spec = SwarmSpec::default();
    arguments.settings.apply(&mut spec)?;
    let is_locking = arguments.settings.autolock.unwrap_or(false);
    let request = InitRequest {
        listen_addr: arguments.membership.listen_addr,
        advertise_addr: arguments.membership.advertise_addr,
        data_path_addr: arguments.membership.data_path_addr,
        data_path_port: arguments.data_path_port,
        force_new_cluster: arguments.force_new_cluster,
        spec,
        auto_lock_managers: is_locking,
        availability: arguments.membership.availability,
        default_addr_pool: arguments.default_addr_pool,
        subnet_size: arguments.default_addr_pool_mask_length,
    };
    let node: String = context.engine.post(Route::new("/swarm/init"), &request).await?;
    context.console.line(&format!("Swarm initialized: current node ({node}) is now a manager.\n"))?;
    join_token::tell(context, &node, join_token::Role::Worker).await?;
    context.console.line(
        "To add a manager to this swarm, run 'drover swarm join-token manager' and follow the instructions.",
    )?;
    if is_locking {
        unlock_key::tell(context).await?;
    }
    Ok(())
}
