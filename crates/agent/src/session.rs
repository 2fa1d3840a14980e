//! Keeps one stream to some manager open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use identity::Tls;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use wire::pb;
use wire::pb::dispatcher_client::DispatcherClient;

use crate::backoff;
use crate::link::Clients;
use crate::runtime::Runtime;

/// How many messages wait to be sent; a session that cannot take them is as good as lost.
const OUTBOX_LENGTH: usize = 256;
/// How long a manager may take to answer the opening of a session.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// A session that ends sooner counts as a failure, so that one that breaks at once is not opened again and again.
const USEFUL: Duration = Duration::from_secs(5);
/// Largest message from a manager: a complete set with 100,000 endpoints of about 100 bytes, doubled.
const MESSAGE_BYTES_MAX: usize = 32 << 20;

/// What happens to the session.
pub(crate) enum Event {
    /// A session is open; messages may be sent into it.
    Opened {
        outbox: mpsc::Sender<pb::AgentMessage>,
        clients: Box<Clients>,
        /// The session ends when this is dropped.
        held: oneshot::Sender<()>,
    },
    /// The manager said something.
    Message(pb::manager_message::Kind),
    /// The session is over; another will be opened.
    Closed,
}

/// What is needed to open sessions.
pub(crate) struct Sessions {
    pub tls: Tls,
    pub runtime: Arc<dyn Runtime>,
    /// The address at which other nodes reach this node's containers.
    pub address: String,
    /// Addresses of managers, the preferred one first.
    pub managers: watch::Receiver<Vec<String>>,
    pub events: mpsc::Sender<Event>,
}

impl Sessions {
    /// Opens one session after the other, each with the next manager, until the agent is gone.
    pub async fn keep(self) {
        let mut failures = 0u32;
        let mut turn = 0usize;
        while !self.events.is_closed() {
            let managers = self.managers.borrow().clone();
            let Some(address) = managers.get(turn % managers.len().max(1)) else {
                tokio::time::sleep(backoff::pause(1, rand::random())).await;
                continue;
            };
            let began = Instant::now();
            let ended = self.session(address).await;
            if let Err(error) = &ended {
                tracing::info!(manager = %address, %error, "no session with this manager; trying the next");
            }
            // Whatever ended it, another manager may do better.
            turn += 1;
            let was_useful = ended.is_ok() && began.elapsed() >= USEFUL;
            failures = if was_useful { 0 } else { failures + 1 };
            if self.events.send(Event::Closed).await.is_err() {
                return;
            }
            // A round over all managers is tried at once; then the pause grows.
            let rounds = failures / managers.len().max(1) as u32;
            if failures == 0 || rounds > 0 {
                tokio::time::sleep(backoff::pause(rounds, rand::random())).await;
            }
        }
    }

    /// Opens a session and returns when it is over; an error if it never was open.
    async fn session(&self, address: &str) -> Result<(), tonic::Status> {
        let channel = identity::channel(address, &self.tls);
        let mut client = DispatcherClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let (outbox, outgoing) = mpsc::channel(OUTBOX_LENGTH);
        let hello = pb::Hello {
            description: Some((&self.runtime.description()).into()),
            address: self.address.clone(),
        };
        let sent = outbox.try_send(message(pb::agent_message::Kind::Hello(hello)));
        debug_assert!(sent.is_ok(), "a fresh outbox takes its first message");
        let opened = tokio::time::timeout(OPEN_TIMEOUT, async {
            let mut incoming = client.session(ReceiverStream::new(outgoing)).await?.into_inner();
            let first = incoming.message().await?;
            Ok::<_, tonic::Status>((incoming, first))
        });
        let (mut incoming, first) = opened
            .await
            .map_err(|_| tonic::Status::deadline_exceeded("the manager did not answer in time"))??;
        let Some(pb::manager_message::Kind::Welcome(welcome)) = first.and_then(|first| first.kind) else {
            return Err(tonic::Status::internal("the manager did not welcome this node"));
        };
        tracing::info!(manager = %address, "session opened");
        let (held, mut dropped) = oneshot::channel();
        // It connects when it is first used.
        let bulk = DispatcherClient::new(identity::channel(address, &self.tls));
        let clients = Box::new(Clients { client, bulk });
        if self.events.send(Event::Opened { outbox: outbox.clone(), clients, held }).await.is_err() {
            return Ok(());
        }
        let mut beat = beat_of(&welcome);
        loop {
            tokio::select! {
                received = incoming.message() => match received {
                    Ok(Some(pb::ManagerMessage { kind: Some(pb::manager_message::Kind::Welcome(again)) })) => {
                        beat = beat_of(&again);
                    }
                    Ok(Some(pb::ManagerMessage { kind: Some(kind) })) => {
                        if self.events.send(Event::Message(kind)).await.is_err() {
                            return Ok(());
                        }
                    }
                    Ok(Some(pb::ManagerMessage { kind: None })) => {}
                    Ok(None) => return Ok(()),
                    Err(status) => {
                        tracing::info!(manager = %address, %status, "session lost");
                        return Ok(());
                    }
                },
                _ = &mut dropped => return Ok(()),
                _ = beat.tick() => {
                    let beat = message(pb::agent_message::Kind::Heartbeat(pb::Heartbeat {}));
                    // In a full outbox are messages that say as well that the node is there.
                    if let Err(mpsc::error::TrySendError::Closed(_)) = outbox.try_send(beat) {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Returns the beat that a manager asks for; the first one is due at once.
fn beat_of(welcome: &pb::Welcome) -> tokio::time::Interval {
    tokio::time::interval(Duration::from_millis(welcome.heartbeat_period_ms.max(10)))
}

/// Wraps one kind of message.
pub(crate) fn message(kind: pb::agent_message::Kind) -> pb::AgentMessage {
    pb::AgentMessage { kind: Some(kind) }
}
