//! Leaving a cluster.

use docker_api::{ApiError, LocalState, Status};
use std::time::Duration;

use super::manager::{Manager, raft_id};
use super::{Active, Member, Shown, outside};

/// How long the others may take to let a manager go.
const REMOVAL_DEADLINE: Duration = Duration::from_secs(5);

impl Member {
    /// Takes this host out of its cluster: its tasks are stopped, and everything it knew is forgotten.
    pub async fn leave(&self, force: bool) -> Result<(), ApiError> {
        let mut active = self.active.lock().await;
        if active.is_none() && self.membership().state == LocalState::Inactive {
            return Err(ApiError::new(Status::Unavailable, "This node is not part of a swarm"));
        }
        if let Some(manager) = active.as_ref().and_then(|active| active.manager.as_ref()) {
            if !force {
                return Err(ApiError::new(Status::Unavailable, refusal(manager)));
            }
            if let Some(active) = &*active {
                self.say_goodbye(active, manager).await;
            }
        }
        if let Some(left) = active.take() {
            left.renewal.stop().await;
            left.worker.leave().await;
            if let Some(manager) = left.manager {
                manager.stop().await;
            }
        }
        self.show(Shown { membership: outside(LocalState::Inactive, ""), dispatcher: None });
        self.folder
            .remove()
            .map_err(|error| ApiError::internal(format!("remove {}: {error}", self.folder.path().display())))
    }

    /// Takes this manager out of the group, so that the others do not wait for its vote.
    async fn say_goodbye(&self, active: &Active, manager: &Manager) {
        if manager.managers.borrow().len() < 2 {
            return;
        }
        let removal = manager.raft().remove_member(raft_id(active.node));
        match tokio::time::timeout(REMOVAL_DEADLINE, removal).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the other managers still count this one"),
            Err(_) => tracing::warn!("the other managers did not answer in time and still count this one"),
        }
    }
}

/// Says what a manager that leaves takes with it.
fn refusal(manager: &Manager) -> String {
    let managers = manager.managers.borrow().len();
    let consequence = match managers {
        0 | 1 => "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message.".to_owned(),
        managers => {
            let (left, quorum) = (managers - 1, managers / 2 + 1);
            if left < quorum {
                format!("Removing this node leaves {left} managers out of {managers}. Without a Raft quorum your swarm will be inaccessible. The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message.")
            } else {
                format!("Removing this node leaves {left} managers; the swarm stays accessible. Use `--force` to suppress this message.")
            }
        }
    };
    format!(
        "You are attempting to leave the swarm on a node that is participating as a manager. {consequence}"
    )
}
