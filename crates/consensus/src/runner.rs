//! The thread that owns a replica: it waits for a command or a tick, then does what is due.
//!
//! While it waits for the disk, proposals gather in its queue; the next round writes them all
//! with one more wait.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use raft::StateRole;
use raft::eraftpb::{Entry, HardState, Message};
use tokio::sync::{oneshot, watch};

use crate::command::{ChangeRefused, Command, Reply};
use crate::disk::store::Store;
use crate::disk::{Disk, Error};
use crate::error::{MemberError, ProposeError};
use crate::machine::StateMachine;
use crate::outgoing::Outgoing;
use crate::replica::{Applied, Capture, Change, Failure, Lost, Outbox, Refusal, Replica, Token};
use crate::snapshot::Meta;
use crate::status::{Role, Status};

/// Commands taken in one round, so that ticks are never starved.
const ROUND_MAX: usize = 1024;
/// How long a write waits before it tries a full disk again.
const FULL_PAUSE: Duration = Duration::from_millis(200);

/// What the thread and the handles share.
pub(crate) struct Shared<V> {
    pub views: watch::Sender<V>,
    pub status: watch::Sender<Status>,
    /// Set while the log cannot grow.
    pub disk_full: AtomicBool,
    /// Set to make a write that waits for space give up.
    pub stopping: AtomicBool,
}

pub(crate) struct Runner<S: StateMachine> {
    pub replica: Replica<S>,
    pub store: Store,
    pub shared: Arc<Shared<S::View>>,
    pub outgoing: Outgoing,
    pub commands: SyncSender<Command>,
    pub tick: Duration,
}

enum Waiting {
    Proposal(Reply<ProposeError>),
    Change(Reply<ChangeRefused>),
    Read(oneshot::Sender<()>),
}

