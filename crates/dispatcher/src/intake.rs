//! Takes statuses and descriptions from nodes into the log, many in one proposal.

use std::collections::BTreeMap;
use std::time::Duration;

use consensus::Proposer;
use model::{Description, NodeId, TaskId, TaskStatus};
use store::{Change, Object, View};
use tokio::sync::{mpsc, oneshot};

/// How many reports wait; a session that finds no room waits and stops reading.
const WAITING_MAX: usize = 1024;
/// The largest object that a report may make. One that no log entry can take would hold up all others for ever.
const OBJECT_BYTES_MAX: usize = 256 << 10;
/// The pause after a proposal that failed, such as while there is no leader.
const RETRY: Duration = Duration::from_millis(100);

/// What a node reports.
#[derive(Debug)]
pub(crate) enum Report {
    /// How far its tasks are. The sender is told when it is stored.
    Statuses { node: NodeId, statuses: Vec<(TaskId, TaskStatus)>, stored: oneshot::Sender<()> },
    /// What it says of itself.
    Hello { node: NodeId, description: Description, address: Option<std::net::IpAddr> },
}

/// The receiving end of reports; proposes what has gathered, one proposal at a time.
pub(crate) struct Intake {
    proposer: Proposer,
    reports: mpsc::Receiver<Report>,
}

/// What has gathered since the last proposal.
#[derive(Default)]
struct Batch {
    statuses: BTreeMap<TaskId, (NodeId, TaskStatus)>,
    hellos: BTreeMap<NodeId, (Description, Option<std::net::IpAddr>)>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Intake {
    /// Makes an intake and the end where reports go in.
    pub fn new(proposer: Proposer) -> (mpsc::Sender<Report>, Self) {
        let (sender, reports) = mpsc::channel(WAITING_MAX);
        (sender, Self { proposer, reports })
    }

    /// Runs until every sender is gone.
    pub async fn run(mut self) {
        while let Some(first) = self.reports.recv().await {
            let mut batch = Batch::default();
            batch.add(first);
            while let Ok(more) = self.reports.try_recv() {
                batch.add(more);
            }
            self.store(&batch).await;
            for stored in batch.waiting {
                let _session_gone = stored.send(());
            }
        }
    }

    /// Proposes a batch until it is stored or has nothing more to say.
    async fn store(&self, batch: &Batch) {
        loop {
            let changes = batch.changes(&self.proposer.view());
            if changes.is_empty() {
                return;
            }
            match self.proposer.propose_in_parts(changes).await {
                Ok(_) => return,
                // Somebody wrote one of the objects meanwhile: decide again from a view that has it.
                Err(consensus::UpdateError::Conflict(_)) => {
                    let _no_leader = self.proposer.current().await;
                }
                Err(error) => {
                    tracing::debug!(%error, "reports of nodes wait");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

impl Batch {
    fn add(&mut self, report: Report) {
        match report {
            Report::Statuses { node, statuses, stored } => {
                self.statuses.extend(statuses.into_iter().map(|(task, status)| (task, (node, status))));
                self.waiting.push(stored);
            }
            Report::Hello { node, description, address } => {
                self.hellos.insert(node, (description, address));
            }
        }
    }

    fn changes(&self, view: &View) -> Vec<Change> {
        let statuses =
            self.statuses.iter().filter_map(|(id, (node, status))| advanced(view, *id, *node, status));
        let hellos = self.hellos.iter().filter_map(|(id, (description, address))| {
            let mut node = (**view.node(*id)?).clone();
            let known = node.description.as_deref() == Some(description) && node.status.address == *address;
            node.description = Some(Box::new(description.clone()));
            node.status.address = *address;
            (!known).then(|| Change::Put(Object::from(node)))
        });
        statuses.chain(hellos).filter(is_sane).collect()
    }
}

fn is_sane(change: &Change) -> bool {
    let size = wire::entry::size_of(change);
    if size > OBJECT_BYTES_MAX {
        tracing::error!(object = %change.key(), size, limit = OBJECT_BYTES_MAX, "a report is too large and is passed over");
    }
    size <= OBJECT_BYTES_MAX
}

/// Returns the change that moves a task forward; none if the task is not the node's or is further already.
fn advanced(view: &View, id: TaskId, node: NodeId, status: &TaskStatus) -> Option<Change> {
    let task = view.task(id)?;
    if task.node != Some(node) || status.state < task.status.state || *status == task.status {
        return None;
    }
    let mut task = (**task).clone();
    task.status = status.clone();
    Some(Change::Put(Object::from(task)))
}
