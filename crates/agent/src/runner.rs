//! Takes one task through its life, one step at a time.

use std::sync::Arc;
use std::time::Duration;

use model::{ContainerStatus, TaskId, TaskState, TaskStatus, Timestamp};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::backoff;
use crate::runtime::{Error, Exit, Order, Runtime, Started};
use crate::step::{Step, next_step};

/// How long a container in the making is waited for once it is not wanted any more. Making one takes
/// a moment; what takes longer is an image on its way, and that can be left.
const GIVE_UP_AFTER: Duration = if cfg!(test) { Duration::from_millis(50) } else { Duration::from_secs(5) };
/// How often a container's removal is tried: for about a quarter of a minute.
const REMOVALS_MAX: u32 = 8;
/// How much of an error's text is reported; it is kept in the cluster's state.
const ERR_CHARS_MAX: usize = 2000;

/// What a runner tells the agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    pub task: TaskId,
    pub status: TaskStatus,
}

/// Takes one task through its life. It ends when its order is withdrawn.
pub(crate) struct Runner {
    pub runtime: Arc<dyn Runtime>,
    pub orders: watch::Receiver<Order>,
    pub status: TaskStatus,
    pub reports: mpsc::UnboundedSender<Report>,
    /// Bounds how many containers are made and started at a time on this node.
    pub permits: Arc<Semaphore>,
    pub clock: fn() -> Timestamp,
}

impl Runner {
    /// Runs until the order is withdrawn; then the container is removed.
    pub async fn run(mut self) {
        let task = self.orders.borrow().task.id;
        while self.orders.has_changed().is_ok() {
            let desired = self.orders.borrow_and_update().task.desired;
            match next_step(desired, self.status.state) {
                Step::Accept => self.report(TaskState::Accepted, "accepted", ""),
                Step::Prepare => self.prepare().await,
                Step::Start => self.start().await,
                Step::Watch => self.watch().await,
                Step::Stop => self.stop().await,
                Step::GiveUp => self.report(TaskState::Shutdown, "shutdown", ""),
                Step::Park | Step::Rest => {
                    let _withdrawn = self.orders.changed().await;
                }
            }
        }
        if self.status.state >= TaskState::Preparing && !self.status.state.is_terminal() {
            self.stop().await;
        }
        clear(&*self.runtime, task).await;
    }

    async fn prepare(&mut self) {
        let order = self.orders.borrow().clone();
        self.report(TaskState::Preparing, "preparing", "");
        let permit = tokio::select! {
            permit = self.permits.clone().acquire_owned() => permit,
            () = stop_wanted(&mut self.orders) => return,
        };
        let runtime = self.runtime.clone();
        let making = runtime.prepare(&order);
        tokio::pin!(making);
        let made = tokio::select! {
            made = &mut making => made,
            () = stop_wanted(&mut self.orders) => {
                // A container that is being made might appear after it was looked for.
                let _given_up = tokio::time::timeout(GIVE_UP_AFTER, making).await;
                return;
            }
        };
        drop(permit);
        match made {
            Ok(container_id) => {
                self.status.container =
                    Some(Box::new(ContainerStatus { container_id, pid: 0, exit_code: 0 }));
                self.report(TaskState::Ready, "prepared", "");
            }
            Err(error) => {
                self.release().await;
                self.report(TaskState::Rejected, "preparing", &error.message);
            }
        }
    }

    async fn start(&mut self) {
        let task = self.orders.borrow().task.id;
        self.report(TaskState::Starting, "starting", "");
        let started = {
            let _permit = self.permits.acquire().await;
            self.runtime.start(task).await
        };
        match started {
            Ok(Started { pid, ports }) => {
                if let Some(container) = &mut self.status.container {
                    container.pid = pid;
                }
                self.status.ports = ports;
                self.become_ready(task).await;
            }
            Err(error) => self.failed_to_start(&error).await,
        }
    }

