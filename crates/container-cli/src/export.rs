//! `export`

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use client::{Context, Lines};

use crate::lifecycle::route;

/// Whose files are written, and where to.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The container
    container: String,
    /// Write to this file; standard output unless given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    refuse_terminal(context, arguments.output.is_some())?;
    let archive = context.engine.stream(route(&arguments.container, "export")).await?;
    write(context, archive, arguments.output).await
}

/// Refuses to write an archive where a person reads.
pub fn refuse_terminal(context: &Context, has_file: bool) -> Result<()> {
    if !has_file && context.console.is_terminal() {
        bail!("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    Ok(())
}

/// Writes an archive to a file, which is there only if it is whole, or to standard output.
pub async fn write(context: &mut Context, mut archive: Lines, output: Option<PathBuf>) -> Result<()> {
    let Some(path) = output else {
        while let Some(piece) = archive.next_raw().await? {
            context.console.write_bytes(&piece)?;
        }
        return Ok(());
    };
    // A device or a pipe is written to, and not replaced.
    let is_special = tokio::fs::metadata(&path).await.is_ok_and(|file| !file.is_file());
    let mut draft = path.clone().into_os_string();
    if !is_special {
        draft.push(format!(".{}.part", std::process::id()));
    }
    let whole = async {
        let mut file = tokio::fs::File::create(&draft).await?;
        tokio::io::copy(&mut archive.into_reader(), &mut file).await?;
        tokio::io::AsyncWriteExt::flush(&mut file).await?;
        if is_special { Ok(()) } else { tokio::fs::rename(&draft, &path).await }
    };
    let written = whole.await;
    if written.is_err() && !is_special {
        // What is left of it is of no use; that it stays is no further failure.
        let _ = tokio::fs::remove_file(&draft).await;
    }
    written.with_context(|| format!("write {}", path.display()))
}
