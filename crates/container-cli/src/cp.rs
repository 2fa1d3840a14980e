//! `cp`

mod local;
mod place;
mod rename;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, anyhow, bail};
use archive::{Mounts, Owner, Packing, Replace, Root, Top, TopDirectory, Unpacking};
use clap::Args;
use client::{Context, Route};
use container_json::PathStat;
use format::size;
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

use crate::lifecycle::route;
use place::{Placement, Source, Target, end};

/// How many bytes wait between the two sides of a copy.
const PIPE_BYTES: usize = 256 << 10;
/// The header that tells of a file in a container.
const PATH_STAT: &str = "X-Docker-Container-Path-Stat";

/// What is copied where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// `CONTAINER:PATH`, a path here, or `-` for a tar archive on standard input
    #[arg(value_name = "SOURCE", allow_hyphen_values = true)]
    source: String,
    /// `CONTAINER:PATH`, a path here, or `-` for a tar archive on standard output
    #[arg(value_name = "DESTINATION", allow_hyphen_values = true)]
    destination: String,
    /// Keep users and groups
    #[arg(short, long)]
    archive: bool,
    /// Copy what a link of the source points to, and not the link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Do not tell what was copied
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    if arguments.source.is_empty() {
        bail!("source can not be empty");
    }
    if arguments.destination.is_empty() {
        bail!("destination can not be empty");
    }
    let (from, to) = (end(&arguments.source), end(&arguments.destination));
    match (from, to) {
        ((Some(_), _), (Some(_), _)) => bail!("copying between containers is not supported"),
        ((None, _), (None, _)) => bail!("must specify at least one container source"),
        ((Some(container), path), (None, here)) => fetch(context, &arguments, container, path, here).await,
        ((None, here), (Some(container), path)) => send(context, &arguments, here, container, path).await,
    }
}

