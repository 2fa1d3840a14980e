//! How a manager gets itself added to a group.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use wire::pb;

use crate::config::Config;
use crate::error::StartError;
use crate::forward::add_request;
use crate::member::Peer;
use crate::outgoing::client;

/// How long one manager may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);

/// Asks the managers at `via`, and those they name, to add this one; returns who is in the group.
pub(crate) async fn join(
    config: &Config,
    via: &[String],
    tls: &identity::Tls,
) -> Result<BTreeMap<u64, Peer>, StartError> {
    let deadline = Instant::now() + config.join_timeout;
    let fail = |reason: String| StartError::Join { via: via.to_vec(), reason };
    let mut reason = "no address was given".to_owned();
    let mut queue: VecDeque<String> = via.iter().cloned().collect();
    while let Some(address) = queue.pop_front() {
        match ask(config, &address, tls).await {
            Answer::Added(peers) => return Ok(peers),
            Answer::Refused(refused) => return Err(fail(refused)),
            Answer::Ask(leader) => queue.push_front(leader),
            Answer::Later(why) => reason = format!("{address}: {why}"),
        }
        if Instant::now() >= deadline {
            break;
        }
        if queue.is_empty() {
            tokio::time::sleep(PAUSE).await;
            queue.extend(via.iter().cloned());
        }
    }
    Err(fail(reason))
}

enum Answer {
    Added(BTreeMap<u64, Peer>),
    Refused(String),
    Ask(String),
    Later(String),
}

async fn ask(config: &Config, address: &str, tls: &identity::Tls) -> Answer {
    let mut client = client(address, tls);
    let response = match timeout(CALL_TIMEOUT, client.add_member(add_request(config))).await {
        Ok(Ok(response)) => response.into_inner(),
        Ok(Err(status)) if is_final(&status) => return Answer::Refused(status.message().to_owned()),
        Ok(Err(status)) => return Answer::Later(cause(&status)),
        Err(_) => return Answer::Later("no answer".to_owned()),
    };
    let pb::MembershipResponse { not_leader, leader, refused, members } = response;
    if !refused.is_empty() {
        return Answer::Refused(refused);
    }
    if not_leader {
        return match leader.filter(|leader| leader.address != address) {
            Some(leader) => Answer::Ask(leader.address),
            None => Answer::Later("the managers have no leader".to_owned()),
        };
    }
    let peer = |member: pb::Member| {
        let pb::Member { raft_id, node_id, address } = member;
        (raft_id, Peer { node_id, address })
    };
    Answer::Added(members.into_iter().map(peer).collect())
}

fn is_final(status: &tonic::Status) -> bool {
    matches!(status.code(), tonic::Code::PermissionDenied | tonic::Code::InvalidArgument)
}

/// Returns the innermost reason of a failed call: the outer ones only say that it failed.
fn cause(status: &tonic::Status) -> String {
    let mut source = std::error::Error::source(status);
    let mut text = status.message().to_owned();
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    text
}
