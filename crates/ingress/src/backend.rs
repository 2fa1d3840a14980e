//! One backend at run time: its counters, and the memory of its last failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::choose::State;
use crate::{Backend, BackendCounters};

/// Counts members, so that each has a number of its own.
static MEMBERS: AtomicU64 = AtomicU64::new(1);

/// Counts what goes to a backend; shared by all worker threads.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its number, which no other member ever has.
    pub(crate) id: u64,
    pub(crate) backend: Backend,
    born: Instant,
    active: AtomicUsize,
    total: AtomicU64,
    failed: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    /// Milliseconds after `born` until which it is avoided.
    avoided_until_ms: AtomicU64,
    /// What it was found to speak.
    dialect: AtomicU8,
    /// It is in no table any more, and gets nothing new.
    is_withdrawn: AtomicBool,
    /// Told when the last use of a withdrawn member ends.
    ended: Arc<Notify>,
}

/// Is a version of HTTP that a backend speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Http1,
    Http2,
}

const UNKNOWN: u8 = 0;
const HTTP1: u8 = 1;
const HTTP2: u8 = 2;

/// Counts as an active connection, request or flow while it lives.
#[derive(Debug)]
pub(crate) struct Use {
    member: Arc<Member>,
}

impl Member {
    pub(crate) fn new(backend: Backend, ended: Arc<Notify>) -> Member {
        Member {
            id: MEMBERS.fetch_add(1, Ordering::Relaxed),
            backend,
            born: Instant::now(),
            active: AtomicUsize::new(0),
            total: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            avoided_until_ms: AtomicU64::new(0),
            dialect: AtomicU8::new(UNKNOWN),
            is_withdrawn: AtomicBool::new(false),
            ended,
        }
    }

    pub(crate) fn state(&self) -> State {
        let active = self.active.load(Ordering::Relaxed);
        match self.avoided_until_ms.load(Ordering::Relaxed) {
            0 => State::Usable(active),
            until if self.age_ms() >= until => State::Usable(active),
            _ => State::Avoided(active),
        }
    }

    /// Returns the version of HTTP it was found to speak.
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        match self.dialect.load(Ordering::Relaxed) {
            HTTP1 => Some(Dialect::Http1),
            HTTP2 => Some(Dialect::Http2),
            _ => None,
        }
    }

    pub(crate) fn set_dialect(&self, dialect: Dialect) {
        let number = match dialect {
            Dialect::Http1 => HTTP1,
            Dialect::Http2 => HTTP2,
        };
        self.dialect.store(number, Ordering::Relaxed);
    }

    /// Begins a use, unless the backend was withdrawn.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<Use> {
        // In this order: whoever withdraws and then counts either sees this use, or is seen here.
        self.active.fetch_add(1, Ordering::SeqCst);
        let begun = Use { member: self.clone() };
        if self.is_withdrawn() {
            return None;
        }
        self.total.fetch_add(1, Ordering::Relaxed);
        Some(begun)
    }

    /// Lets nothing new begin.
    pub(crate) fn withdraw(&self) {
        self.is_withdrawn.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_withdrawn(&self) -> bool {
        self.is_withdrawn.load(Ordering::SeqCst)
    }

    /// Returns how many uses are going on.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::SeqCst)
    }

    pub(crate) fn counters(&self) -> BackendCounters {
        BackendCounters {
            backend: self.backend.clone(),
            active: self.active.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }

    fn age_ms(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }
}

impl Use {
    pub(crate) fn member(&self) -> &Arc<Member> {
        &self.member
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.member.backend
    }

    /// Tells whether the backend failed a moment ago.
    pub(crate) fn is_avoided(&self) -> bool {
        matches!(self.member.state(), State::Avoided(_))
    }

    /// Notes that the backend did not serve the connection, and keeps others away for a while.
    pub(crate) fn failed(&self, avoid: Duration) {
        self.member.failed.fetch_add(1, Ordering::Relaxed);
        let until = self.member.age_ms() + avoid.as_millis() as u64;
        self.member.avoided_until_ms.store(until, Ordering::Relaxed);
    }

    /// Notes that the backend took a connection, so that nobody needs to avoid it.
    pub(crate) fn answered(&self) {
        if self.member.avoided_until_ms.load(Ordering::Relaxed) != 0 {
            self.member.avoided_until_ms.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_in(&self, bytes: usize) {
        self.member.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_out(&self, bytes: usize) {
        self.member.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let before = self.member.active.fetch_sub(1, Ordering::SeqCst);
        if before == 1 && self.member.is_withdrawn() {
            self.member.ended.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Arc<Member> {
        let address = "127.0.0.1:1".parse().unwrap();
        Arc::new(Member::new(Backend { address, task: "t".into() }, Arc::default()))
    }

    #[test]
    fn use_is_counted_while_it_lives() {
        let member = member();

        let first = member.begin();
        let second = member.begin();
        assert_eq!(member.state(), State::Usable(2));
        drop((first, second));

        assert_eq!(member.state(), State::Usable(0));
        assert_eq!(member.counters().total, 2);
    }

    #[test]
    fn withdrawn_member_ends_what_began_and_begins_nothing() {
        let member = member();
        let begun = member.begin();

        member.withdraw();

        assert!(member.begin().is_none());
        assert_eq!((member.active(), member.counters().total), (1, 1));
        drop(begun);
        assert_eq!(member.active(), 0);
    }

    #[test]
    fn failure_is_remembered_for_a_while_or_until_an_answer() {
        let member = member();
        let member_use = member.begin().unwrap();

        member_use.failed(Duration::from_secs(60));
        assert_eq!(member.state(), State::Avoided(1));
        member_use.answered();
        assert_eq!(member.state(), State::Usable(1));
        member_use.failed(Duration::ZERO);
        assert_eq!(member.state(), State::Usable(1));

        assert_eq!(member.counters().failed, 2);
    }
}
