//! One published port at run time: its backends of the moment and its counters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::backend::Member;
use crate::{Backend, PortCounters};

/// Is a published port; shared by all worker threads.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    members: RwLock<Arc<[Arc<Member>]>>,
    active: AtomicUsize,
    total: AtomicU64,
    refused: AtomicU64,
}

/// Counts as an open connection of a port while it lives.
pub(crate) struct Visit {
    port: Arc<Port>,
}

impl Port {
    pub(crate) fn new(number: u16, backends: Vec<Backend>) -> Port {
        let port = Port {
            number,
            members: RwLock::new(Arc::new([])),
            active: AtomicUsize::new(0),
            total: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        port.replace(backends);
        port
    }

    /// Puts other backends in place; one that was there keeps its counters and connections.
    pub(crate) fn replace(&self, backends: Vec<Backend>) {
        let former = self.members();
        let mut kept: BTreeMap<&Backend, &Arc<Member>> =
            former.iter().map(|member| (&member.backend, member)).collect();
        let members = backends.into_iter().map(|backend| match kept.remove(&backend) {
            Some(member) => member.clone(),
            None => Arc::new(Member::new(backend)),
        });
        let members: Arc<[Arc<Member>]> = members.collect();
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = members;
    }

    pub(crate) fn members(&self) -> Arc<[Arc<Member>]> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn visit(self: &Arc<Self>) -> Visit {
        self.active.fetch_add(1, Ordering::Relaxed);
        self.total.fetch_add(1, Ordering::Relaxed);
        Visit { port: self.clone() }
    }

    pub(crate) fn counters(&self) -> PortCounters {
        PortCounters {
            port: self.number,
            active: self.active.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            backends: self.members().iter().map(|member| member.counters()).collect(),
        }
    }
}

impl Visit {
    pub(crate) fn port(&self) -> &Port {
        &self.port
    }

    pub(crate) fn refuse(&self) {
        self.port.refused.fetch_add(1, Ordering::Relaxed);
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

    fn backend(port: u16) -> Backend {
        Backend { address: ([127, 0, 0, 1], port).into(), task: format!("t{port}") }
    }

    #[test]
    fn backend_that_stays_keeps_its_counters() {
        let port = Port::new(80, vec![backend(1), backend(2)]);
        let held = port.members()[1].begin();

        port.replace(vec![backend(2), backend(3), backend(3)]);

        let counters = port.counters().backends;
        let seen: Vec<_> = counters.iter().map(|found| (found.backend.address.port(), found.total)).collect();
        assert_eq!(seen, [(2, 1), (3, 0), (3, 0)]);
        drop(held);
        assert_eq!(port.counters().backends[0].active, 0);
    }
}
