//! How a command ends.

use std::io;

use crate::{Console, Context};

/// The end of a command with an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Exit {
    /// The exit code.
    pub code: u8,
    /// What is told; nothing if empty.
    pub message: String,
}

impl Exit {
    /// Ends without a word: everything has been told, or the code is what a program ended with.
    pub fn silent(code: u8) -> Self {
        Self { code, message: String::new() }
    }
}

/// Tells what went wrong, if anything did, and returns the exit code.
pub fn finish(result: anyhow::Result<()>, console: &mut Console) -> u8 {
    let Err(error) = result else { return 0 };
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    let text = format!("{error:#}");
    // Whoever reads the output has seen enough, as `head` has.
    if !text.is_empty() && !error.downcast_ref::<io::Error>().is_some_and(is_closed) {
        console.complain(&text);
    }
    error.downcast_ref::<Exit>().map_or(1, |exit| exit.code)
}

/// Does the same to each of several names; failures are told at the end and spare the others.
pub async fn each<T>(
    context: &mut Context,
    names: &[T],
    mut act: impl AsyncFnMut(&mut Context, &T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut failures = Vec::new();
    for name in names {
        if let Err(error) = act(context, name).await {
            failures.push(format!("{error:#}"));
        }
    }
    conclude(&failures)
}

/// Tells all failures at once, if there are any.
pub fn conclude(failures: &[String]) -> anyhow::Result<()> {
    if failures.is_empty() { Ok(()) } else { Err(anyhow::anyhow!(failures.join("\n"))) }
}
