//! One published port at run time: its backends of the moment and its counters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::backend::{Member, Use};
use crate::choose::{State, Tried, choose};
use crate::roster::Roster;
use crate::{AppProtocol, Backend, PortCounters, Published, Transport};

/// Names a listener.
pub(crate) type Key = (u16, Transport);

/// Is what the table says of one listener.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) carries: AppProtocol,
    pub(crate) backends: Vec<Backend>,
}

/// Is a published port; shared by all worker threads.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) key: Key,
    roster: Arc<Roster>,
    plan: RwLock<Arc<Plan>>,
    /// Told of every other plan.
    changes: watch::Sender<()>,
    active: AtomicUsize,
    total: AtomicU64,
    refused: AtomicU64,
}

/// Is how a port is served at this moment.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) carries: AppProtocol,
    members: Box<[Arc<Member>]>,
}

/// Counts as an open connection of a port while it lives.
pub(crate) struct Visit {
    port: Arc<Port>,
}

impl Wanted {
    /// Lists the listeners of a published port.
    pub(crate) fn of(number: u16, published: Published) -> impl Iterator<Item = (Key, Wanted)> {
        let Published { tcp, udp } = published;
        let tcp = tcp
            .map(|tcp| ((number, Transport::Tcp), Wanted { carries: tcp.carries, backends: tcp.backends }));
        let udp =
            udp.map(|backends| ((number, Transport::Udp), Wanted { carries: AppProtocol::Bytes, backends }));
        tcp.into_iter().chain(udp)
    }
}

impl Port {
    pub(crate) fn new(key: Key, wanted: Wanted, roster: Arc<Roster>) -> Port {
        let port = Port {
            key,
            roster,
            plan: RwLock::new(Arc::new(Plan { carries: wanted.carries, members: Box::new([]) })),
            changes: watch::Sender::new(()),
            active: AtomicUsize::new(0),
            total: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        port.replace(wanted);
        port
    }

    /// Puts other backends in place; one that was there keeps its counters and connections.
    pub(crate) fn replace(&self, wanted: Wanted) {
        let former = self.plan();
        let mut kept: BTreeMap<&Backend, &Arc<Member>> =
            former.members.iter().map(|member| (&member.backend, member)).collect();
        let members = wanted.backends.into_iter().map(|backend| match kept.remove(&backend) {
            Some(member) => member.clone(),
            None => self.roster.enter(backend),
        });
        let plan = Plan { carries: wanted.carries, members: members.collect() };
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
        for gone in kept.into_values() {
            gone.withdraw();
        }
        self.changes.send_replace(());
    }

    /// Lets nothing new go to any backend, as the port is not in the table any more.
    pub(crate) fn end(&self) {
        self.replace(Wanted { carries: self.plan().carries, backends: Vec::new() });
    }

    /// Returns what tells of every other plan.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Returns how the port is served at this moment.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        self.plan.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins to use a backend that is not among `tried`, and adds it there; `None` if none is left.
    pub(crate) fn pick(&self, tried: &mut Tried) -> Option<Use> {
        while !tried.is_full() {
            let plan = self.plan();
            let members = &plan.members;
            let state = |index: usize| {
                let member = &members[index];
                if tried.contains(member.id) { State::Tried } else { member.state() }
            };
            let index = choose(members.len(), state, |below| rand::random_range(0..below))?;
            tried.add(members[index].id);
            // One that was withdrawn at this very moment gets nothing; the plan is another by the next look.
            if let Some(begun) = members[index].begin() {
                return Some(begun);
            }
        }
        None
    }

    pub(crate) fn visit(self: &Arc<Self>) -> Visit {
        self.active.fetch_add(1, Ordering::Relaxed);
        self.total.fetch_add(1, Ordering::Relaxed);
        Visit { port: self.clone() }
    }

    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> PortCounters {
        PortCounters {
            port: self.key.0,
            transport: self.key.1,
            active: self.active.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            backends: self.plan().members.iter().map(|member| member.counters()).collect(),
        }
    }
}

impl Visit {
    pub(crate) fn port(&self) -> &Arc<Port> {
        &self.port
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.port.active.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(ports: &[u16]) -> Wanted {
        let backend =
            |port: &u16| Backend { address: ([127, 0, 0, 1], *port).into(), task: format!("t{port}") };
        Wanted { carries: AppProtocol::Bytes, backends: ports.iter().map(backend).collect() }
    }

    fn port(ports: &[u16]) -> Port {
        Port::new((80, Transport::Tcp), wanted(ports), Arc::default())
    }

    #[test]
    fn backend_that_stays_keeps_its_counters() {
        let port = port(&[1, 2]);
        let held = port.plan().members[1].begin();

        port.replace(wanted(&[2, 3, 3]));

        let counters = port.counters().backends;
        let seen: Vec<_> = counters.iter().map(|found| (found.backend.address.port(), found.total)).collect();
        assert_eq!(seen, [(2, 1), (3, 0), (3, 0)]);
        drop(held);
        assert_eq!(port.counters().backends[0].active, 0);
    }

    #[test]
    fn withdrawn_backend_is_in_flight_until_its_last_use_ends() {
        let port = port(&[1, 2]);
        let mut tried = Tried::default();
        tried.add(port.plan().members[1].id);
        let held = port.pick(&mut tried).unwrap();
        assert_eq!(held.backend().task, "t1");

        port.replace(wanted(&[2]));
        port.roster.tidy();

        assert_eq!((port.roster.in_flight("t1"), port.roster.in_flight("t2")), (1, 0));
        drop(held);
        port.roster.tidy();
        assert_eq!(port.roster.in_flight("t1"), 0);
    }
}
