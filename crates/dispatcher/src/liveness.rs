//! Which nodes count as there, decided by the leader from what managers hear.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Node, NodeId, NodeState, Timestamp};
use store::{Change, Object, View};

/// How many heartbeats a node may miss before it counts as down.
const MISSED_MAX: u32 = 3;
/// How many it may miss after a change of leader, since agents may have to find another manager first.
const MISSED_MAX_NEW_LEADER: u32 = 6;

/// When each node was last heard from under this leader.
#[derive(Debug, Clone, Default)]
pub struct Liveness {
    since: Timestamp,
    heard: BTreeMap<NodeId, Timestamp>,
    /// The heartbeat period at the last look.
    period: Option<Duration>,
    /// A longer period that agents may still keep, and until when.
    former: Option<(Duration, Timestamp)>,
}

impl Liveness {
    /// Begins to listen, as a manager that became leader at `now`.
    pub fn begin(now: Timestamp) -> Self {
        Self { since: now, ..Self::default() }
    }

    /// Notes that a node was heard from.
    pub fn heard(&mut self, node: NodeId, now: Timestamp) {
        self.heard.insert(node, now);
    }

    /// Returns the nodes whose state changes: heard from again, or silent for too long.
    pub fn changes(&mut self, view: &View, now: Timestamp) -> Vec<Change> {
        let period = view.cluster().map_or(Duration::from_secs(1), |cluster| cluster.spec.heartbeat_period);
        let period = self.kept_by_agents(period, now);
        view.nodes()
            .filter_map(|node| self.judge(node, period, now))
            .map(|node| Change::Put(Object::from(node)))
            .collect()
    }

    /// Returns the period by which silence is judged: one that was shortened must first come to the agents.
    fn kept_by_agents(&mut self, period: Duration, now: Timestamp) -> Duration {
        let last = self.period.replace(period).unwrap_or(period);
        self.former = self.former.filter(|(_, until)| now < *until);
        if period < last {
            self.former = Some((last, now.plus(last * MISSED_MAX)));
        }
        self.former.map_or(period, |(former, _)| former.max(period))
    }

    fn judge(&self, node: &Node, period: Duration, now: Timestamp) -> Option<Node> {
        let heard = self.heard.get(&node.id);
        let limit = period * if heard.is_some() { MISSED_MAX } else { MISSED_MAX_NEW_LEADER };
        let silent = now.since(heard.copied().unwrap_or(self.since));
        let (state, message) = match node.status.state {
            NodeState::Down | NodeState::Unknown | NodeState::Disconnected
                if heard.is_some() && silent <= limit =>
            {
                (NodeState::Ready, String::new())
            }
            NodeState::Ready | NodeState::Unknown | NodeState::Disconnected if silent > limit => (
                NodeState::Down,
                format!("heartbeat failure: nothing heard for {:.1} s", silent.as_secs_f64()),
            ),
            NodeState::Ready | NodeState::Unknown | NodeState::Disconnected | NodeState::Down => return None,
        };
        let mut node = node.clone();
        node.status.state = state;
        node.status.message = message;
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Availability, Meta, NodeSpec, NodeStatus, Role};

    const SECOND: i64 = 1_000_000_000;

    fn view(state: NodeState) -> View {
        let spec = NodeSpec {
            name: String::new(),
            labels: Default::default(),
            role: Role::Worker,
            availability: Availability::Active,
        };
        let status = NodeStatus { state, message: String::new(), address: None };
        let id = NodeId::from_bits(1);
        let node = Node {
            id,
            meta: Meta::default(),
            spec,
            role: Role::Worker,
            description: None,
            status,
            number: None,
        };
        let mut view = View::default();
        view.apply(1, Timestamp(0), &[Change::Put(node.into())]).unwrap();
        view
    }

    /// Each case: state in the view, seconds at which the node was heard (leader since 0), now, expected state.
    #[test]
    fn states_follow_what_is_heard() {
        let cases = [
            (NodeState::Ready, Some(10), 13, None),
            (NodeState::Ready, Some(10), 14, Some(NodeState::Down)),
            (NodeState::Down, Some(10), 11, Some(NodeState::Ready)),
            (NodeState::Down, None, 99, None),
            (NodeState::Ready, None, 6, None),
            (NodeState::Ready, None, 7, Some(NodeState::Down)),
            (NodeState::Unknown, Some(1), 2, Some(NodeState::Ready)),
        ];

        for (state, heard, now, expected) in cases {
            let mut liveness = Liveness::begin(Timestamp(0));
            if let Some(heard) = heard {
                liveness.heard(NodeId::from_bits(1), Timestamp(heard * SECOND));
            }

            let changes = liveness.changes(&view(state), Timestamp(now * SECOND));

            let judged = changes.first().map(|change| match change {
                Change::Put(Object::Node(node)) => node.status.state,
                other => panic!("{other:?}"),
            });
            assert_eq!(judged, expected, "{state:?} {heard:?} {now}");
        }
    }

    #[test]
    fn a_shortened_period_counts_once_agents_can_have_heard_of_it() {
        let with_period = |seconds| {
            let mut view = testkit::notation::parse("node a");
            let mut cluster = (**view.cluster().unwrap()).clone();
            cluster.spec.heartbeat_period = Duration::from_secs(seconds);
            view.draft(&Change::Put(cluster.into()));
            view
        };
        let (slow, fast) = (with_period(5), with_period(1));
        let node = slow.nodes().next().unwrap().id;
        let at = |seconds: i64| Timestamp(seconds * SECOND);
        let mut liveness = Liveness::begin(at(0));
        liveness.heard(node, at(10));

        assert_eq!(liveness.changes(&slow, at(14)).len(), 0);
        assert_eq!(liveness.changes(&fast, at(14)).len(), 0, "it beats every five seconds");
        liveness.heard(node, at(25));
        assert_eq!(liveness.changes(&fast, at(28)).len(), 0);
        assert_eq!(liveness.changes(&fast, at(30)).len(), 1, "it has had the time to hear of it");
    }
}
