//! `volume`: this node's volumes.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use clap::{Args, Subcommand};
use client::{Context, Route, each, escape_path, filters, inspect};
use container_json::{Volume, VolumeBody, VolumeList, VolumesPruned};
use format::{Listing, natural, size};
use serde_json::{Value, json};

use crate::{export, prune};

/// What to do with volumes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a volume
    Create(Create),
    /// Write what a volume holds as a tar archive
    Export(Export),
    /// Put what a tar archive holds into a volume
    Import(Import),
    /// Show volumes in full
    Inspect(Inspect),
    /// List volumes
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Remove volumes that no container uses
    Prune(Prune),
    /// Remove volumes
    #[command(visible_alias = "remove")]
    Rm(Rm),
}

impl Command {
    /// Runs the command.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Create(arguments) => create(context, arguments).await,
            Self::Export(arguments) => write(context, arguments).await,
            Self::Import(arguments) => read(context, arguments).await,
            Self::Inspect(arguments) => show(context, arguments).await,
            Self::Ls(arguments) => list(context, arguments).await,
            Self::Prune(arguments) => clear(context, arguments).await,
            Self::Rm(arguments) => remove(context, arguments).await,
        }
    }
}

/// What a new volume is.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub struct Create {
    /// Its name; any unless given
    #[arg(value_name = "VOLUME")]
    name: Option<String>,
    /// Its driver
    #[arg(short, long, value_name = "DRIVER", default_value = "local")]
    driver: String,
    /// A label
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// An option of the driver
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
}

/// Which volumes are shown, and how.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Names of volumes
    #[arg(value_name = "VOLUME", required = true)]
    volumes: Vec<String>,
    /// Show each volume with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

/// Which volumes are listed, and how.
#[derive(Debug, Args)]
pub struct Ls {
    /// Only volumes that fit, such as `dangling=true`
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Show each volume with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Only show names
    #[arg(short, long)]
    quiet: bool,
}

/// Which volumes go.
#[derive(Debug, Args)]
pub struct Rm {
    /// Names of volumes
    #[arg(value_name = "VOLUME", required = true)]
    volumes: Vec<String>,
    /// Take one that is not there for removed
    #[arg(short, long)]
    force: bool,
}

