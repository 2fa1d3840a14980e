//! The streams of a process, joined with the user's.

use anyhow::{Result, bail};
use client::{Console, Context, Hijacked, Input, Output, credentials, terminal};
use engine_json::Channel;

use crate::keys::{Keys, Typed};

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The process has nothing more to say.
    Closed,
    /// The user left it.
    Left,
}

/// What of the user's side takes part.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// Whether input is passed on.
    pub input: bool,
    /// Whether the process has a terminal.
    pub is_terminal: bool,
    /// The keys that leave; with a terminal alone.
    pub keys: Keys,
    /// Who gets signals that end the client.
    pub signals: Signals,
}

/// Who gets signals that end the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signals {
    /// The client, which leaves its terminal as it was.
    Client,
    /// The container, to which they are passed on.
    Container,
}

/// Returns the keys that leave: those of the flag, or of the user's configuration, or the usual ones.
pub(crate) fn keys(flag: &str) -> Result<Keys> {
    if !flag.is_empty() {
        return Keys::parse(flag);
    }
    let file = credentials::File::of_user();
    Keys::parse(file.as_ref().and_then(|file| file.text("detachKeys")).unwrap_or_default())
}

/// Refuses a terminal for the process where the user has none to type at.
pub(crate) fn check_terminal(context: &Context, input: bool, is_terminal: bool) -> Result<()> {
    if input && is_terminal && !context.console.is_input_terminal() {
        bail!("the input device is not a TTY");
    }
    Ok(())
}

/// Joins the streams until the process ends them or the user leaves.
pub(crate) async fn join(console: &mut Console, streams: Hijacked, ends: Ends) -> Result<Ended> {
    let typed = if ends.input { Some(console.input()) } else { None };
    let raw = if ends.input && ends.is_terminal && console.is_input_terminal() {
        if ends.signals == Signals::Client {
            terminal::restore_on_signals();
        }
        terminal::Changed::raw()
    } else {
        None
    };
    let Hijacked { input, output } = streams;
    let keys = if ends.is_terminal { Some(ends.keys) } else { None };
    let ended = match typed {
        None => show(console, output).await,
        Some(typed) => tokio::select! {
            () = feed(typed, input, keys) => Ok(Ended::Left),
            ended = show(console, output) => ended,
        },
    };
    drop(raw);
    ended
}

/// Passes input on; returns when the user leaves, and never otherwise.
async fn feed(
    mut typed: tokio::sync::mpsc::Receiver<bytes::Bytes>,
    mut input: Input,
    mut keys: Option<Keys>,
) {
    while let Some(piece) = typed.recv().await {
        let meant = match &mut keys {
            Some(keys) => keys.feed(&piece),
            None => Typed::Plain(piece.to_vec()),
        };
        let (Typed::Plain(plain) | Typed::Leaving(plain)) = &meant;
        // A process that does not read any more says by its output how it ended.
        if input.write(plain).await.is_err() {
            break;
        }
        if matches!(meant, Typed::Leaving(_)) {
            return;
        }
    }
    // The other side may be gone, which is an end as well.
    let _ = input.close().await;
    std::future::pending().await
}

async fn show(console: &mut Console, mut output: Output) -> Result<Ended> {
    while let Some((channel, piece)) = output.next().await? {
        match channel {
            Channel::Stdin | Channel::Stdout => console.write_bytes(&piece)?,
            Channel::Stderr => console.complain_bytes(&piece),
            Channel::SystemError => bail!("{}", String::from_utf8_lossy(&piece).trim()),
        }
    }
    Ok(Ended::Closed)
}
