//! All workers of a proxy: how many connections each has, and which of them should take the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, mpsc};

use crate::worker::Command;

/// Knows all workers.
#[derive(Debug)]
pub(crate) struct Crew {
    mates: Vec<Mate>,
    /// Bounds the open connections of all.
    pub(crate) room: Semaphore,
}

#[derive(Debug)]
struct Mate {
    /// Unbounded, as commands are few and read at once: tables that change, and connections handed over.
    commands: mpsc::UnboundedSender<Command>,
    connections: AtomicUsize,
}

/// Is a connection's place with a worker, free again when this is dropped.
pub(crate) struct Seat {
    crew: Arc<Crew>,
    mate: usize,
}

impl Crew {
    pub(crate) fn new(workers: Vec<mpsc::UnboundedSender<Command>>, connections_max: usize) -> Crew {
        let mate = |commands| Mate { commands, connections: AtomicUsize::new(0) };
        Crew {
            mates: workers.into_iter().map(mate).collect(),
            room: Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)),
        }
    }

    /// Gives a connection that a worker accepted a seat: with that worker, or with one that has far fewer. Takes up
    /// room that was acquired before.
    ///
    /// The kernel spreads connections by chance, which of a few dozen gives one worker half as many again.
    pub(crate) fn seat(self: &Arc<Self>, acceptor: usize) -> Seat {
        let counts = self.mates.iter().map(|mate| mate.connections.load(Ordering::Relaxed));
        let counts: Vec<usize> = counts.collect();
        let mate = choose(&counts, acceptor);
        self.mates[mate].connections.fetch_add(1, Ordering::Relaxed);
        Seat { crew: self.clone(), mate }
    }
}

impl Seat {
    /// Tells whether the connection is with this worker.
    pub(crate) fn is_with(&self, worker: usize) -> bool {
        self.mate == worker
    }

    /// Returns how its worker is told.
    pub(crate) fn commands(&self) -> &mpsc::UnboundedSender<Command> {
        &self.crew.mates[self.mate].commands
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crew.mates[self.mate].connections.fetch_sub(1, Ordering::Relaxed);
        self.crew.room.add_permits(1);
    }
}

/// Returns which worker takes a connection that one of them accepted; handing over is worth its price only if the
/// difference is more than what comes and goes.
fn choose(counts: &[usize], acceptor: usize) -> usize {
    let own = counts[acceptor];
    let least = (0..counts.len()).min_by_key(|index| counts[*index]).unwrap_or(acceptor);
    if own > counts[least] + 1 + counts[least] / 4 { least } else { acceptor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_fewer_connections_attract_one() {
        for (counts, acceptor, expected) in [
            (&[0][..], 0, 0),
            (&[1, 0], 0, 0),
            (&[2, 0], 0, 1),
            (&[2, 0], 1, 1),
            (&[9, 7, 8], 0, 0),
            (&[9, 6, 7], 0, 1),
            (&[100, 80], 0, 0),
            (&[100, 70], 0, 1),
        ] {
            assert_eq!(choose(counts, acceptor), expected, "{counts:?}");
        }
    }
}
