//! Requests that only the leader can serve, from wherever they are made.

use tokio::time::{Instant, timeout_at};
use tonic::Status as Failed;
use wire::pb;

use crate::error::{MemberError, ProposeError};
use crate::handle::{LocalChange, Raft};
use crate::member::Member;
use crate::replica::Applied;

/// What one attempt came to.
enum Attempt<T, E> {
    Done(Result<T, E>),
    /// It did nothing there; another manager may be asked.
    Elsewhere,
}

/// Proposes an entry and waits until this manager has applied it.
pub(crate) async fn propose<V>(raft: &Raft<V>, entry: Vec<u8>) -> Result<Applied, ProposeError>
where
    V: Clone + Send + Sync + 'static,
{
    raft.check(&entry)?;
    let deadline = Instant::now() + raft.config().propose_timeout;
    loop {
        let leader = wait_for_leader(raft, deadline).await.map_err(|missing| match missing {
            Missing::Leader => ProposeError::NoLeader,
            Missing::Stopped => ProposeError::Stopped { reason: raft.stop_reason() },
        })?;
        let attempt = if leader.raft_id == raft.config().raft_id {
            propose_here(raft, entry.clone()).await
        } else {
            propose_there(raft, &leader, entry.clone(), deadline).await
        };
        match attempt {
            Attempt::Done(result) => return result,
            Attempt::Elsewhere => pause(raft).await,
        }
        if Instant::now() >= deadline {
            return Err(ProposeError::Busy);
        }
    }
}

async fn propose_here<V>(raft: &Raft<V>, entry: Vec<u8>) -> Attempt<Applied, ProposeError>
where
    V: Clone + Send + Sync + 'static,
{
    match raft.propose_local(entry).await {
        Err(ProposeError::NotLeader { .. } | ProposeError::Busy) => Attempt::Elsewhere,
        done => Attempt::Done(done),
    }
}

async fn propose_there<V>(
    raft: &Raft<V>,
    leader: &Member,
    entry: Vec<u8>,
    deadline: Instant,
) -> Attempt<Applied, ProposeError>
where
    V: Clone + Send + Sync + 'static,
{
    let mut client = raft.client(&leader.address);
    let size = entry.len();
    let response =
        match timeout_at(deadline, client.propose(pb::ProposeRequest { entry: entry.into() })).await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) if never_arrived(&status) => return Attempt::Elsewhere,
            Ok(Err(status)) => {
                tracing::debug!(%status, "a forwarded change got no answer");
                return Attempt::Done(Err(ProposeError::Unknown));
            }
            Err(_) => return Attempt::Done(Err(ProposeError::Unknown)),
        };
    match response.refusal() {
        pb::ProposeRefusal::None => {}
        pb::ProposeRefusal::NotLeader | pb::ProposeRefusal::Busy | pb::ProposeRefusal::Stopped => {
            return Attempt::Elsewhere;
        }
        pb::ProposeRefusal::DiskFull => return Attempt::Done(Err(ProposeError::DiskFull)),
        pb::ProposeRefusal::Unknown => return Attempt::Done(Err(ProposeError::Unknown)),
        pb::ProposeRefusal::TooLarge => {
            let limit = raft.config().entry_bytes_max;
            return Attempt::Done(Err(ProposeError::TooLarge { size, limit }));
        }
    }
    let applied = Applied { index: response.index, outcome: response.outcome.to_vec() };
    let mut status = raft.status();
    let here = status.wait_for(|status| status.applied >= applied.index || status.stopped.is_some());
    match timeout_at(deadline, here).await {
        Ok(Ok(status)) if status.applied >= applied.index => Attempt::Done(Ok(applied)),
        Ok(_) | Err(_) => Attempt::Done(Err(ProposeError::Unknown)),
    }
}

/// Returns whether a call failed before anything of it could reach the other side.
fn never_arrived(status: &Failed) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// Removes a member, wherever the leader is.
pub(crate) async fn remove_member<V>(raft: &Raft<V>, raft_id: u64) -> Result<(), MemberError>
where
    V: Clone + Send + Sync + 'static,
{
    let deadline = Instant::now() + raft.config().propose_timeout;
    loop {
        let leader = wait_for_leader(raft, deadline).await.map_err(|missing| match missing {
            Missing::Leader => MemberError::NoLeader,
            Missing::Stopped => MemberError::Stopped { reason: raft.stop_reason() },
        })?;
        let attempt = if leader.raft_id == raft.config().raft_id {
            remove_here(raft, raft_id).await
        } else {
            remove_there(raft, &leader, raft_id, deadline).await
        };
        match attempt {
            Attempt::Done(result) => return result,
            Attempt::Elsewhere => pause(raft).await,
        }
        if Instant::now() >= deadline {
            return Err(MemberError::Unknown);
        }
    }
}

async fn remove_here<V>(raft: &Raft<V>, raft_id: u64) -> Attempt<(), MemberError>
where
    V: Clone + Send + Sync + 'static,
{
    match raft.remove_here(raft_id).await {
        Ok(()) => Attempt::Done(Ok(())),
        Err(LocalChange::NotLeader) => Attempt::Elsewhere,
        Err(LocalChange::Failed(error)) => Attempt::Done(Err(error)),
    }
}

async fn remove_there<V>(
    raft: &Raft<V>,
    leader: &Member,
    raft_id: u64,
    deadline: Instant,
) -> Attempt<(), MemberError>
where
    V: Clone + Send + Sync + 'static,
{
    let mut client = raft.client(&leader.address);
    match timeout_at(deadline, client.remove_member(pb::RemoveMemberRequest { raft_id })).await {
        Ok(Ok(response)) => {
            let response = response.into_inner();
            match (response.not_leader, response.refused) {
                (true, _) => Attempt::Elsewhere,
                (false, refused) if refused.is_empty() => Attempt::Done(Ok(())),
                (false, refused) => Attempt::Done(Err(MemberError::Refused(refused))),
            }
        }
        Ok(Err(status)) if never_arrived(&status) => Attempt::Elsewhere,
        Ok(Err(_)) | Err(_) => Attempt::Done(Err(MemberError::Unknown)),
    }
}

/// Returns the request by which a manager names itself to the leader.
pub(crate) fn add_request(config: &crate::Config) -> pb::AddMemberRequest {
    let member = pb::Member {
        raft_id: config.raft_id,
        node_id: config.node_id.clone(),
        address: config.address.clone(),
    };
    pb::AddMemberRequest { member: Some(member) }
}

enum Missing {
    Leader,
    Stopped,
}

async fn wait_for_leader<V>(raft: &Raft<V>, deadline: Instant) -> Result<Member, Missing>
where
    V: Clone + Send + Sync + 'static,
{
    let deadline = deadline.min(Instant::now() + raft.config().leader_timeout);
    let mut status = raft.status();
    let found = status.wait_for(|status| status.leader.is_some() || status.stopped.is_some());
    match timeout_at(deadline, found).await {
        Ok(Ok(status)) if status.stopped.is_some() => Err(Missing::Stopped),
        Ok(Ok(status)) => status.leader.clone().ok_or(Missing::Leader),
        Ok(Err(_)) => Err(Missing::Stopped),
        Err(_) => Err(Missing::Leader),
    }
}

/// The view of who leads lags behind by a message or two.
async fn pause<V>(raft: &Raft<V>)
where
    V: Clone + Send + Sync + 'static,
{
    tokio::time::sleep(raft.config().tick / 4).await;
}
