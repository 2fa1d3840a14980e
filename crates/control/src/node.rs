//! Changing and removing nodes.

use model::{NodeId, NodeSpec, NodeState, TaskState, Version};
use store::{Change, Key, Object, View};

use crate::{Control, Error, error::Kind, find};

impl Control {
    /// Replaces a node's spec, based on the version that the user has seen.
    pub async fn update_node(&self, id: NodeId, version: Version, spec: NodeSpec) -> Result<(), Error> {
        let view = self.current().await?;
        let node = view.node(id).ok_or_else(|| Error::not_found("node", &id.to_string()))?;
        if node.meta.version != version {
            return Err(Error::new(Kind::OutOfSequence, "update out of sequence"));
        }
        if spec.role != node.spec.role {
            return Err(Error::new(
                Kind::Unimplemented,
                "changing a node's role is not supported: let the node leave, remove it, and join it with the token of the other role",
            ));
        }
        let mut next = (**node).clone();
        next.spec = spec;
        self.proposer.propose(vec![Change::Put(next.into())]).await?;
        Ok(())
    }

    /// Removes a node. Its tasks count as orphaned; its identity is refused from then on.
    pub async fn remove_node(&self, name: &str, force: bool) -> Result<(), Error> {
        let managers: Vec<String> =
            self.proposer.status().members.iter().map(|member| member.node_id.clone()).collect();
        let now = (self.clock)();
        self.proposer
            .update(|view| {
                let node = find::node(view, name)?;
                if managers.contains(&node.id.to_string()) {
                    return Err(Error::new(
                        Kind::FailedPrecondition,
                        format!(
                            "node {} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal",
                            node.id
                        ),
                    ));
                }
                if node.status.state == NodeState::Ready && !force {
                    return Err(Error::new(
                        Kind::FailedPrecondition,
                        format!("node {} is not down and can't be removed", node.id),
                    ));
                }
                let mut changes = orphaned(view, node.id, now);
                changes.push(Change::Delete(Key::Node(node.id), node.meta.version));
                Ok(changes)
            })
            .await
            .map(|_| ())
    }
}

fn orphaned(view: &View, node: NodeId, now: model::Timestamp) -> Vec<Change> {
    let live = view.tasks_on_node(node).filter(|task| !task.status.state.is_terminal());
    live.map(|task| {
        let mut task = (**task).clone();
        task.status.state.advance_to(TaskState::Orphaned);
        task.status.at = now;
        "Task belonged to a node that has been deleted".clone_into(&mut task.status.message);
        Change::Put(Object::from(task))
    })
    .collect()
}
