//! Takes one task through its life, one step at a time.

use std::sync::Arc;

use model::{ContainerStatus, TaskId, TaskState, TaskStatus, Timestamp};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::runtime::{Error, Exit, Order, Runtime, Started};
use crate::step::{Step, next_step};

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
        self.runtime.release(task).await;
        if let Err(error) = self.runtime.remove(task).await {
            tracing::warn!(%task, %error, "cannot remove the container of a task that is gone");
        }
    }

    async fn prepare(&mut self) {
        let order = self.orders.borrow().clone();
        self.report(TaskState::Preparing, "preparing", "");
        let runtime = self.runtime.clone();
        let permits = self.permits.clone();
        let prepared = tokio::select! {
            prepared = async {
                let _permit = permits.acquire().await;
                runtime.prepare(&order).await
            } => prepared,
            () = stop_wanted(&mut self.orders) => return,
        };
        match prepared {
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
                self.report(TaskState::Running, "started", "");
            }
            Err(error) => {
                self.release().await;
                self.report(TaskState::Failed, "starting", &error.message);
            }
        }
    }

    async fn watch(&mut self) {
        let task = self.orders.borrow().task.id;
        let runtime = self.runtime.clone();
        tokio::select! {
            exit = runtime.wait(task) => {
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
        err.clone_into(&mut self.status.err);
        let task = self.orders.borrow().task.id;
        // The agent is gone only when the process ends.
        let _agent_gone = self.reports.send(Report { task, status: self.status.clone() });
    }
}

/// Returns when the order asks to stop, or is withdrawn.
async fn stop_wanted(orders: &mut watch::Receiver<Order>) {
    let stops = |order: &Order| order.task.desired.is_terminal() && order.task.desired != TaskState::Complete;
    let _withdrawn = orders.wait_for(stops).await;
}
