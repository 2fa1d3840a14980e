//! One agent's session with this manager.

use std::net::IpAddr;
use std::time::Duration;

use consensus::Proposer;
use model::{NodeId, TaskId, TaskStatus};
use store::View;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tonic::{Status, Streaming};
use wire::assignment::Assignment;
use wire::pb;

use crate::assignment::{self, Managers, Sight};
use crate::intake::Report;

/// How long a manager without a leader keeps its sessions: longer than an election, shorter than it
/// takes until the cluster counts the nodes as down.
const LEADERLESS_MAX: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 2500 });

/// What a session works with.
pub(crate) struct Session {
    pub node: NodeId,
    pub proposer: Proposer,
    pub managers: watch::Receiver<Managers>,
    pub reports: mpsc::Sender<Report>,
    /// Where it says that its node was heard from.
    pub heard: mpsc::UnboundedSender<NodeId>,
    pub outbox: mpsc::Sender<pb::ManagerMessage>,
}

/// What the node knows so far.
struct Told {
    view: View,
    managers: Managers,
    sequence: u64,
}

impl Session {
    /// Serves the session until the agent leaves or breaks the rules.
    pub async fn run(mut self, mut incoming: Streaming<pb::AgentMessage>) -> Result<(), Status> {
        let mut views = self.proposer.views();
        let mut told = self.tell_all(&mut views).await?;
        // Reports are confirmed in the background: the agent's heartbeats must not wait for the log.
        let mut storing = JoinSet::new();
        let cut_off = cut_off(self.proposer.statuses());
        tokio::pin!(cut_off);
        loop {
            tokio::select! {
                reason = &mut cut_off => return Err(Status::unavailable(reason)),
                received = incoming.message() => match received? {
                    Some(pb::AgentMessage { kind: Some(kind) }) => self.take(kind, &mut storing).await?,
                    Some(pb::AgentMessage { kind: None }) => {}
                    None => return Ok(()),
                },
                changed = views.changed() => {
                    changed.map_err(|_| Status::unavailable("this manager is stopping"))?;
                    self.tell_difference(&mut views, &mut told).await?;
                }
                changed = self.managers.changed() => {
                    changed.map_err(|_| Status::unavailable("this manager is stopping"))?;
                    self.tell_difference(&mut views, &mut told).await?;
                }
                Some(stored) = storing.join_next() => {
                    if let Ok(Some(sequence)) = stored {
                        self.send(pb::manager_message::Kind::Stored(pb::StatusesStored { sequence })).await?;
                    }
                }
            }
        }
    }

    async fn tell_all(&mut self, views: &mut watch::Receiver<View>) -> Result<Told, Status> {
        let view = views.borrow_and_update().clone();
        let managers = self.managers.borrow_and_update().clone();
        let items = assignment::complete(Sight { view: &view, managers: &managers }, self.node);
        self.assign(&Assignment::complete(view.index(), &items)).await?;
        Ok(Told { view, managers, sequence: 0 })
    }

    async fn tell_difference(
        &mut self,
        views: &mut watch::Receiver<View>,
        told: &mut Told,
    ) -> Result<(), Status> {
        let view = views.borrow_and_update().clone();
        let managers = self.managers.borrow_and_update().clone();
        if view.node(self.node).is_none() {
            return Err(Status::permission_denied("this node was removed from the cluster"));
        }
        let welcome = welcome(self.node, &view);
        if welcome != self::welcome(self.node, &told.view) {
            self.send(pb::manager_message::Kind::Welcome(welcome)).await?;
        }
        let before = Sight { view: &told.view, managers: &told.managers };
        let after = Sight { view: &view, managers: &managers };
        if let Some(assignment) = assignment::difference(before, after, self.node, told.sequence + 1) {
            told.sequence += 1;
            self.assign(&assignment).await?;
        }
        told.view = view;
        told.managers = managers;
        Ok(())
    }

    async fn take(
        &self,
        kind: pb::agent_message::Kind,
        storing: &mut JoinSet<Option<u64>>,
    ) -> Result<(), Status> {
        // Whatever it says, it is there. The receiver is gone only when the manager stops.
        let _stopping = self.heard.send(self.node);
        match kind {
            pb::agent_message::Kind::Hello(hello) => self.report(hello_of(self.node, hello)?).await,
            pb::agent_message::Kind::Heartbeat(_) | pb::agent_message::Kind::Applied(_) => Ok(()),
            pb::agent_message::Kind::Statuses(batch) => {
                let (stored, done) = oneshot::channel();
                let statuses = statuses_of(batch.reports)?;
                self.report(Report::Statuses { node: self.node, statuses, stored }).await?;
                storing.spawn(async move { done.await.ok().map(|()| batch.sequence) });
                Ok(())
            }
        }
    }

