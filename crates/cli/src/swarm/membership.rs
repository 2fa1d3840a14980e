//! Flags that `swarm init` and `swarm join` share.

use clap::Args;

/// Where a member of the cluster is found, and whether it takes tasks.
#[derive(Debug, Args)]
pub struct Membership {
    /// The address told to other nodes, `ADDRESS|INTERFACE[:PORT]`
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    pub advertise_addr: String,
    /// Whether this node takes tasks
    #[arg(long, value_parser = ["active", "pause", "drain"], default_value = "active")]
    pub availability: String,
    /// The address or interface of container traffic
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    pub data_path_addr: String,
    /// Where managers listen, `ADDRESS|INTERFACE[:PORT]`
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:2377")]
    pub listen_addr: String,
}
