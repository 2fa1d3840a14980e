//! Signals and sizes of the user's terminal, passed on to a container.

use client::{Engine, Route, terminal};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// How often a size is sent to a process that may not have started yet, and how much longer each wait is.
const TRIES: u32 = 5;
const LONGER: std::time::Duration = std::time::Duration::from_millis(10);

/// Signals that are the container's; those of children and pipes are the client's own.
const SIGNALS: [(SignalKind, &str); 7] = [
    (SignalKind::hangup(), "HUP"),
    (SignalKind::interrupt(), "INT"),
    (SignalKind::quit(), "QUIT"),
    (SignalKind::terminate(), "TERM"),
    (SignalKind::user_defined1(), "USR1"),
    (SignalKind::user_defined2(), "USR2"),
    (SignalKind::alarm(), "ALRM"),
];

/// Whatever is passed on; that ends when this is dropped.
#[derive(Default)]
pub(crate) struct Proxy(JoinSet<()>);

impl Proxy {
    /// Passes signals on to a container.
    pub(crate) fn signals(&mut self, engine: &Engine, container: &str) {
        for (kind, name) in SIGNALS {
            let Ok(mut arrivals) = signal(kind) else { continue };
            let engine = engine.clone();
            let path = format!("/containers/{container}/kill");
            self.0.spawn(async move {
                while arrivals.recv().await.is_some() {
                    // A container that has ended needs no signal.
                    let _ = engine.act(Route::new(path.clone()).with("signal", name)).await;
                }
            });
        }
    }

    /// Tells a container or a command, by its path, how large the terminal is, and whenever that changes.
    pub(crate) fn sizes(&mut self, engine: &Engine, path: String) {
        let Ok(mut changes) = terminal::size_changes() else { return };
        let engine = engine.clone();
        self.0.spawn(async move {
            for attempt in 1..=TRIES {
                if tell(&engine, &path).await {
                    break;
                }
                tokio::time::sleep(LONGER * attempt).await;
            }
            while changes.recv().await.is_some() {
                tell(&engine, &path).await;
            }
        });
    }
}

/// Lets whatever draws on a container's terminal draw again: a size that is not so, before the one that is.
pub(crate) async fn redraw(engine: &Engine, container: &str) {
    if let Some(terminal::Size { rows, columns }) = terminal::size() {
        let other = terminal::Size { rows: rows.saturating_add(1), columns: columns.saturating_add(1) };
        tell_size(engine, &format!("/containers/{container}"), other).await;
    }
}

/// Tells the size, and claims that it was heard.
async fn tell(engine: &Engine, path: &str) -> bool {
    match terminal::size() {
        Some(size) => tell_size(engine, path, size).await,
        None => true,
    }
}

async fn tell_size(engine: &Engine, path: &str, size: terminal::Size) -> bool {
    let terminal::Size { rows, columns } = size;
    let route =
        Route::new(format!("{path}/resize")).with("h", rows.to_string()).with("w", columns.to_string());
    engine.act(route).await.is_ok()
}
