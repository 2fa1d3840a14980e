//! `network create`

use anyhow::Result;
use clap::{ArgAction, Args};
use client::{Context, Route};
use engine_json::{ConfigFrom, NetworkCreate, NetworkCreated, NetworkIpam};

use super::pairs;
use super::pools::{Wishes, pools};

/// What a new network is.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Arguments {
    /// Its name
    #[arg(value_name = "NETWORK")]
    name: String,
    /// Let containers outside services join
    #[arg(long)]
    attachable: bool,
    /// An address that is not given out
    #[arg(long, value_name = "NAME=ADDRESS")]
    aux_address: Vec<String>,
    /// The network whose settings it takes
    #[arg(long, value_name = "NETWORK", default_value = "", hide_default_value = true)]
    config_from: String,
    /// Only hold settings for others
    #[arg(long)]
    config_only: bool,
    /// Its driver: `overlay` for the cluster, `bridge` for this node alone
    #[arg(short, long, value_name = "DRIVER", default_value = "bridge")]
    driver: String,
    /// The gateway of its subnet
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    gateway: Vec<String>,
    /// Let it carry published ports; there is one such network
    #[arg(long)]
    ingress: bool,
    /// Let nothing on it out
    #[arg(long)]
    internal: bool,
    /// The part of its subnet from which addresses are given out
    #[arg(long, value_name = "SUBNET", value_delimiter = ',')]
    ip_range: Vec<String>,
    /// The driver of address management
    #[arg(long, value_name = "DRIVER", default_value = "default")]
    ipam_driver: String,
    /// An option of that driver
    #[arg(long, value_name = "KEY=VALUE")]
    ipam_opt: Vec<String>,
    /// Whether it has IPv4
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    ipv4: Option<bool>,
    /// Whether it has IPv6
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    ipv6: Option<bool>,
    /// A label
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// An option of its driver
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// `local` or `swarm`; what the driver does unless given
    #[arg(long, value_name = "SCOPE", default_value = "", hide_default_value = true)]
    scope: String,
    /// Its subnet, such as 10.0.9.0/24; a free one unless given
    #[arg(long, value_name = "SUBNET", value_delimiter = ',')]
    subnet: Vec<String>,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let body = body(arguments)?;
    let created: NetworkCreated = context.engine.post(Route::new("/networks/create"), &body).await?;
    if !created.warning.is_empty() {
        context.console.complain(&created.warning);
    }
    Ok(context.console.line(&created.id)?)
}

fn body(arguments: Arguments) -> Result<NetworkCreate> {
    let options = pairs(&arguments.ipam_opt);
    let config = pools(&Wishes {
        subnets: &arguments.subnet,
        ranges: &arguments.ip_range,
        gateways: &arguments.gateway,
        auxiliary: &pairs(&arguments.aux_address),
    })?;
    let from = arguments.config_from;
    Ok(NetworkCreate {
        name: arguments.name,
        driver: arguments.driver,
        scope: arguments.scope,
        enable_ipv4: arguments.ipv4,
        enable_ipv6: arguments.ipv6,
        ipam: Some(NetworkIpam { driver: arguments.ipam_driver, options: Some(options), config }),
        internal: arguments.internal,
        attachable: arguments.attachable,
        ingress: arguments.ingress,
        config_only: arguments.config_only,
        config_from: (!from.is_empty()).then_some(ConfigFrom { network: from }),
        options: pairs(&arguments.opt),
        labels: pairs(&arguments.label),
    })
}
