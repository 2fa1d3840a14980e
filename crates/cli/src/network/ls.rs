//! `network ls`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, filters};
use engine_json::NetworkInspect;
use format::{Listing, duration, natural, short_id};
use serde_json::{Value, json};

/// Which networks are listed, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only networks that fit, such as `driver=overlay`
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Show each network with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Only show ids
    #[arg(short, long)]
    quiet: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let route = Route::new("/networks").filtered(&filters(&arguments.filter)?);
    let mut networks: Vec<NetworkInspect> = context.engine.get(route).await?;
    networks.sort_by(|a, b| natural::compare(&a.name, &b.name));
    let id = |network: &NetworkInspect| {
        if arguments.no_trunc { network.id.clone() } else { short_id(&network.id).to_owned() }
    };
    if arguments.quiet && arguments.format.is_none() {
        let ids: String = networks.iter().map(|network| format!("{}\n", id(network))).collect();
        return Ok(context.console.write(&ids)?);
    }
    let rows = networks.iter().map(|network| row(network, &id(network))).collect();
    let shown = Listing { columns: COLUMNS, extra: EXTRA, rows }.show(arguments.format.as_deref())?;
    Ok(context.console.write(&shown)?)
}

const COLUMNS: &[(&str, &str)] =
    &[("ID", "NETWORK ID"), ("Name", "NAME"), ("Driver", "DRIVER"), ("Scope", "SCOPE")];
const EXTRA: &[(&str, &str)] = &[
    ("CreatedAt", "CREATED AT"),
    ("IPv4", "IPV4"),
    ("IPv6", "IPV6"),
    ("Internal", "INTERNAL"),
    ("Labels", "LABELS"),
    ("Label", "LABEL"),
];

fn row(network: &NetworkInspect, id: &str) -> Value {
    let labels: Vec<String> = network.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    json!({
        "CreatedAt": duration::go_time(&network.created.to_string()),
        "Driver": network.driver,
        "ID": id,
        "IPv4": network.enable_ipv4.to_string(),
        "IPv6": network.enable_ipv6.to_string(),
        "Internal": network.internal.to_string(),
        "Labels": labels.join(","),
        "Label": network.labels,
        "Name": network.name,
        "Scope": network.scope,
    })
}