/// Asks about a file in a container.
async fn stat(context: &Context, container: &str, path: &str) -> Result<PathStat, client::Error> {
    let head = context.engine.head(archive_of(container, path)).await?;
    let text = head.get(PATH_STAT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    PathStat::from_header(text).map_err(|error| client::Error::Output(error.to_string()))
}

fn archive_of(container: &str, path: &str) -> Route {
    route(container, "archive").with("path", path)
}

/// Copies from a container.
async fn fetch(
    context: &mut Context,
    arguments: &Arguments,
    container: &str,
    path: &str,
    here: &str,
) -> Result<()> {
    if here != "-" {
        local::check_output(Path::new(here))?;
    }
    let mut path = path.to_owned();
    let mut name = None;
    if arguments.follow_link
        && let Ok(found) = stat(context, container, &path).await
        && found.is_link()
    {
        // What comes is called by the link's name all the same.
        name = place::base(&path);
        path = place::followed(&path, &found.link_target);
    }
    let (head, archive) = context.engine.download(archive_of(container, &path)).await?;
    if here == "-" {
        return crate::export::write(context, archive, None).await;
    }
    let text = head.get(PATH_STAT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let found = PathStat::from_header(text)?;
    let source = Source { name: place::base(&path), shown: name, is_directory: found.is_directory() };
    let target = local::target(here)?;
    let Placement { directory, rename } = place::place(&source, &target)?;
    let (reader, count) = counted(archive.into_reader());
    // Files of this host are the user's who makes them.
    let (uid, gid) = local::owner()?;
    let unpacked = tokio::task::spawn_blocking(move || -> Result<()> {
        let mut reader = SyncIoBridge::new(reader);
        let root = Root::open(Path::new(&directory))?;
        let unpacking =
            Unpacking { owner: Owner::All { uid, gid }, replace: Replace::SameKind, top: TopDirectory::Keep };
        match rename {
            None => root.unpack(Path::new("/"), &mut reader, unpacking)?,
            Some(rename) => {
                piped(
                    move |out| rename.apply(reader, out),
                    |renamed| Ok(root.unpack(Path::new("/"), renamed, unpacking)?),
                )?;
            }
        }
        Ok(())
    });
    unpacked.await.context("copy")??;
    tell(context, arguments, &count, here);
    Ok(())
}

/// Copies to a container.
async fn send(
    context: &mut Context,
    arguments: &Arguments,
    here: &str,
    container: &str,
    path: &str,
) -> Result<()> {
    let mut target = Target { path: path.to_owned(), exists: false, is_directory: false };
    let mut found = stat(context, container, path).await;
    if let Ok(link) = &found
        && link.is_link()
    {
        target.path = place::followed(path, &link.link_target);
        found = stat(context, container, &target.path).await;
    }
    if let Ok(found) = found {
        (target.exists, target.is_directory) = (true, found.is_directory());
    }
    let full = format!("{container}:{path}");
    if here == "-" {
        if !target.is_directory {
            bail!("destination \"{full}\" must be a directory");
        }
        let typed = context.console.reader();
        return upload(context, arguments, container, &target.path, typed).await;
    }
    let (origin, source) = local::source(here, arguments.follow_link)?;
    let Placement { directory, rename } = place::place(&source, &target)?;
    let (inner, outer) = tokio::io::duplex(PIPE_BYTES);
    let packing = tokio::task::spawn_blocking(move || -> Result<()> {
        let out = SyncIoBridge::new(inner);
        match rename {
            None => pack(&origin, out),
            Some(rename) => piped(move |pipe| pack(&origin, pipe), |packed| rename.apply(packed, out)),
        }
    });
    let (reader, count) = counted(outer);
    let sent = upload(context, arguments, container, &directory, reader).await;
    let packed = packing.await.context("copy")?;
    // A daemon that refuses stops reading; its reason is the better one.
    sent?;
    packed?;
    tell(context, arguments, &count, &full);
    Ok(())
}

async fn upload(
    context: &Context,
    arguments: &Arguments,
    container: &str,
    directory: &str,
    archive: impl AsyncRead + Send + 'static,
) -> Result<()> {
    let route = archive_of(container, directory).with("noOverwriteDirNonDir", "true");
    let route = if arguments.archive { route.with("copyUIDGID", "true") } else { route };
    context.engine.upload(route, "application/x-tar", archive).await?;
    Ok(())
}

/// Packs a tree of this host.
fn pack(origin: &Path, out: impl std::io::Write) -> Result<()> {
    let packing = Packing { top: Top::BaseName, mounts: Mounts::Cross };
    Ok(Root::open(Path::new("/"))?.pack(origin, packing, out)?)
}

/// Runs a writer on a thread of its own, and a reader of what it writes on this one.
fn piped(
    write: impl FnOnce(std::io::PipeWriter) -> Result<()> + Send,
    read: impl FnOnce(std::io::PipeReader) -> Result<()>,
) -> Result<()> {
    let (reader, writer) = std::io::pipe()?;
    std::thread::scope(|scope| {
        let written = scope.spawn(move || write(writer));
        let read = read(reader);
        let written = written.join().map_err(|_| anyhow!("the other side of the copy failed"))?;
        // Who stops reading breaks the writer; who reads a torn stream was let down by the writer.
        match (&written, read) {
            (Err(_), Err(read)) if !is_torn(&written) => Err(read),
            (_, read) => written.and(read),
        }
    })
}

/// Claims that a writer failed by itself, and not because nobody reads.
fn is_torn(written: &Result<()>) -> bool {
    let is_broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    };
    written.as_ref().is_err_and(|error| !error.chain().any(is_broken_pipe))
}

/// Counts what is read.
fn counted(
    reader: impl AsyncRead + Send + Unpin + 'static,
) -> (impl AsyncRead + Send + Unpin, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counter = count.clone();
    let stream =
        futures_util::StreamExt::inspect(ReaderStream::with_capacity(reader, PIPE_BYTES), move |piece| {
            if let Ok(piece) = piece {
                counter.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
        });
    (StreamReader::new(stream), count)
}

fn tell(context: &mut Context, arguments: &Arguments, count: &AtomicU64, to: &str) {
    if !arguments.quiet {
        let bytes = i64::try_from(count.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        context.console.complain(&format!("Successfully copied {} to {to}", size::decimal(bytes)));
    }
}