impl<S: StateMachine> Runner<S> {
    /// Runs until it is told to stop or cannot go on, and says why in the status.
    pub fn run(mut self, queue: Receiver<Command>) {
        let shared = self.shared.clone();
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| self.serve(&queue)));
        let reason = match ended {
            Ok(Ok(())) => "it was shut down".to_owned(),
            Ok(Err(failure)) => {
                let reason = chain(&failure);
                tracing::error!(%reason, "the consensus of this manager stopped");
                reason
            }
            Err(_) => "its consensus thread panicked; the log says where".to_owned(),
        };
        // Whoever sees that it stopped may open the folder.
        drop(self);
        shared.status.send_modify(|status| status.stopped = Some(reason));
    }

    fn serve(&mut self, queue: &Receiver<Command>) -> Result<(), Failure> {
        let mut waiting = HashMap::new();
        let mut next_token: Token = 0;
        let mut next_tick = Instant::now() + self.tick;
        let mut is_removed = false;
        self.pump(&mut waiting)?;
        self.publish_status(is_removed);
        loop {
            let first = match queue.recv_timeout(next_tick.saturating_duration_since(Instant::now())) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let rest = std::iter::from_fn(|| queue.try_recv().ok());
            for command in first.into_iter().chain(rest).take(ROUND_MAX) {
                match command {
                    Command::Stop => return Ok(()),
                    Command::RemovedByPeers => is_removed = true,
                    command => {
                        next_token += 1;
                        self.take(command, next_token, &mut waiting);
                    }
                }
            }
            if self.shared.stopping.load(Ordering::Relaxed) {
                return Ok(());
            }
            let now = Instant::now();
            if now >= next_tick {
                // Ticks that were missed while the disk was slow are not made up for: followers
                // would see a leader, or this one an election, that no time had passed for.
                next_tick = (next_tick + self.tick).max(now);
                self.replica.tick();
                self.shared.disk_full.store(!self.store.has_room(), Ordering::Relaxed);
                waiting.retain(|_, waiting| !waiting.is_abandoned());
            }
            self.pump(&mut waiting)?;
            self.publish_status(is_removed);
        }
    }

    fn take(&mut self, command: Command, token: Token, waiting: &mut HashMap<Token, Waiting>) {
        match command {
            Command::Step(message) => self.replica.step(message),
            Command::Propose { entry, reply } => match self.propose(token, entry) {
                Ok(()) => {
                    waiting.insert(token, Waiting::Proposal(reply));
                }
                Err(error) => answer(reply, Err(error)),
            },
            Command::Read { reply } => {
                self.replica.read(token);
                waiting.insert(token, Waiting::Read(reply));
            }
            Command::Add { raft_id, peer, reply } => {
                let taken = self.replica.add(token, raft_id, peer);
                self.await_change(taken, token, reply, waiting);
            }
            Command::Remove { raft_id, reply } => {
                let taken = self.replica.remove(token, raft_id);
                self.await_change(taken, token, reply, waiting);
            }
            Command::Transfer { to, reply } => answer(reply, self.replica.transfer(to)),
            Command::Unreachable(raft_id) => self.replica.report_unreachable(raft_id),
            Command::SnapshotSent { raft_id, is_delivered } => {
                self.replica.snapshot_sent(raft_id, is_delivered);
            }
            Command::SnapshotKept(meta) => self.replica.snapshot_kept(meta, &mut self.store),
            Command::SnapshotFailed => self.replica.snapshot_failed(),
            Command::RemovedByPeers | Command::Stop => {}
        }
    }

    fn propose(&mut self, token: Token, entry: Vec<u8>) -> Result<(), ProposeError> {
        if !self.store.has_room() {
            self.shared.disk_full.store(true, Ordering::Relaxed);
            return Err(ProposeError::DiskFull);
        }
        self.replica.propose(token, entry).map_err(|refusal| match refusal {
            Refusal::NotLeader => ProposeError::NotLeader { leader: self.leader() },
            Refusal::Busy | Refusal::ChangePending | Refusal::HandOverFirst | Refusal::Forbidden(_) => {
                ProposeError::Busy
            }
        })
    }

    fn await_change(
        &self,
        taken: Result<Change, Refusal>,
        token: Token,
        reply: Reply<ChangeRefused>,
        waiting: &mut HashMap<Token, Waiting>,
    ) {
        match taken {
            Ok(Change::Proposed) => {
                waiting.insert(token, Waiting::Change(reply));
            }
            Ok(Change::Nothing) => {
                answer(reply, Ok(Applied { index: self.replica.applied(), outcome: Vec::new() }));
            }
            Err(refusal) => answer(reply, Err(ChangeRefused::Refusal(refusal))),
        }
    }

    fn pump(&mut self, waiting: &mut HashMap<Token, Waiting>) -> Result<(), Failure> {
        let mut disk = PatientDisk { store: &mut self.store, shared: &self.shared };
        let mut out =
            Effects { outgoing: &mut self.outgoing, shared: &self.shared, waiting, commands: &self.commands };
        self.replica.pump(&mut disk, &mut out)?;
        self.outgoing.set_peers(&self.replica.membership().peers);
        Ok(())
    }

    fn leader(&self) -> Option<crate::Member> {
        let leader = self.replica.leader()?;
        self.shared.status.borrow().members.iter().find(|member| member.raft_id == leader).cloned()
    }

    fn publish_status(&self, is_removed: bool) {
        let members = self.replica.members();
        let replica = &self.replica;
        let raft_id = self.shared.status.borrow().raft_id;
        let membership = replica.membership();
        let role = if is_removed || membership.removed.contains(&raft_id) {
            Role::Removed
        } else if replica.leads_ready() {
            Role::Leader
        } else if !membership.is_voter(raft_id) {
            Role::Learner
        } else {
            match replica.state() {
                StateRole::Follower => Role::Follower,
                StateRole::Candidate | StateRole::PreCandidate | StateRole::Leader => Role::Candidate,
            }
        };
        let leads_unready = replica.leads() && role != Role::Leader;
        let leader = replica.leader().filter(|_| !leads_unready && role != Role::Removed);
        self.shared.status.send_if_modified(|status| {
            let leader = leader.and_then(|id| members.iter().find(|member| member.raft_id == id).cloned());
            let members = if *status.members == *members { status.members.clone() } else { members.into() };
            let removed = if status.removed.iter().eq(&membership.removed) {
                status.removed.clone()
            } else {
                membership.removed.iter().copied().collect()
            };
            let next = Status {
                raft_id,
                role,
                term: replica.term(),
                leader,
                applied: replica.applied(),
                members,
                removed,
                stopped: None,
            };
            let is_changed = *status != next;
            *status = next;
            is_changed
        });
    }
}

