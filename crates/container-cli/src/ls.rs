//! `container ls` and `ps`

use std::collections::BTreeSet;

use anyhow::Result;
use clap::Args;
use client::{Context, Route, filters};
use container_json::{Port, Summary};
use engine_json::Time;
use format::{Listing, cut_with_dots, duration, short_id, size};
use serde_json::{Value, json};

use crate::port::joined;

/// How much of a command is shown.
const COMMAND_CHARACTERS: usize = 20;
/// How much of a mount's name is shown.
const MOUNT_CHARACTERS: usize = 15;

/// Which containers are listed, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Show those that do not run too
    #[arg(short, long)]
    all: bool,
    /// Only containers that fit, such as `status=exited`
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Show each container with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show so many of the latest, whether they run or not
    #[arg(short = 'n', long, value_name = "COUNT", allow_negative_numbers = true)]
    last: Option<i64>,
    /// Show the latest, whether it runs or not
    #[arg(short, long)]
    latest: bool,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Only show ids
    #[arg(short, long)]
    quiet: bool,
    /// Show how much they take
    #[arg(short, long)]
    size: bool,
}

/// Lists containers.
pub async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let limit = if arguments.latest { Some(1) } else { arguments.last.filter(|count| *count > 0) };
    let asks_size = arguments.format.as_deref().is_some_and(|format| format.contains(".Size"));
    let mut route = Route::new("/containers/json")
        .flagged("all", arguments.all)
        .filtered(&filters(&arguments.filter)?)
        .flagged("size", arguments.size || asks_size);
    if let Some(limit) = limit {
        route = route.with("limit", limit.to_string());
    }
    let containers: Vec<Summary> = context.engine.get(route).await?;
    let now = context.console.now();
    let rows = rows(&containers, Cut::unless(arguments.no_trunc), now);
    if arguments.quiet && arguments.format.is_none() {
        let ids: String =
            rows.iter().map(|row| format!("{}\n", row["ID"].as_str().unwrap_or_default())).collect();
        return Ok(context.console.write(&ids)?);
    }
    let columns = if arguments.size { WITH_SIZE } else { &WITH_SIZE[..WITH_SIZE.len() - 1] };
    let shown = Listing { columns, extra: EXTRA, rows }.show(arguments.format.as_deref())?;
    Ok(context.console.write(&shown)?)
}

/// Whether long texts are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// So that a row fits a line.
    Short,
    /// Not at all.
    Whole,
}

impl Cut {
    /// Cuts unless told not to.
    pub fn unless(whole: bool) -> Self {
        if whole { Self::Whole } else { Self::Short }
    }
}

const WITH_SIZE: &[(&str, &str)] = &[
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
    ("Size", "SIZE"),
];

