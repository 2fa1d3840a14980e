//! Every backend that is in the table or still has something in flight, to tell when a task may be stopped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::Backend;
use crate::backend::Member;

/// Knows the members of all ports by their task.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    tasks: Mutex<BTreeMap<String, Vec<Weak<Member>>>>,
    ended: Arc<Notify>,
}

impl Roster {
    /// Makes the member for a backend that was just put into a table.
    pub(crate) fn enter(&self, backend: Backend) -> Arc<Member> {
        let member = Arc::new(Member::new(backend, self.ended.clone()));
        let task = member.backend.task.clone();
        self.with_tasks(|tasks| tasks.entry(task).or_default().push(Arc::downgrade(&member)));
        member
    }

    /// Forgets members that nobody holds.
    pub(crate) fn tidy(&self) {
        self.with_tasks(|tasks| {
            tasks.retain(|_, members| {
                members.retain(|member| member.strong_count() > 0);
                !members.is_empty()
            });
        });
    }

    /// Returns how many connections, requests and flows a task is serving.
    pub(crate) fn in_flight(&self, task: &str) -> usize {
        self.with_tasks(|tasks| {
            let members = tasks.get(task).into_iter().flatten();
            members.filter_map(Weak::upgrade).map(|member| member.active()).sum()
        })
    }

    /// Waits until nothing is in flight to a task that was withdrawn, and returns what is left after `deadline`.
    pub(crate) async fn drained(&self, task: &str, deadline: Duration) -> usize {
        let drained = async {
            loop {
                let ended = self.ended.notified();
                tokio::pin!(ended);
                // Listening begins before the look, or the last end could be missed between the two.
                ended.as_mut().enable();
                if self.in_flight(task) == 0 {
                    return;
                }
                ended.await;
            }
        };
        match tokio::time::timeout(deadline, drained).await {
            Ok(()) => 0,
            Err(_) => self.in_flight(task),
        }
    }

    fn with_tasks<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Vec<Weak<Member>>>) -> T) -> T {
        // Each step leaves the map whole.
        act(&mut self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
