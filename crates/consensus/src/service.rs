//! What other managers may call here.

use std::sync::mpsc::TrySendError;

use protobuf::Message as _;
use raft::eraftpb::{Message, MessageType};
use tonic::{Code, Request, Response, Status, Streaming};
use wire::pb;
use wire::pb::raft_server::{self, RaftServer};

use crate::command::Command;
use crate::error::{MemberError, ProposeError};
use crate::handle::{LocalChange, Raft};
use crate::member::Peer;
use crate::outgoing::{MESSAGE_BYTES_MAX, REMOVED, deliver};

/// The gRPC face of a manager's consensus; it answers managers only.
pub struct Service<V: Clone + Send + Sync + 'static>(Raft<V>);

impl<V: Clone + Send + Sync + 'static> Raft<V> {
    /// Returns the gRPC service that the other managers talk to.
    pub fn service(&self) -> RaftServer<Service<V>> {
        RaftServer::new(Service(self.clone())).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }
}

impl<V: Clone + Send + Sync + 'static> Service<V> {
    /// Checks that a message comes from the manager it says it comes from, and parses it. Its size
    /// is bounded by the service, and its sender is a manager of this cluster.
    fn parse(&self, data: &[u8], node_id: &str) -> Result<Message, Status> {
        let mut message = Message::default();
        message
            .merge_from_bytes(data)
            .map_err(|error| Status::invalid_argument(format!("not a consensus message: {error}")))?;
        let status = self.0.status();
        let status = status.borrow();
        if message.to != status.raft_id {
            let what = format!("this is manager {:x}, not {:x}", status.raft_id, message.to);
            return Err(Status::invalid_argument(what));
        }
        let sender = status.members.iter().find(|member| member.raft_id == message.from);
        if sender.is_some_and(|sender| sender.node_id != node_id) {
            let what = format!("node {node_id} does not speak for manager {:x}", message.from);
            return Err(Status::permission_denied(what));
        }
        if sender.is_none() && self.0.is_removed(message.from) {
            let what = format!("manager {:x} was removed from the cluster", message.from);
            return Err(Status::with_details(Code::FailedPrecondition, what, REMOVED.into()));
        }
        Ok(message)
    }
}

