//! `system df`

use anyhow::Result;
use clap::Args;
use client::{Context, Route};
use container_cli::{ls, volume};
use container_json::{DiskUsage, Summary, Volume};
use engine_json::{ImageSummary, Time};
use format::reference::Reference;
use format::{Listing, duration, short_id, size};
use serde_json::{Value, json};

/// What takes room, and how that is shown.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Show each kind with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show each object
    #[arg(short, long)]
    verbose: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let usage: DiskUsage = context.engine.get(Route::new("/system/df")).await?;
    let shown = if arguments.verbose && arguments.format.is_none() {
        verbose(&usage, context.console.now())?
    } else {
        let listing = Listing { columns: SUMMARY, extra: &[], rows: summary(&usage) };
        listing.show(arguments.format.as_deref())?
    };
    Ok(context.console.write(&shown)?)
}

const SUMMARY: &[(&str, &str)] = &[
    ("Type", "TYPE"),
    ("TotalCount", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
];

/// What one kind of objects takes.
struct Room {
    total: usize,
    active: usize,
    bytes: i64,
    reclaimable: i64,
}

impl Room {
    fn row(&self, kind: &str) -> Value {
        let Self { total, active, bytes, reclaimable } = self;
        let told = size::decimal_of(*reclaimable, 4);
        let share = reclaimable * 100;
        json!({
            "Type": kind,
            "TotalCount": total.to_string(),
            "Active": active.to_string(),
            "Size": size::decimal_of(*bytes, 4),
            "Reclaimable": if *bytes > 0 { format!("{told} ({}%)", share / bytes) } else { told },
        })
    }
}

fn summary(usage: &DiskUsage) -> Vec<Value> {
    let images = usage.images.as_deref().unwrap_or_default();
    let containers = usage.containers.as_deref().unwrap_or_default();
    let volumes = usage.volumes.as_deref().unwrap_or_default();
    let caches = usage.build_cache.as_deref().unwrap_or_default();
    let used =
        images.iter().filter(|image| image.containers != 0 && image.size >= 0 && image.shared_size >= 0);
    let used: i64 = used.map(|image| image.size - image.shared_size).sum();
    let lives =
        |container: &&Summary| ["running", "paused", "restarting"].contains(&container.state.as_str());
    let written: i64 = containers.iter().map(|container| container.size_rw).sum();
    let kept: i64 = containers.iter().filter(lives).map(|container| container.size_rw).sum();
    let bytes_of = |volume: &Volume| volume.usage_data.as_ref().map_or(0, |usage| usage.size.max(0));
    let is_used = |volume: &&Volume| volume.usage_data.as_ref().is_some_and(|usage| usage.ref_count > 0);
    let stored: i64 = volumes.iter().map(bytes_of).sum();
    let mounted: i64 = volumes.iter().filter(is_used).map(bytes_of).sum();
    let cached: i64 = caches.iter().map(|cache| cache.size).sum();
    vec![
        Room {
            total: images.len(),
            active: images.iter().filter(|image| image.containers > 0).count(),
            bytes: usage.layers_size,
            reclaimable: usage.layers_size - used,
        }
        .row("Images"),
        Room {
            total: containers.len(),
            active: containers.iter().filter(lives).count(),
            bytes: written,
            reclaimable: written - kept,
        }
        .row("Containers"),
        Room {
            total: volumes.len(),
            active: volumes.iter().filter(is_used).count(),
            bytes: stored,
            reclaimable: stored - mounted,
        }
        .row("Local Volumes"),
        Room { total: caches.len(), active: 0, bytes: cached, reclaimable: cached }.row("Build Cache"),
    ]
}

fn verbose(usage: &DiskUsage, now: Time) -> Result<String> {
    let table = |columns, rows| Listing { columns, extra: &[], rows }.show(None);
    let images = usage.images.iter().flatten().map(|image| image_row(image, now)).collect();
    let containers = ls::rows(usage.containers.as_deref().unwrap_or_default(), ls::Cut::Short, now);
    let volumes = usage.volumes.iter().flatten().map(volume::row).collect();
    let caches = usage.build_cache.iter().flatten().map(|cache| {
        json!({
            "ID": short_id(&cache.id),
            "Type": cache.kind,
            "Size": size::decimal(cache.size),
            "CreatedSince": format!("{} ago", duration::human(now.since(cache.created_at))),
            "UsageCount": cache.usage_count.to_string(),
            "Shared": cache.shared.to_string(),
        })
    });
    let cached: i64 = usage.build_cache.iter().flatten().map(|cache| cache.size).sum();
    Ok(format!(
        "Images space usage:\n\n{}\nContainers space usage:\n\n{}\nLocal Volumes space usage:\n\n{}\nBuild cache usage: {}\n\n{}\n",
        table(IMAGES, images)?,
        table(CONTAINERS, containers)?,
        table(VOLUMES, volumes)?,
        size::decimal_of(cached, 4),
        table(CACHES, caches.collect())?,
    ))
}

const IMAGES: &[(&str, &str)] = &[
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("Size", "SIZE"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("Containers", "CONTAINERS"),
];
const CONTAINERS: &[(&str, &str)] = &[
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Size", "SIZE"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("Names", "NAMES"),
];
const VOLUMES: &[(&str, &str)] = &[("Name", "VOLUME NAME"), ("Links", "LINKS"), ("Size", "SIZE")];
const CACHES: &[(&str, &str)] = &[
    ("ID", "CACHE ID"),
    ("Type", "CACHE TYPE"),
    ("Size", "SIZE"),
    ("CreatedSince", "CREATED"),
    ("UsageCount", "USAGE"),
    ("Shared", "SHARED"),
];

fn image_row(image: &ImageSummary, now: Time) -> Value {
    let name = image.repo_tags.first().map(|name| Reference::of(name));
    json!({
        "Repository": name.as_ref().map_or("<none>", |name| name.name),
        "Tag": name.as_ref().and_then(|name| name.tag).unwrap_or("<none>"),
        "ID": short_id(&image.id),
        "CreatedSince": format!("{} ago", duration::human(now.since(image.created_at()))),
        "Size": size::decimal(image.size),
        "SharedSize": size::decimal_of(image.shared_size.max(0), 4),
        "UniqueSize": size::decimal_of(image.size - image.shared_size.max(0), 4),
        "Containers": image.containers.max(0).to_string(),
    })
}
