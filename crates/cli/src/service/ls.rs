//! `service ls`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, filters};
use engine_json::{PortConfig, Service};
use format::Listing;
use format::natural;
use format::reference::without_digest;
use serde_json::{Value, json};

use format::cut;

/// How many characters of an id are shown.
const ID_CHARACTERS: usize = 12;

/// How services are listed.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only services that fit, such as `name=web`
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Show each service with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Only show ids
    #[arg(short, long)]
    quiet: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let is_quiet = arguments.quiet && arguments.format.is_none();
    let route = Route::new("/services").filtered(&filters(&arguments.filter)?);
    let route = if is_quiet { route } else { route.with("status", "true") };
    let mut services: Vec<Service> = context.engine.get(route).await?;
    services.sort_by(|a, b| natural::compare(&a.spec.name, &b.spec.name));
    if is_quiet {
        let ids: String =
            services.iter().map(|service| format!("{}\n", cut(&service.id, ID_CHARACTERS))).collect();
        return Ok(context.console.write(&ids)?);
    }
    let listing = Listing {
        columns: &[
            ("ID", "ID"),
            ("Name", "NAME"),
            ("Mode", "MODE"),
            ("Replicas", "REPLICAS"),
            ("Image", "IMAGE"),
            ("Ports", "PORTS"),
        ],
        extra: &[],
        rows: services.iter().map(row).collect(),
    };
    let shown = listing.show(arguments.format.as_deref())?;
    Ok(context.console.write(&shown)?)
}

fn row(service: &Service) -> Value {
    let container = service.spec.task_template.container_spec.as_ref();
    json!({
        "ID": cut(&service.id, ID_CHARACTERS),
        "Name": service.spec.name,
        "Mode": mode(service),
        "Replicas": replicas(service),
        "Image": container.map(|container| without_digest(&container.image)).unwrap_or_default(),
        "Ports": ports(&service.endpoint.ports),
    })
}

fn mode(service: &Service) -> &'static str {
    let mode = &service.spec.mode;
    match (
        mode.replicated.is_some(),
        mode.global.is_some(),
        mode.replicated_job.is_some(),
        mode.global_job.is_some(),
    ) {
        (true, ..) => "replicated",
        (_, true, ..) => "global",
        (_, _, true, _) => "replicated job",
        (_, _, _, true) => "global job",
        (false, false, false, false) => "",
    }
}

fn replicas(service: &Service) -> String {
    let status = service.service_status.unwrap_or_default();
    let counts = format!("{}/{}", status.running_tasks, status.desired_tasks);
    if let Some(job) = service.spec.mode.replicated_job {
        return format!(
            "{counts} ({}/{} completed)",
            status.completed_tasks,
            job.total_completions.unwrap_or(0)
        );
    }
    if service.spec.mode.global_job.is_some() {
        let all = status.desired_tasks + status.completed_tasks;
        return format!("{counts} ({}/{all} completed)", status.completed_tasks);
    }
    let placement = service.spec.task_template.placement.as_ref();
    match placement.map(|placement| placement.max_replicas) {
        Some(max) if max > 0 => format!("{counts} (max {max} per node)"),
        Some(_) | None => counts,
    }
}

/// Shows ports published on every node, with neighbours joined to ranges.
fn ports(ports: &[PortConfig]) -> String {
    let mut ports: Vec<&PortConfig> = ports.iter().filter(|port| port.publish_mode == "ingress").collect();
    ports.sort_by_key(|port| (port.protocol.clone(), port.published_port, port.target_port));
    let mut ranges: Vec<(&PortConfig, u32)> = Vec::new();
    for port in ports {
        match ranges.last_mut() {
            Some((first, length))
                if first.protocol == port.protocol
                    && first.published_port + *length == port.published_port
                    && first.target_port + *length == port.target_port =>
            {
                *length += 1;
            }
            Some(_) | None => ranges.push((port, 1)),
        }
    }
    let shown: Vec<String> = ranges.iter().map(|(first, length)| range(first, *length)).collect();
    shown.join(", ")
}

fn range(first: &PortConfig, length: u32) -> String {
    let PortConfig { published_port, target_port, protocol, .. } = first;
    match length {
        1 => format!("*:{published_port}->{target_port}/{protocol}"),
        length => {
            let (last_published, last_target) = (published_port + length - 1, target_port + length - 1);
            format!("*:{published_port}-{last_published}->{target_port}-{last_target}/{protocol}")
        }
    }
}