#[tonic::async_trait]
impl<V: Clone + Send + Sync + 'static> raft_server::Raft for Service<V> {
    async fn step(
        &self,
        request: Request<Streaming<pb::RaftMessage>>,
    ) -> Result<Response<pb::RaftStepped>, Status> {
        let node_id = identity::require_manager(&request)?.node_id;
        let mut stream = request.into_inner();
        while let Some(pb::RaftMessage { data }) = stream.message().await? {
            let message = self.parse(&data, &node_id)?;
            if message.msg_type == MessageType::MsgSnapshot {
                return Err(Status::invalid_argument("a snapshot comes by its own call"));
            }
            match self.0.commands().try_send(Command::Step(message)) {
                // Dropped: raft sends again, and a queue that waits would only grow older.
                Ok(()) | Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => {
                    return Err(Status::unavailable("this manager stopped"));
                }
            }
        }
        Ok(Response::new(pb::RaftStepped {}))
    }

    async fn install(
        &self,
        request: Request<Streaming<pb::SnapshotChunk>>,
    ) -> Result<Response<pb::RaftStepped>, Status> {
        use pb::snapshot_chunk::Part;
        let node_id = identity::require_manager(&request)?.node_id;
        let mut stream = request.into_inner();
        let first = stream.message().await?.and_then(|chunk| chunk.part);
        let Some(Part::Message(head)) = first else {
            return Err(Status::invalid_argument("a snapshot starts with its message"));
        };
        let mut message = self.parse(&head, &node_id)?;
        if message.msg_type != MessageType::MsgSnapshot {
            return Err(Status::invalid_argument("the message is not that of a snapshot"));
        }
        let limit = self.0.config().snapshot_bytes_max;
        let mut data = message.get_snapshot().data.to_vec();
        while let Some(chunk) = stream.message().await? {
            let Some(Part::Data(part)) = chunk.part else {
                return Err(Status::invalid_argument("a snapshot goes on with data"));
            };
            if data.len() + part.len() > limit {
                return Err(Status::resource_exhausted(format!("a snapshot may have {limit} bytes at most")));
            }
            data.extend_from_slice(&part);
        }
        message.mut_snapshot().data = data.into();
        deliver(self.0.commands(), Command::Step(message)).await;
        Ok(Response::new(pb::RaftStepped {}))
    }

    async fn propose(
        &self,
        request: Request<pb::ProposeRequest>,
    ) -> Result<Response<pb::ProposeResponse>, Status> {
        identity::require_manager(&request)?;
        let entry = request.into_inner().entry.to_vec();
        let response = match self.0.propose_local(entry).await {
            Ok(applied) => pb::ProposeResponse {
                refusal: pb::ProposeRefusal::None.into(),
                index: applied.index,
                outcome: applied.outcome.into(),
            },
            Err(error) => pb::ProposeResponse {
                refusal: refusal_of(&error).into(),
                index: 0,
                outcome: Default::default(),
            },
        };
        Ok(Response::new(response))
    }

    async fn add_member(
        &self,
        request: Request<pb::AddMemberRequest>,
    ) -> Result<Response<pb::MembershipResponse>, Status> {
        let node_id = identity::require_manager(&request)?.node_id;
        let member = request.into_inner().member.unwrap_or_default();
        let pb::Member { raft_id, node_id: named, address } = member;
        if named != node_id {
            let what = format!("node {node_id} cannot join as {named}");
            return Err(Status::permission_denied(what));
        }
        let done = self.0.add_here(raft_id, Peer { node_id, address }).await;
        Ok(Response::new(self.answer(done)))
    }

    async fn remove_member(
        &self,
        request: Request<pb::RemoveMemberRequest>,
    ) -> Result<Response<pb::MembershipResponse>, Status> {
        identity::require_manager(&request)?;
        let done = self.0.remove_here(request.into_inner().raft_id).await;
        Ok(Response::new(self.answer(done)))
    }
}

impl<V: Clone + Send + Sync + 'static> Service<V> {
    fn answer(&self, done: Result<(), LocalChange>) -> pb::MembershipResponse {
        let status = self.0.status();
        let status = status.borrow();
        let members = status.members.iter().map(to_pb).collect();
        let leader = status.leader.as_ref().map(to_pb);
        let answer = |not_leader, refused: String| pb::MembershipResponse {
            not_leader,
            leader: leader.clone(),
            refused,
            members,
        };
        match done {
            Ok(()) => answer(false, String::new()),
            Err(LocalChange::NotLeader) => answer(true, String::new()),
            Err(LocalChange::Failed(MemberError::Refused(reason))) => answer(false, reason),
            Err(LocalChange::Failed(error)) => answer(false, error.to_string()),
        }
    }
}

fn to_pb(member: &crate::Member) -> pb::Member {
    let crate::Member { raft_id, node_id, address, standing: _, reachable: _ } = member;
    pb::Member { raft_id: *raft_id, node_id: node_id.clone(), address: address.clone() }
}

fn refusal_of(error: &ProposeError) -> pb::ProposeRefusal {
    match error {
        ProposeError::NoLeader | ProposeError::NotLeader { .. } => pb::ProposeRefusal::NotLeader,
        ProposeError::TooLarge { .. } | ProposeError::Empty => pb::ProposeRefusal::TooLarge,
        ProposeError::Unknown => pb::ProposeRefusal::Unknown,
        ProposeError::Busy => pb::ProposeRefusal::Busy,
        ProposeError::DiskFull => pb::ProposeRefusal::DiskFull,
        ProposeError::Stopped { .. } => pb::ProposeRefusal::Stopped,
    }
}
