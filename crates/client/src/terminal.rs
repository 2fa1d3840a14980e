//! The user's terminal: its size, its raw mode, and what is typed.

use std::io::{IsTerminal as _, Read as _};
use std::sync::Mutex;

use bytes::Bytes;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How much is read from standard input at a time.
const INPUT_BYTES: usize = 16 << 10;
/// How many such pieces wait for a slow receiver before reading stops.
const INPUT_PIECES: usize = 4;
/// Signals that end a program, which must not leave its terminal changed.
const ENDING: [SignalKind; 4] =
    [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()];

/// How the terminal was before it was changed.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters per line.
    pub columns: u16,
}

/// Returns the size of the terminal that output goes to, if it goes to one.
pub fn size() -> Option<Size> {
    let size = tcgetwinsize(stdout()).or_else(|_| tcgetwinsize(stdin())).ok()?;
    Some(Size { rows: size.ws_row, columns: size.ws_col })
}

/// Claims that input comes from a terminal.
pub fn is_input() -> bool {
    std::io::stdin().is_terminal()
}

/// A terminal that does not do what it usually does; it is as before when this is dropped.
#[must_use = "the terminal is changed as long as this lives"]
pub struct Changed(());

impl Changed {
    /// Lets the terminal of standard input pass each key on as it is typed, if it is one.
    pub fn raw() -> Option<Self> {
        Self::change(Termios::make_raw)
    }

    /// Lets the terminal of standard input not show what is typed, if it is one.
    pub fn hide() -> Option<Self> {
        Self::change(|terminal| terminal.local_modes.remove(LocalModes::ECHO))
    }

    fn change(change: impl FnOnce(&mut Termios)) -> Option<Self> {
        let before = tcgetattr(stdin()).ok()?;
        let mut changed = before.clone();
        change(&mut changed);
        tcsetattr(stdin(), OptionalActions::Now, &changed).ok()?;
        *BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(before);
        Some(Self(()))
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        restore();
    }
}

/// Makes the terminal what it was before a signal ends the program.
pub fn restore_on_signals() {
    for kind in ENDING {
        let Ok(mut arrivals) = signal(kind) else { continue };
        tokio::spawn(async move {
            arrivals.recv().await;
            restore();
            // What a shell reports of a program that a signal ended.
            std::process::exit(128 + kind.as_raw_value());
        });
    }
}

/// Makes the terminal what it was.
fn restore() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
        // There is nothing to be done about a terminal that is gone.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
    }
}

/// Returns what comes from standard input, piece by piece until it ends. A thread of its own reads, which the end of
/// the program does not wait for, as it would for one of the runtime's.
pub fn input() -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(INPUT_PIECES);
    std::thread::spawn(move || {
        let mut buffer = vec![0; INPUT_BYTES];
        loop {
            match std::io::stdin().read(&mut buffer) {
                Ok(0) => return,
                Ok(length) if sender.blocking_send(Bytes::copy_from_slice(&buffer[..length])).is_err() => {
                    return;
                }
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    receiver
}

/// Returns a stream of changes of the terminal's size.
pub fn size_changes() -> std::io::Result<tokio::signal::unix::Signal> {
    signal(SignalKind::window_change())
}