    async fn report(&self, report: Report) -> Result<(), Status> {
        self.reports.send(report).await.map_err(|_| Status::unavailable("this manager is stopping"))
    }

    async fn assign(&self, assignment: &Assignment) -> Result<(), Status> {
        self.send(pb::manager_message::Kind::Assignment(assignment.into())).await
    }

    async fn send(&self, kind: pb::manager_message::Kind) -> Result<(), Status> {
        let message = pb::ManagerMessage { kind: Some(kind) };
        self.outbox.send(message).await.map_err(|_| Status::cancelled("the agent has left"))
    }
}

/// Returns what an agent is told of its session, first of all and when it changes.
pub(crate) fn welcome(node: NodeId, view: &View) -> pb::Welcome {
    let period = view.cluster().map_or(Duration::from_secs(1), |cluster| cluster.spec.heartbeat_period);
    pb::Welcome { node_id: node.to_string(), heartbeat_period_ms: period.as_millis() as u64 }
}

/// Returns why the session must end when this manager has stopped or has been without a leader for
/// too long: what it hears of nodes then reaches nobody who decides.
async fn cut_off(mut statuses: watch::Receiver<consensus::Status>) -> &'static str {
    loop {
        let is_lost = |status: &consensus::Status| status.leader.is_none() || status.stopped.is_some();
        match statuses.wait_for(is_lost).await.map(|status| status.stopped.is_some()) {
            Ok(false) => {}
            Ok(true) | Err(_) => return "this manager has stopped",
        }
        let settled = statuses.wait_for(|status| status.leader.is_some() || status.stopped.is_some());
        if tokio::time::timeout(LEADERLESS_MAX, settled).await.is_err() {
            return "this manager does not hear from a leader";
        }
    }
}

/// Reads the first message of a session.
pub(crate) fn hello_of(node: NodeId, hello: pb::Hello) -> Result<Report, Status> {
    let description =
        hello.description.ok_or_else(|| Status::invalid_argument("hello lacks the node's description"))?;
    let description =
        description.try_into().map_err(|error: wire::Error| Status::invalid_argument(error.to_string()))?;
    let address = match hello.address.as_str() {
        "" => None,
        text => Some(
            text.parse::<IpAddr>().map_err(|_| Status::invalid_argument(format!("{text} is no address")))?,
        ),
    };
    Ok(Report::Hello { node, description, address })
}

fn statuses_of(reports: Vec<pb::StatusReport>) -> Result<Vec<(TaskId, TaskStatus)>, Status> {
    let refuse = |error: String| Status::invalid_argument(error);
    reports
        .into_iter()
        .map(|report| {
            let task: TaskId = report.task.ok_or_else(|| refuse("a report lacks its task".into()))?.into();
            let status = report.status.ok_or_else(|| refuse(format!("report on {task} lacks its status")))?;
            Ok((task, status.try_into().map_err(|error: wire::Error| refuse(error.to_string()))?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use consensus::{Member, Role, Standing};

    use super::*;

    fn status(is_led: bool) -> consensus::Status {
        let leader = Member {
            raft_id: 2,
            node_id: "m2".into(),
            address: "127.0.0.1:1".into(),
            standing: Standing::Voter,
            reachable: true,
        };
        consensus::Status {
            raft_id: 1,
            role: Role::Follower,
            term: 1,
            leader: is_led.then_some(leader),
            applied: 1,
            members: [].into(),
            removed: [].into(),
            stopped: None,
        }
    }

    #[tokio::test]
    async fn an_election_ends_no_session_and_a_lost_cluster_does() {
        let (statuses, watched) = watch::channel(status(true));
        let cut_off = cut_off(watched);
        tokio::pin!(cut_off);
        let election = LEADERLESS_MAX / 2;

        statuses.send_replace(status(false));
        assert!(tokio::time::timeout(election, &mut cut_off).await.is_err());
        statuses.send_replace(status(true));
        assert!(tokio::time::timeout(election * 3, &mut cut_off).await.is_err());
        statuses.send_replace(status(false));

        assert_eq!(cut_off.await, "this manager does not hear from a leader");
    }
}
