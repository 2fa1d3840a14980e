//! `swarm join`

use anyhow::Result;
use clap::Args;
use engine_json::{Info, JoinRequest};

use crate::Context;
use crate::engine::Route;

/// Which cluster is joined, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where one of its managers listens, `HOST:PORT`
    #[arg(value_name = "HOST:PORT")]
    remote: String,
    /// What lets this node in; `drover swarm join-token` shows it
    #[arg(long, required = true)]
    token: String,
    /// The address told to other nodes, `ADDRESS|INTERFACE[:PORT]`
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    advertise_addr: String,
    /// Whether this node takes tasks
    #[arg(long, value_parser = ["active", "pause", "drain"], default_value = "active")]
    availability: String,
    /// The address or interface of container traffic
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    data_path_addr: String,
    /// Where managers listen, `ADDRESS|INTERFACE[:PORT]`
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:2377")]
    listen_addr: String,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let request = JoinRequest {
        listen_addr: arguments.listen_addr,
        advertise_addr: arguments.advertise_addr,
        data_path_addr: arguments.data_path_addr,
        remote_addrs: vec![arguments.remote],
        join_token: arguments.token,
        availability: arguments.availability,
    };
    context.engine.post_plain(Route::new("/swarm/join"), &request).await?;
    let info: Info = context.engine.get(Route::new("/info")).await?;
    let role = if info.swarm.control_available { "manager" } else { "worker" };
    Ok(context.console.line(&format!("This node joined a swarm as a {role}."))?)
}
