//! The handle that the rest of a manager holds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};
use tonic::transport::Channel;
use wire::pb::raft_client::RaftClient;

use crate::command::{ChangeRefused, Command};
use crate::config::{Config, Start};
use crate::error::{MemberError, ProposeError, ReadError, StartError};
use crate::machine::StateMachine;
use crate::member::{Member, Peer};
use crate::outgoing::{Outgoing, client, deliver};
use crate::replica::{Applied, Refusal, Replica};
use crate::runner::{Runner, Shared};
use crate::status::{Role, Status};
use crate::{forward, join, start};

/// Commands that may wait for the thread. While it waits for the disk this is what gathers for
/// the next write; beyond it, proposals are refused and messages dropped.
const QUEUE_MAX: usize = 4096;
/// How long a stopping leader waits for its successor.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(1);

/// A running manager's consensus; clones share it, and it ends with the last one.
pub struct Raft<V> {
    inner: Arc<Inner<V>>,
}

struct Inner<V> {
    config: Config,
    tls: identity::Tls,
    commands: SyncSender<Command>,
    shared: Arc<Shared<V>>,
    clients: Mutex<BTreeMap<String, RaftClient<Channel>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Why this manager itself did not change the group.
pub(crate) enum LocalChange {
    NotLeader,
    Failed(MemberError),
}

impl<V> Clone for Raft<V> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<V> Drop for Inner<V> {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // Only to be quicker: the thread looks at the flag with every tick.
        let _ = self.commands.try_send(Command::Stop);
    }
}