impl Waiting {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Proposal(reply) => reply.is_closed(),
            Self::Change(reply) => reply.is_closed(),
            Self::Read(reply) => reply.is_closed(),
        }
    }
}

/// Whoever asked may have stopped waiting.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    let _ = reply.send(value);
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Tries a full disk again until there is space: what raft has accepted cannot be given back.
struct PatientDisk<'a, V> {
    store: &'a mut Store,
    shared: &'a Shared<V>,
}

impl<V> PatientDisk<'_, V> {
    fn insist(&mut self, mut write: impl FnMut(&mut Store) -> Result<(), Error>) -> Result<(), Error> {
        loop {
            match write(self.store) {
                Err(Error::Full { path }) if !self.shared.stopping.load(Ordering::Relaxed) => {
                    if !self.shared.disk_full.swap(true, Ordering::Relaxed) {
                        tracing::error!(path = %path.display(), "no space left on the disk; writes wait");
                    }
                    std::thread::sleep(FULL_PAUSE);
                }
                done => return done,
            }
        }
    }
}

impl<V> Disk for PatientDisk<'_, V> {
    fn append(&mut self, hard: &HardState, entries: &[Entry]) -> Result<(), Error> {
        self.insist(|store| store.append(hard, entries))
    }

    fn install(&mut self, hard: &HardState, meta: &Meta, state: &[u8]) -> Result<(), Error> {
        self.insist(|store| store.install(hard, meta, state))
    }

    fn compact(&mut self, index: u64, snapshot: u64) {
        self.store.compact(index, snapshot);
    }
}

struct Effects<'a, V> {
    outgoing: &'a mut Outgoing,
    shared: &'a Shared<V>,
    waiting: &'a mut HashMap<Token, Waiting>,
    commands: &'a SyncSender<Command>,
}

impl<V> Outbox<V> for Effects<'_, V> {
    fn send(&mut self, message: Message) {
        self.outgoing.send(message);
    }

    fn publish(&mut self, view: V) {
        self.shared.views.send_replace(view);
    }

    fn complete(&mut self, token: Token, result: Result<Applied, Lost>) {
        match self.waiting.remove(&token) {
            Some(Waiting::Proposal(reply)) => answer(
                reply,
                result.map_err(|lost| match lost {
                    Lost::Replaced => ProposeError::NotLeader { leader: None },
                    Lost::Unknown => ProposeError::Unknown,
                }),
            ),
            Some(Waiting::Change(reply)) => answer(
                reply,
                result.map_err(|lost| match lost {
                    Lost::Replaced => ChangeRefused::Refusal(Refusal::NotLeader),
                    Lost::Unknown => ChangeRefused::Failed(MemberError::Unknown),
                }),
            ),
            Some(Waiting::Read(_)) | None => {}
        }
    }

    fn readable(&mut self, tokens: Vec<Token>) {
        for token in tokens {
            if let Some(Waiting::Read(reply)) = self.waiting.remove(&token) {
                answer(reply, ());
            }
        }
    }

    fn capture(&mut self, capture: Capture) {
        self.outgoing.keep_snapshot(capture, self.commands.clone());
    }
}
