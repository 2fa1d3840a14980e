//! `node inspect`

use anyhow::Result;
use bytes::Bytes;
use clap::Args;
use client::{Context, Route, each, escape_path, inspect};
use engine_json::Node;
use format::{duration, size};

use super::resolve;
use format::capitalized;

/// Which nodes are shown, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of nodes, or `self`
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,
    /// Show each node with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE", conflicts_with = "pretty")]
    format: Option<String>,
    /// Show them for people
    #[arg(long)]
    pretty: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    if arguments.pretty {
        return each(context, &arguments.nodes, async |context, name| {
            let route = route(context, name).await?;
            let node: Node = client::or_missing(context.engine.get(route).await, "node", name)?;
            Ok(context.console.write(&pretty(&node))?)
        })
        .await;
    }
    let mut found: Vec<Result<Bytes>> = Vec::new();
    for name in &arguments.nodes {
        found.push(match route(context, name).await {
            Ok(route) => client::or_missing(context.engine.get_raw(route).await, "node", name),
            Err(error) => Err(error),
        });
    }
    inspect::show(context, found, arguments.format.as_deref())
}

async fn route(context: &Context, name: &str) -> Result<Route> {
    let name = resolve(context, name).await?;
    Ok(Route::new(format!("/nodes/{}", escape_path(&name))))
}

fn pretty(node: &Node) -> String {
    let mut out = format!("ID:\t\t\t{}\n", node.id);
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    if !node.spec.name.is_empty() {
        line(format!("Name:\t\t\t{}", node.spec.name));
    }
    if !node.spec.labels.is_empty() {
        line("Labels:".into());
        node.spec.labels.iter().for_each(|(key, value)| line(format!(" - {key}={value}")));
    }
    let description = &node.description;
    line(format!("Hostname:              \t{}", description.hostname));
    line(format!(
        "Joined at:             \t{}",
        duration::go_time(&node.created_at.to_string()).to_lowercase()
    ));
    line("Status:".into());
    line(format!(" State:\t\t\t{}", capitalized(&node.status.state)));
    if !node.status.message.is_empty() {
        line(format!(" Message:\t\t{}", node.status.message));
    }
    line(format!(" Availability:         \t{}", capitalized(&node.spec.availability)));
    if !node.status.addr.is_empty() {
        line(format!(" Address:\t\t{}", node.status.addr));
    }
    if let Some(manager) = &node.manager_status {
        line("Manager Status:".into());
        line(format!(" Address:\t\t{}", manager.addr));
        line(format!(" Raft Status:\t\t{}", capitalized(&manager.reachability)));
        line(format!(" Leader:\t\t{}", if manager.leader { "Yes" } else { "No" }));
    }
    line("Platform:".into());
    line(format!(" Operating System:\t{}", description.platform.os));
    line(format!(" Architecture:\t\t{}", description.platform.architecture));
    line("Resources:".into());
    line(format!(" CPUs:\t\t\t{}", description.resources.nano_cpus / 1_000_000_000));
    let memory = i64::try_from(description.resources.memory_bytes).unwrap_or(i64::MAX);
    line(format!(" Memory:\t\t{}", size::binary(memory)));
    plugins(node, &mut line);
    line(format!("Engine Version:\t\t{}", description.engine.engine_version));
    if !description.engine.labels.is_empty() {
        line("Engine Labels:".into());
        description.engine.labels.iter().for_each(|(key, value)| line(format!(" - {key}={value}")));
    }
    if !description.tls_info.trust_root.is_empty() {
        line("TLS Info:".into());
        line(format!(" TrustRoot:\n{}", description.tls_info.trust_root));
        line(format!(" Issuer Subject:\t{}", description.tls_info.cert_issuer_subject));
        line(format!(" Issuer Public Key:\t{}", description.tls_info.cert_issuer_public_key));
    }
    out
}

fn plugins(node: &Node, line: &mut impl FnMut(String)) {
    let plugins = &node.description.engine.plugins;
    if plugins.is_empty() {
        return;
    }
    line("Plugins:".into());
    let kinds: std::collections::BTreeSet<&str> = plugins.iter().map(|plugin| plugin.kind.as_str()).collect();
    for kind in kinds {
        let names: Vec<&str> =
            plugins.iter().filter(|plugin| plugin.kind == kind).map(|plugin| plugin.name.as_str()).collect();
        line(format!(" {kind}:\t\t{}", names.join(", ")));
    }
}