const EXTRA: &[(&str, &str)] = &[
    ("CreatedAt", "CREATED AT"),
    ("State", "STATE"),
    ("Size", "SIZE"),
    ("Labels", "LABELS"),
    ("Label", "LABEL"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Mounts", "MOUNTS"),
    ("Networks", "NETWORKS"),
    ("Platform", "PLATFORM"),
];

/// Returns the rows of containers, by the names of their fields.
pub fn rows(containers: &[Summary], cut: Cut, now: Time) -> Vec<Value> {
    containers.iter().map(|container| row(container, cut, now)).collect()
}

fn row(container: &Summary, cut: Cut, now: Time) -> Value {
    let is_short = cut == Cut::Short;
    let created = Time::from_nanoseconds(container.created.saturating_mul(1_000_000_000));
    let command = &container.command;
    let local = |mount: &&container_json::MountPoint| mount.driver == "local";
    let mounts: Vec<String> = container
        .mounts
        .iter()
        .map(|mount| if mount.name.is_empty() { &mount.source } else { &mount.name })
        .map(|name| if is_short { cut_with_dots(name, MOUNT_CHARACTERS) } else { name.clone() })
        .collect();
    let labels: Vec<String> = container.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let networks: Vec<&str> = container.network_settings.networks.keys().map(String::as_str).collect();
    json!({
        "ID": if is_short { short_id(&container.id) } else { &container.id },
        "Image": image(container, is_short),
        "Command": format!("\"{}\"", if is_short { cut_with_dots(command, COMMAND_CHARACTERS) } else { command.clone() }),
        "RunningFor": format!("{} ago", duration::human(now.since(created))),
        "CreatedAt": duration::go_time(&created.to_string()),
        "Status": container.status,
        "State": container.state,
        "Ports": ports(&container.ports),
        "Names": names(&container.names, is_short),
        "Size": room(container),
        "Labels": labels.join(","),
        "Label": container.labels,
        "LocalVolumes": container.mounts.iter().filter(local).count().to_string(),
        "Mounts": mounts.join(","),
        "Networks": networks.join(","),
        "Platform": null,
    })
}

fn image(container: &Summary, is_short: bool) -> String {
    match container.image.as_str() {
        "" => "<no image>".to_owned(),
        image if is_short && image.starts_with("sha256:") => short_id(image).to_owned(),
        image if is_short => format::reference::without_digest(image),
        image => image.to_owned(),
    }
}

/// Leaves names out that others gave it, which have a slash inside.
fn names(names: &[String], is_short: bool) -> String {
    let names = names.iter().map(|name| name.trim_start_matches('/'));
    names.filter(|name| !is_short || !name.contains('/')).collect::<Vec<_>>().join(",")
}

fn room(container: &Summary) -> String {
    let own = size::decimal(container.size_rw);
    match container.size_root_fs {
        0 => own,
        whole => format!("{own} (virtual {})", size::decimal(whole)),
    }
}

/// Shows ports as Docker does: ranges that are the same outside and inside first, in groups by address and protocol,
/// and then each that is reached at another port.
fn ports(ports: &[Port]) -> String {
    struct Group {
        ip: String,
        kind: String,
        first: u16,
        last: u16,
    }
    impl Group {
        fn show(&self) -> String {
            let Self { ip, kind, first, last } = self;
            let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
            match ip.as_str() {
                "" => format!("{range}/{kind}"),
                ip => format!("{}->{range}/{kind}", joined(ip, &range)),
            }
        }
    }
    let sorted: BTreeSet<(u16, &str, u16, &str)> = ports
        .iter()
        .map(|port| (port.private_port, port.ip.as_str(), port.public_port, port.kind.as_str()))
        .collect();
    let (mut closed, mut open, mut others) = (Vec::new(), Vec::<Group>::new(), Vec::new());
    for (inside, ip, outside, kind) in sorted {
        if !ip.is_empty() && outside != inside {
            others.push(format!("{}->{inside}/{kind}", joined(ip, &outside.to_string())));
            continue;
        }
        match open.iter_mut().find(|group| group.ip == ip && group.kind == kind) {
            Some(group) if inside == group.last + 1 => group.last = inside,
            Some(group) => {
                closed.push(group.show());
                (group.first, group.last) = (inside, inside);
            }
            None => open.push(Group { ip: ip.into(), kind: kind.into(), first: inside, last: inside }),
        }
    }
    closed.extend(open.iter().map(Group::show));
    closed.extend(others);
    closed.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_shown_as_dockers() {
        let read = |text: &str| -> Vec<Port> {
            text.split_whitespace()
                .map(|word| {
                    let parts: Vec<&str> = word.split(',').collect();
                    Port {
                        ip: parts[0].into(),
                        public_port: parts[1].parse().unwrap(),
                        private_port: parts[2].parse().unwrap(),
                        kind: "tcp".into(),
                    }
                })
                .collect()
        };
        for (text, shown) in [
            ("", ""),
            (",0,80 ,0,81 ,0,90", "80-81/tcp, 90/tcp"),
            ("0.0.0.0,8080,80 ::,8080,80", "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"),
            ("0.0.0.0,80,80 0.0.0.0,81,81 ,0,443", "0.0.0.0:80-81->80-81/tcp, 443/tcp"),
        ] {
            assert_eq!(ports(&read(text)), shown, "{text}");
        }
    }
}
