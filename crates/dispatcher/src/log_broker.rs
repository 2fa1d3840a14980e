//! Brings the logs of tasks to whoever asks on this manager, from the agents connected to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use model::{NodeId, TaskId};
use tokio::sync::mpsc;
use wire::pb;

/// How many records wait for a reader; agents wait when it is full.
const RECORDS_WAITING: usize = 256;

/// The queries and sessions of this manager.
#[derive(Clone, Default)]
pub(crate) struct LogBroker {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Where messages to connected agents go.
    agents: BTreeMap<NodeId, mpsc::Sender<pb::ManagerMessage>>,
    queries: BTreeMap<String, Query>,
}

/// A query that some agents have not begun to answer.
struct Query {
    records: mpsc::Sender<pb::LogRecord>,
    silent: BTreeSet<NodeId>,
}

/// The records of a query. The query ends when this is dropped; the records end when every agent has delivered.
pub(crate) struct Reading {
    /// The agents asked.
    pub nodes: BTreeSet<NodeId>,
    pub records: mpsc::Receiver<pb::LogRecord>,
    broker: LogBroker,
    id: String,
}

impl LogBroker {
    /// Notes that an agent is connected; messages for it go to `outbox`.
    pub fn connected(&self, node: NodeId, outbox: mpsc::Sender<pb::ManagerMessage>) {
        let mut state = self.lock();
        if state.agents.insert(node, outbox).is_some() {
            // What was asked through the session before this one is not answered any more.
            state.no_longer_silent(node, None);
        }
    }

    /// Notes that the session with this outbox is over.
    pub fn disconnected(&self, node: NodeId, outbox: &mpsc::Sender<pb::ManagerMessage>) {
        let mut state = self.lock();
        if state.agents.get(&node).is_some_and(|current| current.same_channel(outbox)) {
            state.agents.remove(&node);
            state.no_longer_silent(node, None);
        }
    }

    /// Returns where messages to an agent go, if it is connected.
    pub fn outbox_of(&self, node: NodeId) -> Option<mpsc::Sender<pb::ManagerMessage>> {
        self.lock().agents.get(&node).cloned()
    }

    /// Asks the connected ones among the given nodes for the logs of their tasks.
    pub fn read(&self, query: &pb::LogQuery, tasks: &BTreeMap<NodeId, Vec<TaskId>>) -> Reading {
        let (sender, records) = mpsc::channel(RECORDS_WAITING);
        let mut state = self.lock();
        let mut nodes = BTreeSet::new();
        for (node, tasks) in tasks {
            let Some(agent) = state.agents.get(node) else { continue };
            let task_ids = tasks.iter().map(TaskId::to_string).collect();
            let asked = pb::manager_message::Kind::Logs(pb::LogQuery { task_ids, ..query.clone() });
            if agent.try_send(pb::ManagerMessage { kind: Some(asked) }).is_ok() {
                nodes.insert(*node);
            }
        }
        if !nodes.is_empty() {
            state.queries.insert(query.id.clone(), Query { records: sender, silent: nodes.clone() });
        }
        drop(state);
        Reading { nodes, records, broker: self.clone(), id: query.id.clone() }
    }

    /// Returns where an agent delivers the records of a query; none if nobody reads it any more.
    pub fn deliver(&self, query: &str, node: NodeId) -> Option<mpsc::Sender<pb::LogRecord>> {
        let mut state = self.lock();
        let sender = state.queries.get(query).filter(|query| query.silent.contains(&node))?.records.clone();
        state.no_longer_silent(node, Some(query));
        Some(sender)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl State {
    /// Takes a node off the list of those still to begin; with nobody left on it, the records end
    /// when those who began are done.
    fn no_longer_silent(&mut self, node: NodeId, only: Option<&str>) {
        self.queries.retain(|id, query| {
            if only.is_none_or(|only| only == id) {
                query.silent.remove(&node);
            }
            !query.silent.is_empty()
        });
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.broker.lock();
        state.queries.remove(&self.id);
        for agent in self.nodes.iter().filter_map(|node| state.agents.get(node)) {
            let end = pb::manager_message::Kind::LogsEnd(pb::LogsEnd { id: self.id.clone() });
            // A session too busy to hear it ends the query when its next line finds no reader.
            let _session_busy = agent.try_send(pb::ManagerMessage { kind: Some(end) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId::from_bits(1);
    const OTHER: NodeId = NodeId::from_bits(2);

    fn query() -> pb::LogQuery {
        pb::LogQuery { id: "q".into(), ..Default::default() }
    }

    fn tasks() -> BTreeMap<NodeId, Vec<TaskId>> {
        [(NODE, vec![TaskId::from_bits(5)]), (OTHER, vec![TaskId::from_bits(6)])].into()
    }

    #[tokio::test]
    async fn records_end_when_every_connected_agent_has_delivered() {
        let broker = LogBroker::default();
        let (outbox, mut inbox) = mpsc::channel(4);
        broker.connected(NODE, outbox);

        let mut reading = broker.read(&query(), &tasks());
        let sender = broker.deliver("q", NODE).unwrap();
        sender.send(pb::LogRecord { stream: 1, ..Default::default() }).await.unwrap();
        drop(sender);

        assert_eq!(reading.nodes, [NODE].into());
        assert!(matches!(inbox.recv().await.unwrap().kind, Some(pb::manager_message::Kind::Logs(_))));
        assert_eq!(reading.records.recv().await.map(|record| record.stream), Some(1));
        assert_eq!(reading.records.recv().await, None);
    }

    #[tokio::test]
    async fn records_end_when_an_agent_is_lost_before_it_began() {
        let broker = LogBroker::default();
        let (outbox, _inbox) = mpsc::channel(4);
        broker.connected(NODE, outbox.clone());
        let mut reading = broker.read(&query(), &tasks());

        broker.disconnected(NODE, &outbox);

        assert_eq!(reading.records.recv().await, None);
    }

    #[tokio::test]
    async fn a_session_that_was_replaced_ends_no_query_of_the_next() {
        let broker = LogBroker::default();
        let (former, _former_inbox) = mpsc::channel(4);
        let (outbox, _inbox) = mpsc::channel(4);
        broker.connected(NODE, former.clone());
        let mut unanswered = broker.read(&pb::LogQuery { id: "p".into(), ..query() }, &tasks());
        broker.connected(NODE, outbox);
        let _reading = broker.read(&query(), &tasks());

        broker.disconnected(NODE, &former);

        assert_eq!(unanswered.records.recv().await, None, "nobody answers what the former session was asked");
        assert!(broker.deliver("q", NODE).is_some());
    }

    #[tokio::test]
    async fn a_query_without_a_connected_agent_has_no_records() {
        let mut reading = LogBroker::default().read(&query(), &tasks());

        assert!(reading.nodes.is_empty());
        assert_eq!(reading.records.recv().await, None);
    }
}
