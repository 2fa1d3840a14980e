//! Connections to backends that wait for their next request; each worker thread has its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::backend::Member;
use crate::clock::{self, Moment};

/// How long a connection waits at most. Servers close theirs after 5 s (Node.js) to 75 s (nginx); a request that meets
/// a closing one is repeated if that is harmless, so this need not be shorter than all of them.
const AGE_MAX: Duration = Duration::from_secs(30);
/// How long, for a request that must not be repeated: shorter than any common server's patience.
const AGE_MAX_ONCE: Duration = Duration::from_secs(1);
/// How many connections a worker keeps; more are closed after their request.
const CONNECTIONS_MAX: usize = 4096;

thread_local! {
    static IDLE: RefCell<Idle> = RefCell::default();
}

/// Is the connections that wait, by member.
#[derive(Default)]
struct Idle {
    members: HashMap<u64, Waiting>,
    count: usize,
}

/// Is the connections to one member, the one that waited least last.
struct Waiting {
    member: Arc<Member>,
    streams: Vec<(TcpStream, Moment)>,
}

/// Says what happens if a connection turns out to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Harmless,
    Harmful,
}

/// Takes a connection to a member that is still open.
pub(crate) fn take(member: &Member, repeat: Repeat) -> Option<TcpStream> {
    IDLE.with_borrow_mut(|idle| {
        let waiting = idle.members.get_mut(&member.id)?;
        while let Some((stream, since)) = waiting.streams.pop() {
            idle.count -= 1;
            if repeat == Repeat::Harmful && since.elapsed() > AGE_MAX_ONCE {
                // All others waited longer.
                idle.count += 1;
                waiting.streams.push((stream, since));
                return None;
            }
            if is_open(&stream) {
                return Some(stream);
            }
        }
        None
    })
}

/// Keeps a connection for the next request.
pub(crate) fn put(member: &Arc<Member>, stream: TcpStream) {
    IDLE.with_borrow_mut(|idle| {
        if member.is_withdrawn() || idle.count >= CONNECTIONS_MAX {
            return;
        }
        let waiting = idle.members.entry(member.id);
        let waiting = waiting.or_insert_with(|| Waiting { member: member.clone(), streams: Vec::new() });
        waiting.streams.push((stream, clock::now()));
        idle.count += 1;
    });
}

/// Closes what waited for long, what its backend closed, and what leads to backends that were withdrawn.
pub(crate) fn trim() {
    IDLE.with_borrow_mut(|idle| {
        idle.members.retain(|_, waiting| {
            if waiting.member.is_withdrawn() {
                return false;
            }
            waiting.streams.retain(|(stream, since)| since.elapsed() < AGE_MAX && is_open(stream));
            !waiting.streams.is_empty()
        });
        idle.count = idle.members.values().map(|waiting| waiting.streams.len()).sum();
    });
}

/// Closes all.
pub(crate) fn clear() {
    IDLE.take();
}

/// Tells whether a connection that waits is as it was left: without an end, and without a byte nobody asked for.
///
/// Costs a system call only where the kernel reported something.
fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