    /// Waits until a started container can do its work, or is not wanted any more.
    async fn become_ready(&mut self, task: TaskId) {
        let runtime = self.runtime.clone();
        let ready = tokio::select! {
            ready = runtime.until_ready(task) => ready,
            () = stop_wanted(&mut self.orders) => return,
        };
        match ready {
            Ok(()) => self.report(TaskState::Running, "started", ""),
            Err(error) => {
                let order = self.orders.borrow().clone();
                let _gone_either_way = self.runtime.stop(&order).await;
                self.failed_to_start(&error).await;
            }
        }
    }

    async fn failed_to_start(&mut self, error: &Error) {
        self.release().await;
        self.report(TaskState::Failed, "starting", &error.message);
    }

    async fn watch(&mut self) {
        let task = self.orders.borrow().task.id;
        let runtime = self.runtime.clone();
        tokio::select! {
            exit = runtime.wait(task) => {
                if exit.is_err() {
                    // Nobody knows whether it still runs, and what counts as failed must not.
                    let order = self.orders.borrow().clone();
                    let _gone_either_way = self.runtime.stop(&order).await;
                }
                self.release().await;
                self.ended(exit);
            }
            _changed = self.orders.changed() => {}
        }
    }

    async fn stop(&mut self) {
        let order = self.orders.borrow().clone();
        let stopped = self.runtime.stop(&order).await;
        self.release().await;
        match stopped {
            Ok(exit) => {
                if let Some(container) = &mut self.status.container {
                    container.pid = 0;
                    container.exit_code = exit.code;
                }
                self.report(TaskState::Shutdown, "shutdown", "");
            }
            Err(error) => self.report(TaskState::Failed, "shutdown", &error.message),
        }
    }

    fn ended(&mut self, exit: Result<Exit, Error>) {
        if let (Ok(exit), Some(container)) = (&exit, &mut self.status.container) {
            container.pid = 0;
            container.exit_code = exit.code;
        }
        match exit {
            Ok(Exit { code: 0, .. }) => self.report(TaskState::Complete, "finished", ""),
            Ok(Exit { code, out_of_memory: false }) => {
                self.report(TaskState::Failed, "started", &format!("task: non-zero exit ({code})"));
            }
            Ok(Exit { code, out_of_memory: true }) => self.report(
                TaskState::Failed,
                "started",
                &format!("task: non-zero exit ({code}): it used more memory than its limit"),
            ),
            Err(error) => self.report(TaskState::Failed, "started", &error.message),
        }
    }

    async fn release(&self) {
        let task = self.orders.borrow().task.id;
        self.runtime.release(task).await;
    }

    fn report(&mut self, state: TaskState, message: &str, err: &str) {
        self.status.state.advance_to(state);
        self.status.at = (self.clock)();
        message.clone_into(&mut self.status.message);
        self.status.err = err.chars().take(ERR_CHARS_MAX).collect();
        let task = self.orders.borrow().task.id;
        // The agent is gone only when the process ends.
        let _agent_gone = self.reports.send(Report { task, status: self.status.clone() });
    }
}

/// Removes what is left of a task. A mount or a volume may be busy for a moment, so that it is tried several times.
pub(crate) async fn clear(runtime: &dyn Runtime, task: TaskId) {
    runtime.release(task).await;
    for attempt in 1..=REMOVALS_MAX {
        match runtime.remove(task).await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(%task, %error, attempt, "cannot remove the container of a task that is gone")
            }
        }
        tokio::time::sleep(backoff::pause(attempt, rand::random())).await;
    }
    tracing::error!(%task, "the container of a task that is gone stays until the daemon starts again");
}

/// Returns when the order asks to stop, or is withdrawn.
async fn stop_wanted(orders: &mut watch::Receiver<Order>) {
    let stops = |order: &Order| order.task.desired.is_terminal() && order.task.desired != TaskState::Complete;
    let _withdrawn = orders.wait_for(stops).await;
}

#[cfg(test)]
mod tests;