impl<V: Clone + Send + Sync + 'static> Raft<V> {
    /// Starts a manager's consensus from its folder; must be called within a tokio runtime.
    ///
    /// When joining, it returns once the leader has added this manager as a learner; its
    /// [`service`](Self::service) must then be served for the log to arrive.
    pub async fn start<S: StateMachine<View = V>>(
        config: Config,
        mut machine: S,
        start: Start,
        tls: identity::Tls,
    ) -> Result<Self, StartError> {
        let (opened_config, opened_start) = (config.clone(), start.clone());
        let opening = tokio::task::spawn_blocking(move || {
            let (store, log) = start::open(&opened_config, &opened_start, &mut machine)?;
            let replica = Replica::new(opened_config, machine, log, rand::random())?;
            Ok::<_, StartError>((store, replica))
        });
        let (store, replica) = match opening.await {
            Ok(opened) => opened?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let peers = match &start {
            Start::Join { via } => join::join(&config, via, &tls).await?,
            Start::Bootstrap | Start::Resume | Start::ForceNewCluster => BTreeMap::new(),
        };
        let (commands, queue) = sync_channel(QUEUE_MAX);
        let shared = Arc::new(Shared {
            views: watch::Sender::new(replica.machine().view()),
            status: watch::Sender::new(first_status(&config)),
            disk_full: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        });
        let runtime = tokio::runtime::Handle::current();
        let outgoing =
            Outgoing::new(runtime, tls.clone(), commands.clone(), store.folder(), config.raft_id, peers);
        let tick = config.tick;
        let runner =
            Runner { replica, store, shared: shared.clone(), outgoing, commands: commands.clone(), tick };
        let thread = std::thread::Builder::new()
            .name("drover-raft".into())
            .spawn(move || runner.run(queue))
            .map_err(StartError::Thread)?;
        let inner = Inner {
            config,
            tls,
            commands,
            shared,
            clients: Mutex::new(BTreeMap::new()),
            thread: Mutex::new(Some(thread)),
        };
        let raft = Self { inner: Arc::new(inner) };
        raft.correct_address();
        Ok(raft)
    }

    /// Proposes an entry from any manager and returns once *this* manager has applied it.
    pub async fn propose(&self, entry: Vec<u8>) -> Result<Applied, ProposeError> {
        forward::propose(self, entry).await
    }

    /// Proposes an entry if this manager leads.
    pub async fn propose_local(&self, entry: Vec<u8>) -> Result<Applied, ProposeError> {
        self.check(&entry)?;
        let (reply, answer) = oneshot::channel();
        self.command(Command::Propose { entry, reply }).map_err(|refused| match refused {
            NotTaken::Full if self.inner.shared.disk_full.load(Ordering::Relaxed) => ProposeError::DiskFull,
            NotTaken::Full => ProposeError::Busy,
            NotTaken::Stopped(reason) => ProposeError::Stopped { reason },
        })?;
        match tokio::time::timeout(self.inner.config.propose_timeout, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(ProposeError::Unknown),
        }
    }

    /// Returns the latest applied view, as it changes.
    pub fn views(&self) -> watch::Receiver<V> {
        self.inner.shared.views.subscribe()
    }

    /// Returns this manager's place in the group, as it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.inner.shared.status.subscribe()
    }

    /// Returns a view that holds every write acknowledged before the call, by any manager.
    pub async fn read_index(&self) -> Result<V, ReadError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Read { reply }).map_err(|refused| match refused {
            NotTaken::Full => ReadError::NoLeader,
            NotTaken::Stopped(reason) => ReadError::Stopped { reason },
        })?;
        match tokio::time::timeout(self.inner.config.leader_timeout, answer).await {
            Ok(Ok(())) => Ok(self.inner.shared.views.borrow().clone()),
            Ok(Err(_)) => Err(ReadError::Stopped { reason: self.stop_reason() }),
            Err(_) => Err(ReadError::NoLeader),
        }
    }

    /// Removes a manager from the group, unless the rest would lose its quorum.
    pub async fn remove_member(&self, raft_id: u64) -> Result<(), MemberError> {
        forward::remove_member(self, raft_id).await
    }

    /// Hands leadership to `to`, or to the most advanced manager; does nothing unless this one leads.
    pub async fn transfer_leadership(&self, to: Option<u64>) -> Result<(), MemberError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Transfer { to, reply }).map_err(NotTaken::into_member_error)?;
        match answer.await {
            Ok(Ok(())) => {}
            Ok(Err(Refusal::NotLeader)) => return Ok(()),
            Ok(Err(Refusal::Forbidden(reason))) => return Err(MemberError::Refused(reason)),
            Ok(Err(Refusal::Busy | Refusal::ChangePending | Refusal::HandOverFirst)) => {
                return Err(MemberError::Unknown);
            }
            Err(_) => return Err(MemberError::Stopped { reason: self.stop_reason() }),
        }
        let mut status = self.status();
        let changed = status.wait_for(|status| !status.is_leader() && status.leader.is_some());
        match tokio::time::timeout(HAND_OVER_TIMEOUT, changed).await {
            Ok(_) => Ok(()),
            Err(_) => Err(MemberError::Unknown),
        }
    }

    /// Hands leadership over if need be, then stops; returns when the folder is free.
    pub async fn shutdown(&self) {
        if self.status().borrow().is_leader()
            && let Err(error) = self.transfer_leadership(None).await
        {
            tracing::debug!(%error, "leadership was not handed over");
        }
        self.inner.shared.stopping.store(true, Ordering::Relaxed);
        deliver(&self.inner.commands, Command::Stop).await;
        let thread = self.inner.thread.lock().expect("no holder of the lock panics").take();
        if let Some(thread) = thread {
            // A panic of the thread is in the status already.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(crate) fn commands(&self) -> &SyncSender<Command> {
        &self.inner.commands
    }

    pub(crate) fn is_removed(&self, raft_id: u64) -> bool {
        self.inner.shared.status.borrow().removed.contains(&raft_id)
    }

    /// Returns a client for a manager; its connection is kept.
    pub(crate) fn client(&self, address: &str) -> RaftClient<Channel> {
        let mut clients = self.inner.clients.lock().expect("no holder of the lock panics");
        clients.entry(address.to_owned()).or_insert_with(|| client(address, &self.inner.tls)).clone()
    }

    pub(crate) fn check(&self, entry: &[u8]) -> Result<(), ProposeError> {
        let limit = self.inner.config.entry_bytes_max;
        match entry.len() {
            0 => Err(ProposeError::Empty),
            size if size > limit => Err(ProposeError::TooLarge { size, limit }),
            _ => Ok(()),
        }
    }

    pub(crate) fn stop_reason(&self) -> String {
        let status = self.inner.shared.status.borrow();
        status.stopped.clone().unwrap_or_else(|| "it is shutting down".to_owned())
    }

    /// Adds a member if this manager leads.
    pub(crate) async fn add_here(&self, raft_id: u64, peer: Peer) -> Result<(), LocalChange> {
        self.change_here(|reply| Command::Add { raft_id, peer: peer.clone(), reply }).await
    }

    /// Removes a member if this manager leads; itself it removes by handing leadership over, so
    /// that the caller finds the next leader.
    pub(crate) async fn remove_here(&self, raft_id: u64) -> Result<(), LocalChange> {
        self.change_here(|reply| Command::Remove { raft_id, reply }).await
    }

    async fn change_here(
        &self,
        command: impl Fn(crate::command::Reply<ChangeRefused>) -> Command,
    ) -> Result<(), LocalChange> {
        let deadline = Instant::now() + self.inner.config.propose_timeout;
        loop {
            let (reply, answer) = oneshot::channel();
            let taken = self.command(command(reply));
            taken.map_err(|refused| LocalChange::Failed(refused.into_member_error()))?;
            let answer = timeout_at(deadline, answer).await;
            let refusal = match answer {
                Ok(Ok(Ok(_))) => return Ok(()),
                Ok(Ok(Err(ChangeRefused::Failed(error)))) => return Err(LocalChange::Failed(error)),
                Ok(Ok(Err(ChangeRefused::Refusal(refusal)))) => refusal,
                Ok(Err(_)) | Err(_) => return Err(LocalChange::Failed(MemberError::Unknown)),
            };
            match refusal {
                Refusal::NotLeader => return Err(LocalChange::NotLeader),
                Refusal::Forbidden(reason) => {
                    return Err(LocalChange::Failed(MemberError::Refused(reason)));
                }
                Refusal::HandOverFirst => {
                    self.transfer_leadership(None).await.map_err(LocalChange::Failed)?;
                    return Err(LocalChange::NotLeader);
                }
                Refusal::Busy | Refusal::ChangePending => {}
            }
            if Instant::now() >= deadline {
                return Err(LocalChange::Failed(MemberError::Unknown));
            }
            tokio::time::sleep(self.inner.config.tick / 2).await;
        }
    }

    fn command(&self, command: Command) -> Result<(), NotTaken> {
        self.inner.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => NotTaken::Full,
            TrySendError::Disconnected(_) => NotTaken::Stopped(self.stop_reason()),
        })
    }

    /// A manager that was moved tells the group where it is. Until then nobody can reach it, so it
    /// asks the others one by one, as a manager that joins does.
    fn correct_address(&self) {
        let weak = Arc::downgrade(&self.inner);
        let mut status = self.status();
        let config = self.inner.config.clone();
        let tls = self.inner.tls.clone();
        tokio::spawn(async move {
            let known = match status.wait_for(|status| !status.members.is_empty()).await {
                Ok(status) => status.members.clone(),
                Err(_) => return,
            };
            let is_me = |member: &&Member| member.raft_id == config.raft_id;
            if known.iter().find(is_me).is_none_or(|me| me.address == config.address) {
                return;
            }
            let others = known.iter().filter(|member| !is_me(member));
            let via: Vec<String> = others.map(|member| member.address.clone()).collect();
            while weak.strong_count() > 0 {
                if status.borrow().is_leader() {
                    let Some(inner) = weak.upgrade() else { return };
                    let me = Peer { node_id: config.node_id.clone(), address: config.address.clone() };
                    if (Self { inner }).add_here(config.raft_id, me).await.is_ok() {
                        return;
                    }
                }
                match join::join(&config, &via, &tls).await {
                    Ok(_) => return,
                    Err(_) if via.is_empty() => {}
                    Err(error) => tracing::warn!(%error, "the other managers do not know this one's address"),
                }
                tokio::time::sleep(config.tick * 10).await;
            }
        });
    }
}

pub(crate) enum NotTaken {
    Full,
    Stopped(String),
}

impl NotTaken {
    fn into_member_error(self) -> MemberError {
        match self {
            Self::Full => MemberError::Refused("too much is in flight: try again in a moment".into()),
            Self::Stopped(reason) => MemberError::Stopped { reason },
        }
    }
}

fn first_status(config: &Config) -> Status {
    Status {
        raft_id: config.raft_id,
        role: Role::Follower,
        term: 0,
        leader: None,
        applied: 0,
        members: Arc::new([]),
        removed: Arc::new([]),
        stopped: None,
    }
}
