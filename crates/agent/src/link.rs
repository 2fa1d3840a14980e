//! What an open session still owes its manager.

use std::collections::BTreeMap;

use model::{TaskId, TaskStatus};
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;
use wire::pb;
use wire::pb::agent_message::Kind;
use wire::pb::dispatcher_client::DispatcherClient;

use crate::session;

/// The ways to one manager.
pub(crate) struct Clients {
    /// Over the session's connection.
    pub client: DispatcherClient<Channel>,
    /// Over another one, for what comes in bulk: it would take the room of heartbeats.
    pub bulk: DispatcherClient<Channel>,
}

/// An open session. What finds no room in the outbox is kept and offered again.
pub(crate) struct Link {
    outbox: mpsc::Sender<pb::AgentMessage>,
    clients: Clients,
    /// Statuses the manager was not sent; a new session begins with all of them.
    unsent: BTreeMap<TaskId, TaskStatus>,
    in_flight: Option<u64>,
    next_report: u64,
    /// The revision it was told last.
    applied: u64,
    _held: oneshot::Sender<()>,
}

impl Link {
    /// Begins a session in which every known status is to be told.
    pub fn new(
        outbox: mpsc::Sender<pb::AgentMessage>,
        clients: Clients,
        held: oneshot::Sender<()>,
        known: BTreeMap<TaskId, TaskStatus>,
    ) -> Self {
        Self { outbox, clients, unsent: known, in_flight: None, next_report: 1, applied: 0, _held: held }
    }

    /// Returns a client to the same manager.
    pub fn client(&self) -> DispatcherClient<Channel> {
        self.clients.client.clone()
    }

    /// Returns a client to the same manager for what comes in bulk.
    pub fn bulk_client(&self) -> DispatcherClient<Channel> {
        self.clients.bulk.clone()
    }

    /// Takes up a status to be told.
    pub fn report(&mut self, task: TaskId, status: TaskStatus) {
        self.unsent.insert(task, status);
    }

    /// Notes that a batch is stored, so that the next may go.
    pub fn stored(&mut self, sequence: u64) {
        if self.in_flight == Some(sequence) {
            self.in_flight = None;
        }
    }

    /// Sends what has gathered, one batch at a time: while one is on its way, the next gathers.
    pub fn flush(&mut self, applied: u64) {
        if self.applied != applied && self.offer(Kind::Applied(pb::Applied { revision: applied })) {
            self.applied = applied;
        }
        if self.in_flight.is_some() || self.unsent.is_empty() {
            return;
        }
        let sequence = self.next_report;
        let report = |(task, status): (&TaskId, &TaskStatus)| pb::StatusReport {
            task: Some((*task).into()),
            status: Some(status.into()),
        };
        let reports = self.unsent.iter().map(report).collect();
        if self.offer(Kind::Statuses(pb::StatusReports { sequence, reports })) {
            self.unsent.clear();
            self.in_flight = Some(sequence);
            self.next_report += 1;
        }
    }

    fn offer(&self, kind: Kind) -> bool {
        self.outbox.try_send(session::message(kind)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use model::{TaskState, Timestamp};

    use super::*;

    fn status(state: TaskState) -> TaskStatus {
        let (message, err) = (String::new(), String::new());
        TaskStatus { state, at: Timestamp(0), message, err, container: None, ports: Vec::new() }
    }

    fn link(room: usize) -> (Link, mpsc::Receiver<pb::AgentMessage>) {
        let (outbox, inbox) = mpsc::channel(room);
        // It connects on its first call, which never comes.
        let channel = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let known = [(TaskId::from_bits(1), status(TaskState::Running))].into();
        let client = DispatcherClient::new(channel);
        (Link::new(outbox, Clients { bulk: client.clone(), client }, oneshot::channel().0, known), inbox)
    }

    fn sent(inbox: &mut mpsc::Receiver<pb::AgentMessage>) -> Vec<String> {
        let mut words = Vec::new();
        while let Ok(message) = inbox.try_recv() {
            words.push(match message.kind.unwrap() {
                Kind::Statuses(batch) => format!("{} of {}", batch.sequence, batch.reports.len()),
                Kind::Applied(applied) => format!("applied {}", applied.revision),
                other => panic!("{other:?}"),
            });
        }
        words
    }

    #[tokio::test]
    async fn one_batch_is_on_its_way_while_the_next_gathers() {
        let (mut link, mut inbox) = link(8);

        link.flush(0);
        link.report(TaskId::from_bits(2), status(TaskState::Ready));
        link.report(TaskId::from_bits(2), status(TaskState::Running));
        link.report(TaskId::from_bits(3), status(TaskState::Running));
        link.flush(0);
        assert_eq!(sent(&mut inbox), ["1 of 1"]);

        link.stored(7);
        link.flush(0);
        assert_eq!(sent(&mut inbox), [""; 0], "another batch was stored");
        link.stored(1);
        link.flush(0);
        link.stored(2);
        link.flush(0);
        assert_eq!(sent(&mut inbox), ["2 of 2"]);
    }

    #[tokio::test]
    async fn what_finds_no_room_is_sent_later() {
        let (mut link, mut inbox) = link(1);

        link.flush(5);
        assert_eq!(sent(&mut inbox), ["applied 5"]);
        link.flush(6);
        assert_eq!(sent(&mut inbox), ["applied 6"]);
        link.flush(6);
        link.flush(7);
        assert_eq!(sent(&mut inbox), ["1 of 1"]);
        link.flush(7);
        assert_eq!(sent(&mut inbox), ["applied 7"]);
    }
}
