//! `node ls`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, filters};
use engine_json::{Info, Node};
use format::Listing;
use format::natural;
use serde_json::{Value, json};

use format::capitalized;

/// How nodes are listed.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only nodes that fit, such as `role=manager`
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Show each node with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Only show ids
    #[arg(short, long)]
    quiet: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let route = Route::new("/nodes").filtered(&filters(&arguments.filter)?);
    let mut nodes: Vec<Node> = context.engine.get(route).await?;
    nodes.sort_by(|a, b| natural::compare(&a.description.hostname, &b.description.hostname));
    if arguments.quiet && arguments.format.is_none() {
        let ids: String = nodes.iter().map(|node| format!("{}\n", node.id)).collect();
        return Ok(context.console.write(&ids)?);
    }
    let info: Info = context.engine.get(Route::new("/info")).await?;
    let is_table = arguments.format.as_deref().is_none_or(|format| format.starts_with("table"));
    let listing = Listing {
        columns: &[
            ("ID", "ID"),
            ("Hostname", "HOSTNAME"),
            ("Status", "STATUS"),
            ("Availability", "AVAILABILITY"),
            ("ManagerStatus", "MANAGER STATUS"),
            ("EngineVersion", "ENGINE VERSION"),
        ],
        extra: &[("Self", "SELF"), ("TLSStatus", "TLS STATUS")],
        rows: nodes.iter().map(|node| row(node, &info, is_table)).collect(),
    };
    let shown = listing.show(arguments.format.as_deref())?;
    Ok(context.console.write(&shown)?)
}

fn row(node: &Node, info: &Info, is_table: bool) -> Value {
    let is_self = node.id == info.swarm.node_id;
    let mark = if is_self { " *" } else { "  " };
    let manager = node
        .manager_status
        .as_ref()
        .map(|manager| if manager.leader { "Leader".to_owned() } else { capitalized(&manager.reachability) });
    json!({
        "ID": if is_table { format!("{}{mark}", node.id) } else { node.id.clone() },
        "Hostname": node.description.hostname,
        "Status": capitalized(&node.status.state),
        "Availability": capitalized(&node.spec.availability),
        "ManagerStatus": manager.unwrap_or_default(),
        "EngineVersion": node.description.engine.engine_version,
        "Self": is_self,
        "TLSStatus": tls_status(node, info),
    })
}

fn tls_status(node: &Node, info: &Info) -> &'static str {
    match &info.swarm.cluster {
        None => "Unknown",
        Some(_) if node.description.tls_info.trust_root.is_empty() => "Unknown",
        Some(cluster) if cluster.tls_info == node.description.tls_info => "Ready",
        Some(_) => "Needs Rotation",
    }
}
