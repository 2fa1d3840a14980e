//! `network connect` and `network disconnect`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, escape_path};
use container_json::{EndpointIpam, EndpointSettings, NetworkConnect, NetworkDisconnect};

use super::pairs;

/// Which container is put on which network, and how.
#[derive(Debug, Args)]
pub struct Connect {
    /// The network's name or id
    network: String,
    /// The container's name or id
    container: String,
    /// A further name of the container on the network
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    alias: Vec<String>,
    /// An option of the driver
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    driver_opt: Vec<String>,
    /// The network with the greatest has the default gateway
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true)]
    gw_priority: i64,
    /// The address
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    ip: String,
    /// The address of version 6
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    ip6: String,
    /// A container by another name
    #[arg(long, value_name = "CONTAINER[:NAME]")]
    link: Vec<String>,
    /// An address of the link alone
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    link_local_ip: Vec<String>,
}

/// Which container is taken off which network.
#[derive(Debug, Args)]
pub struct Disconnect {
    /// The network's name or id
    network: String,
    /// The container's name or id
    container: String,
    /// Also if the container is not there any more
    #[arg(short, long)]
    force: bool,
}

pub(super) async fn connect(context: &mut Context, arguments: Connect) -> Result<()> {
    let Connect { network, container, alias, driver_opt, gw_priority, ip, ip6, link, link_local_ip } =
        arguments;
    let ipam = EndpointIpam { ipv4_address: ip, ipv6_address: ip6, link_local_ips: link_local_ip };
    let endpoint = EndpointSettings {
        ipam_config: Some(ipam),
        links: link,
        aliases: alias,
        driver_opts: pairs(&driver_opt),
        gw_priority,
        ..EndpointSettings::default()
    };
    let body = NetworkConnect { container, endpoint_config: Some(endpoint) };
    let route = Route::new(format!("/networks/{}/connect", escape_path(&network)));
    context.engine.post_plain(route, &body).await?;
    Ok(())
}

pub(super) async fn disconnect(context: &mut Context, arguments: Disconnect) -> Result<()> {
    let Disconnect { network, container, force } = arguments;
    let route = Route::new(format!("/networks/{}/disconnect", escape_path(&network)));
    context.engine.post_plain(route, &NetworkDisconnect { container, force }).await?;
    Ok(())
}
