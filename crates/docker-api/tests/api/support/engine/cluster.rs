//! A place in a cluster that is only said.

use async_trait::async_trait;
use docker_api::engine::{ContainerLogs, LogLine, Logs, LogsWanted, Output, Swarm};
use docker_api::{ApiError, LocalState, Membership, Status};
use engine_json as json;
use futures_util::{StreamExt, stream};
use identity::{JoinToken, RootCa};
use model::{NodeId, TaskId};
use tokio::sync::mpsc;

use super::FakeEngine;

#[async_trait]
impl Swarm for FakeEngine {
    fn membership(&self) -> Membership {
        self.inner.lock().unwrap().membership.clone()
    }

    async fn swarm_init(&self, request: json::InitRequest) -> Result<NodeId, ApiError> {
        self.note(format!("init {} {}", request.listen_addr, request.data_path_port));
        let mut inner = self.inner.lock().unwrap();
        let Some((node, control)) = inner.to_found.take() else {
            return Err(ApiError::new(Status::Unavailable, "This node is already part of a swarm."));
        };
        inner.membership.state = LocalState::Active;
        inner.membership.node = Some(node);
        inner.membership.control = Some(control);
        Ok(node)
    }

    async fn swarm_join(&self, request: json::JoinRequest) -> Result<(), ApiError> {
        self.note(format!("join {:?} {}", request.remote_addrs, request.join_token));
        drop(self.may_join.lock().await);
        self.inner.lock().unwrap().membership.state = LocalState::Active;
        Ok(())
    }

    async fn swarm_leave(&self, force: bool) -> Result<(), ApiError> {
        self.note(format!("leave {force}"));
        let mut inner = self.inner.lock().unwrap();
        if inner.membership.control.is_some() && !force {
            let why = "You are attempting to leave the swarm as a manager.";
            return Err(ApiError::new(Status::Unavailable, why));
        }
        inner.membership.state = LocalState::Inactive;
        inner.membership.control = None;
        Ok(())
    }

    fn new_join_token(&self, root_certificate_pem: &str) -> Result<String, ApiError> {
        let root = RootCa::from_pem(root_certificate_pem, None).unwrap();
        Ok(JoinToken::generate(&root).to_string())
    }
}

#[async_trait]
impl Logs for FakeEngine {
    fn task_logs(&self, tasks: Vec<TaskId>, wanted: LogsWanted) -> mpsc::Receiver<LogLine> {
        self.note(format!("logs of {} tasks, tail {:?}", tasks.len(), wanted.tail));
        let (sender, receiver) = mpsc::channel(64);
        let mut inner = self.inner.lock().unwrap();
        for line in &inner.lines {
            sender.try_send(line.clone()).unwrap();
        }
        if wanted.follow {
            inner.followed.push(sender);
        }
        receiver
    }

    async fn container_logs(&self, name: &str, wanted: ContainerLogs) -> Result<Output, ApiError> {
        let container = self.found_container(name)?;
        self.note(format!("logs {name} {wanted:?}"));
        let is_raw = container.config.tty;
        let bytes = if is_raw {
            b"raw\r\n".to_vec()
        } else {
            json::Frame { channel: json::Channel::Stdout, payload: b"line\n" }.encode()
        };
        Ok(Output { is_raw, bytes: stream::iter([bytes.into()]).boxed() })
    }
}
