//! `stats`

mod figures;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use client::{Context, Engine, Route, escape_path};
use container_json::{Stats, Summary};
use format::Listing;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::task::JoinSet;

use figures::{blank, row};

/// How often the table is drawn again.
const REDRAW: Duration = Duration::from_millis(500);
/// How often containers that came or went are looked for.
const LOOK_DRAWS: u32 = 4;

/// Whose figures are shown, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of containers; all that run unless given
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Show those that do not run too
    #[arg(short, long)]
    all: bool,
    /// Show each container with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show the figures once
    #[arg(long)]
    no_stream: bool,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
}

/// The latest figures by the name that was asked for.
type Latest = Arc<Mutex<BTreeMap<String, Option<Stats>>>>;

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    if arguments.no_stream {
        let names = names(&context.engine, &arguments).await?;
        let engine = context.engine.clone();
        let asked = names.iter().map(|name| engine.get::<Stats>(stats(name).with("stream", "0")));
        let answers = join_all(asked).await;
        let mut rows = Vec::new();
        for (name, answer) in names.iter().zip(answers) {
            match answer {
                Ok(stats) => rows.push(row(name, &stats, arguments.no_trunc)),
                Err(error) if arguments.containers.is_empty() && error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        return Ok(context.console.write(&show(rows, &arguments)?)?);
    }
    watch(context, &arguments).await
}

/// Draws the figures again and again, until somebody ends the command.
async fn watch(context: &mut Context, arguments: &Arguments) -> Result<()> {
    let latest = Latest::default();
    let mut readers = BTreeMap::new();
    let mut tasks = JoinSet::new();
    if context.console.is_terminal() {
        context.console.write("\x1b[2J")?;
    }
    for draw in 0_u32.. {
        if draw % LOOK_DRAWS == 0 {
            let names = names(&context.engine, arguments).await?;
            readers.retain(|name, reader: &mut tokio::task::AbortHandle| {
                let stays = names.contains(name);
                if !stays {
                    reader.abort();
                    lock(&latest).remove(name);
                }
                stays
            });
            for name in names {
                readers.entry(name).or_insert_with_key(|name| {
                    lock(&latest).insert(name.clone(), None);
                    tasks.spawn(read(context.engine.clone(), name.clone(), latest.clone()))
                });
            }
        }
        tokio::time::sleep(REDRAW).await;
        while let Some(Ok(result)) = tasks.try_join_next() {
            // Whoever was asked for by name and is not there is a mistake; others have merely ended.
            if !arguments.containers.is_empty() {
                result?;
            }
        }
        let rows = lock(&latest)
            .iter()
            .map(|(name, stats)| {
                stats.as_ref().map_or_else(|| blank(name), |stats| row(name, stats, arguments.no_trunc))
            })
            .collect();
        let shown = show(rows, arguments)?;
        // From the top of the screen, and nothing of the last drawing stays; clearing it first would flicker.
        let clears = context.console.is_terminal();
        let lines = || shown.replace('\n', "\x1b[K\n");
        context.console.write(&if clears { format!("\x1b[H{}\x1b[J", lines()) } else { shown.clone() })?;
    }
    Ok(())
}

/// Keeps the latest figures of one container.
async fn read(engine: Engine, name: String, latest: Latest) -> Result<()> {
    let mut lines = engine.stream(stats(&name).with("stream", "1")).await?;
    while let Some(stats) = lines.next::<Stats>().await? {
        if let Some(known) = lock(&latest).get_mut(&name) {
            *known = Some(stats);
        }
    }
    Ok(())
}

fn lock(latest: &Latest) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<Stats>>> {
    latest.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn stats(name: &str) -> Route {
    Route::new(format!("/containers/{}/stats", escape_path(name)))
}

async fn names(engine: &Engine, arguments: &Arguments) -> Result<Vec<String>> {
    if !arguments.containers.is_empty() {
        return Ok(arguments.containers.clone());
    }
    let route = Route::new("/containers/json").flagged("all", arguments.all);
    let containers: Vec<Summary> = engine.get(route).await?;
    Ok(containers.iter().map(|container| format::short_id(&container.id).to_owned()).collect())
}

fn show(rows: Vec<Value>, arguments: &Arguments) -> Result<String> {
    let listing = Listing {
        columns: &[
            ("ID", "CONTAINER ID"),
            ("Name", "NAME"),
            ("CPUPerc", "CPU %"),
            ("MemUsage", "MEM USAGE / LIMIT"),
            ("MemPerc", "MEM %"),
            ("NetIO", "NET I/O"),
            ("BlockIO", "BLOCK I/O"),
            ("PIDs", "PIDS"),
        ],
        extra: &[("Container", "CONTAINER")],
        rows,
    };
    Ok(listing.show(arguments.format.as_deref())?)
}
