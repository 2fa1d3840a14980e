//! `port`

use std::net::Ipv6Addr;

use anyhow::{Result, bail};
use clap::Args;
use client::Context;
use container_json::{Inspect, PortBinding};
use format::natural;

use crate::lifecycle::route;

/// Which ports are shown.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The container
    container: String,
    /// Only this port of it
    #[arg(value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let container: Inspect = context.engine.get(route(&arguments.container, "json")).await?;
    let ports = container.network_settings.ports;
    let mut lines: Vec<String> = Vec::new();
    if let Some(port) = &arguments.port {
        let key = if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
        let Some(bindings) = ports.get(&key).and_then(Option::as_ref).filter(|bindings| !bindings.is_empty())
        else {
            bail!("Error: No public port '{port}' published for {}", arguments.container);
        };
        lines.extend(bindings.iter().map(address));
    } else {
        for (port, bindings) in &ports {
            lines.extend(bindings.iter().flatten().map(|binding| format!("{port} -> {}", address(binding))));
        }
    }
    lines.sort_by(|a, b| natural::compare(a, b));
    let shown: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Ok(context.console.write(&shown)?)
}

fn address(binding: &PortBinding) -> String {
    joined(&binding.host_ip, &binding.host_port)
}

/// Writes an address and a port as one.
pub(crate) fn joined(address: &str, port: &str) -> String {
    if address.parse::<Ipv6Addr>().is_ok() {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}
