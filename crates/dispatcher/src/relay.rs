//! Brings what this manager hears to the leader, which alone decides which nodes are down.

use std::collections::BTreeSet;
use std::time::Duration;

use consensus::Proposer;
use identity::Tls;
use model::{NodeId, Timestamp};
use store::Change;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use wire::pb;
use wire::pb::dispatcher_client::DispatcherClient;

use crate::liveness::Liveness;

/// How often liveness is judged by the leader and told by the others. A third of the shortest
/// sensible heartbeat period, so that the way through a follower costs no missed beat.
const PERIOD: Duration = Duration::from_millis(300);
/// How long a leader may be away, such as a host that was suspended, before it listens anew: it cannot
/// tell nodes that were silent from nodes that it did not hear.
const ABSENCE: Duration = Duration::from_secs(2);
/// How long the leader may take to answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The loop that listens for nodes.
pub(crate) struct Relay {
    pub proposer: Proposer,
    pub tls: Tls,
    pub clock: fn() -> Timestamp,
    /// Nodes heard from, by this manager's sessions or through other managers.
    pub heard: mpsc::UnboundedReceiver<NodeId>,
}

/// What this manager is in the group, as far as liveness is concerned.
enum Part {
    Leader { term: u64, liveness: Liveness, judged_at: Timestamp },
    Follower { leader: Option<(String, DispatcherClient<Channel>)> },
}

impl Relay {
    /// Runs until the dispatcher stops.
    pub async fn run(mut self) {
        let mut part = Part::Follower { leader: None };
        let mut recent = BTreeSet::new();
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                heard = self.heard.recv() => match heard {
                    Some(node) => {
                        // A node that is not known to be ready is not kept waiting for the tick.
                        let urgent = self.is_unready(node) && recent.insert(node);
                        recent.insert(node);
                        if urgent {
                            self.turn(&mut part, &mut recent).await;
                        }
                    }
                    None => return,
                },
                _ = tick.tick() => self.turn(&mut part, &mut recent).await,
            }
        }
    }

    fn is_unready(&self, node: NodeId) -> bool {
        self.proposer.view().node(node).is_some_and(|node| node.status.state != model::NodeState::Ready)
    }

    async fn turn(&mut self, part: &mut Part, recent: &mut BTreeSet<NodeId>) {
        // What waits while a proposal takes its time was heard all the same.
        while let Ok(node) = self.heard.try_recv() {
            recent.insert(node);
        }
        let status = self.proposer.status();
        let now = (self.clock)();
        match (&mut *part, status.is_leader()) {
            (Part::Leader { term, liveness, judged_at }, true)
                if *term == status.term && now.since(*judged_at) < ABSENCE =>
            {
                for node in std::mem::take(recent) {
                    liveness.heard(node, now);
                }
                self.judge(liveness, now).await;
                *judged_at = now;
            }
            (_, true) => {
                let (term, liveness) = (status.term, Liveness::begin(now));
                *part = Part::Leader { term, liveness, judged_at: now };
            }
            (Part::Follower { leader: known }, false) => {
                let Some(leader) = &status.leader else { return };
                if known.as_ref().is_none_or(|(address, _)| *address != leader.address) {
                    let client = DispatcherClient::new(identity::channel(&leader.address, &self.tls));
                    *known = Some((leader.address.clone(), client));
                }
                if let Some((address, client)) = known {
                    tell(address, client, recent).await;
                }
            }
            (Part::Leader { .. }, false) => *part = Part::Follower { leader: None },
        }
    }

    async fn judge(&self, liveness: &mut Liveness, now: Timestamp) {
        let changes: Vec<Change> = liveness.changes(&self.proposer.view(), now);
        if changes.is_empty() {
            return;
        }
        // What is refused is judged again at the next tick.
        if let Err(error) = self.proposer.propose_in_parts(changes).await {
            tracing::debug!(%error, "states of nodes wait");
        }
    }
}

async fn tell(leader: &str, client: &mut DispatcherClient<Channel>, recent: &mut BTreeSet<NodeId>) {
    if recent.is_empty() {
        return;
    }
    let live = recent.iter().map(NodeId::to_string).collect();
    match tokio::time::timeout(TIMEOUT, client.relay(pb::RelayRequest { live })).await {
        Ok(Ok(_)) => recent.clear(),
        Ok(Err(status)) => tracing::debug!(leader, %status, "the leader does not take what was heard"),
        Err(_) => tracing::debug!(leader, "the leader does not answer in time"),
    }
}