/// Which unused volumes go.
#[derive(Debug, Args)]
pub struct Prune {
    /// Those with names too
    #[arg(short, long)]
    all: bool,
    /// Only those that fit, such as `label=KEY`
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Which volume is written, and where to.
#[derive(Debug, Args)]
pub struct Export {
    /// The volume
    volume: String,
    /// The node whose volume it is, by name or id; the one that is talked to unless given. Others are reached through
    /// a manager
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Write to this file; standard output unless given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Which volume gets what.
#[derive(Debug, Args)]
pub struct Import {
    /// The volume, which is made if there is none; one that holds something is refused without --merge
    volume: String,
    /// Add to what the volume holds, and replace what has the same name
    #[arg(long)]
    merge: bool,
    /// The node whose volume it is, by name or id; the one that is talked to unless given. Others are reached through
    /// a manager
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Read this file; standard input unless given
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
}

fn pairs(texts: &[String]) -> engine_json::Labels {
    let pairs = texts.iter().map(|text| text.split_once('=').unwrap_or((text, "")));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

async fn create(context: &mut Context, arguments: Create) -> Result<()> {
    let body = VolumeBody {
        driver: arguments.driver,
        driver_opts: pairs(&arguments.opt),
        labels: pairs(&arguments.label),
        name: arguments.name.unwrap_or_default(),
    };
    let volume: Volume = context.engine.post(Route::new("/volumes/create"), &body).await?;
    Ok(context.console.line(&volume.name)?)
}

async fn show(context: &mut Context, arguments: Inspect) -> Result<()> {
    let mut found: Vec<Result<Bytes>> = Vec::new();
    for name in &arguments.volumes {
        let route = Route::new(format!("/volumes/{}", escape_path(name)));
        found.push(context.engine.get_raw(route).await.map_err(Into::into));
    }
    inspect::show(context, found, arguments.format.as_deref())
}

async fn list(context: &mut Context, arguments: Ls) -> Result<()> {
    let route = Route::new("/volumes").filtered(&filters(&arguments.filter)?);
    let mut volumes = context.engine.get::<VolumeList>(route).await?.volumes;
    volumes.sort_by(|a, b| natural::compare(&a.name, &b.name));
    if arguments.quiet && arguments.format.is_none() {
        let names: String = volumes.iter().map(|volume| format!("{}\n", volume.name)).collect();
        return Ok(context.console.write(&names)?);
    }
    let listing = Listing { columns: COLUMNS, extra: EXTRA, rows: volumes.iter().map(row).collect() };
    let shown = listing.show(arguments.format.as_deref())?;
    Ok(context.console.write(&shown)?)
}

const COLUMNS: &[(&str, &str)] = &[("Driver", "DRIVER"), ("Name", "VOLUME NAME")];
const EXTRA: &[(&str, &str)] = &[
    ("Labels", "LABELS"),
    ("Label", "LABEL"),
    ("Links", "LINKS"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Scope", "SCOPE"),
    ("Size", "SIZE"),
    ("Availability", "AVAILABILITY"),
    ("Group", "GROUP"),
    ("Status", "STATUS"),
];

/// Returns the row of a volume, by the names of its fields.
pub fn row(volume: &Volume) -> Value {
    let labels: Vec<String> = volume.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let usage = volume.usage_data.as_ref();
    let known = |figure: Option<i64>, show: fn(i64) -> String| figure.map_or_else(|| "N/A".to_owned(), show);
    json!({
        "Availability": "N/A",
        "Driver": volume.driver,
        "Group": "N/A",
        "Labels": labels.join(","),
        "Label": volume.labels,
        "Links": known(usage.map(|usage| usage.ref_count), |count| count.to_string()),
        "Mountpoint": volume.mountpoint,
        "Name": volume.name,
        "Scope": volume.scope,
        "Size": known(usage.map(|usage| usage.size), size::decimal),
        "Status": "N/A",
    })
}

async fn remove(context: &mut Context, arguments: Rm) -> Result<()> {
    each(context, &arguments.volumes, async |context, name| {
        let route = Route::new(format!("/volumes/{}", escape_path(name)));
        context.engine.delete(route.flagged("force", arguments.force)).await?;
        Ok(context.console.line(name)?)
    })
    .await
}

async fn clear(context: &mut Context, arguments: Prune) -> Result<()> {
    let mut filters = filters(&arguments.filter)?;
    if arguments.all {
        if filters.has("all") {
            bail!("conflicting options: cannot specify both --all and --filter all=1");
        }
        filters.add("all", "true");
    }
    let which = if arguments.all { "all" } else { "anonymous" };
    let question = format!(
        "WARNING! This will remove {which} local volumes not used by at least one container.\nAre you sure you want to continue?"
    );
    if !arguments.force && !context.console.confirm(&question).await? {
        return Ok(());
    }
    let route = Route::new("/volumes/prune").filtered(&filters);
    let pruned: VolumesPruned = context.engine.post(route, &json!({})).await?;
    prune::tell(context, "Deleted Volumes:", &pruned.volumes_deleted)?;
    prune::reclaimed(context, pruned.space_reclaimed)
}

async fn write(context: &mut Context, arguments: Export) -> Result<()> {
    export::refuse_terminal(context, arguments.output.is_some())?;
    let route = Route::new(format!("/drover/volumes/{}/export", escape_path(&arguments.volume)));
    let route = on(route, arguments.node.as_deref());
    let archive = context.engine.stream(route).await?;
    export::write(context, archive, arguments.output).await
}

async fn read(context: &mut Context, arguments: Import) -> Result<()> {
    let route = Route::new(format!("/drover/volumes/{}/import", escape_path(&arguments.volume)));
    let route = on(route, arguments.node.as_deref()).flagged("merge", arguments.merge);
    let kind = "application/x-tar";
    let mut answer = match &arguments.input {
        Some(path) => {
            let file =
                tokio::fs::File::open(path).await.with_context(|| format!("open {}", path.display()))?;
            context.engine.post_stream(route, kind, file).await?
        }
        None if context.console.is_input_terminal() => {
            bail!("there is no archive on standard input: redirect it, or use -i FILE")
        }
        None => {
            let typed = context.console.reader();
            context.engine.post_stream(route, kind, typed).await?
        }
    };
    // The daemon has read the archive when its answer ends.
    while answer.next_raw().await?.is_some() {}
    Ok(context.console.line(&arguments.volume)?)
}

fn on(route: Route, node: Option<&str>) -> Route {
    match node {
        Some(node) => route.with("node", node),
        None => route,
    }
}
