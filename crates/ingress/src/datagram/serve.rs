//! Serves a UDP port on one worker.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quinn_udp::UdpSocketState;
use tokio::task::JoinHandle;

use super::flows::{Flows, Key};
use super::leg::{Leg, Unanswered};
use super::socket::{Datagrams, Received, abilities};
use crate::choose::Tried;
use crate::port::{Port, Visit};

/// How long an answer of a backend that was withdrawn is waited for.
const LINGER: Duration = Duration::from_secs(1);

/// Bounds the flows of a port on one worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How many there may be; the longest silent go for new ones.
    pub(crate) flows_max: usize,
    /// How long one is kept without a datagram.
    pub(crate) idle: Duration,
    /// How long a backend that refused is avoided.
    pub(crate) avoid_failed: Duration,
}

/// Is a port's state on one worker.
struct Served {
    port: Arc<Port>,
    socket: Datagrams,
    abilities: Arc<UdpSocketState>,
    bounds: Bounds,
    born: Instant,
    flows: Mutex<Flows<Flow>>,
}

/// Is a client's flow; dropped, it ends.
struct Flow {
    leg: Arc<Leg>,
    answers: JoinHandle<()>,
    _visit: Visit,
}

/// Ends all flows when the port closes.
struct Closing(Arc<Served>);

/// Serves until it is dropped.
pub(crate) async fn serve(socket: std::net::UdpSocket, port: Arc<Port>, bounds: Bounds) -> io::Result<()> {
    let mut changes = port.changes();
    let abilities = abilities()?;
    let socket = Datagrams::new(socket, abilities.clone())?;
    socket.tell_destinations()?;
    let flows = Mutex::new(Flows::new(bounds.flows_max));
    let served = Arc::new(Served { port, socket, abilities, bounds, born: Instant::now(), flows });
    let closing = Closing(served.clone());
    let mut sweep = tokio::time::interval((bounds.idle / 4).max(Duration::from_millis(10)));
    loop {
        tokio::select! {
            received = served.socket.receive(|received| served.carry(received)) => received?,
            changed = changes.changed() => match changed {
                Ok(()) => served.leave_withdrawn(),
                Err(_) => break,
            },
            _ = sweep.tick() => served.end_idle(),
        }
    }
    drop(closing);
    Ok(())
}

impl Served {
    /// Sends what a client sent to the backend of its flow, or to another if that refuses.
    fn carry(self: &Arc<Self>, received: Received<'_>) {
        let Received { from, to, bytes, stride } = received;
        let key = Key { client: from, local: to };
        let Some(leg) = self.leg(key) else { return self.port.refuse() };
        if let Err(error) = leg.send(self.now_ms(), bytes, stride)
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            // The refusal was of an earlier datagram; this one was not sent and is the one remembered.
            self.replace(key, &leg);
        }
    }

    /// Returns the way of a flow, which begins if there is none to a backend in the table.
    fn leg(self: &Arc<Self>, key: Key) -> Option<Arc<Leg>> {
        let found = self.flows().get(&key).map(|flow| flow.leg.clone());
        match found {
            Some(leg) if !leg.counted.member().is_withdrawn() => Some(leg),
            Some(_) | None => self.begin(key, Tried::default()),
        }
    }

    /// Begins a flow, or gives it another way.
    fn begin(self: &Arc<Self>, key: Key, mut tried: Tried) -> Option<Arc<Leg>> {
        let leg = loop {
            let counted = self.port.pick(&mut tried)?;
            match Leg::open(counted, tried, self.abilities.clone()) {
                Ok(leg) => break Arc::new(leg),
                Err(error) => {
                    tracing::debug!(port = self.port.key.0, %error, "a backend cannot be sent datagrams");
                }
            }
        };
        let answers = tokio::spawn(answer(self.clone(), key, leg.clone()));
        let flow = Flow { leg: leg.clone(), answers, _visit: self.port.visit() };
        let now_ms = self.now_ms();
        let age = |flow: &Flow| flow.leg.silent_ms(now_ms);
        let former = self.flows().insert(key, flow, age, |below| rand::random_range(0..below));
        // One that made room ends at once: whoever sends from many addresses shall not hold a socket for each.
        if let Some(former) = former.filter(|former| former.leg.counted.member().is_withdrawn()) {
            linger(former);
        }
        Some(leg)
    }

    /// Moves a flow from a backend that refused it to one that did not, with what was not answered.
    fn replace(self: &Arc<Self>, key: Key, refused: &Arc<Leg>) {
        refused.counted.failed(self.bounds.avoid_failed);
        let is_current = self.flows().get(&key).is_some_and(|flow| Arc::ptr_eq(&flow.leg, refused));
        if !is_current {
            return;
        }
        let Unanswered { datagram, tried } = refused.unanswered();
        drop(self.flows().remove(&key));
        match self.begin(key, tried) {
            // A refusal of this one is heard by its own reader.
            Some(leg) if !datagram.is_empty() => drop(leg.send(self.now_ms(), &datagram, datagram.len())),
            Some(_) => {}
            None => self.port.refuse(),
        }
    }

    fn leave_withdrawn(&self) {
        for (_, flow) in self.flows().take_if(|flow| flow.leg.counted.member().is_withdrawn()) {
            linger(flow);
        }
    }

    fn end_idle(&self) {
        let now_ms = self.now_ms();
        let idle_ms = self.bounds.idle.as_millis() as u64;
        drop(self.flows().take_if(|flow| flow.leg.silent_ms(now_ms) >= idle_ms));
    }

    fn now_ms(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }

    fn flows(&self) -> MutexGuard<'_, Flows<Flow>> {
        // Each step leaves the table whole.
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries the answers of a flow's backend to its client.
async fn answer(served: Arc<Served>, key: Key, leg: Arc<Leg>) {
    loop {
        let carry = |received: Received<'_>| {
            // A client that cannot be reached has nothing to be told.
            let _ = served.socket.send(key.client, key.local, received.bytes, received.stride);
        };
        match leg.receive(|| served.now_ms(), carry).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                // Ends this task too, at its next wait.
                served.replace(key, &leg);
            }
            Err(error) => {
                tracing::debug!(port = served.port.key.0, %error, "a flow ends");
                drop(served.flows().remove(&key));
                return;
            }
        }
    }
}

/// Ends a flow, after a moment if its backend still owes an answer.
fn linger(flow: Flow) {
    if flow.leg.unanswered().datagram.is_empty() {
        return;
    }
    tokio::spawn(async move {
        tokio::time::sleep(LINGER).await;
        drop(flow);
    });
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.answers.abort();
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        drop(self.0.flows().take_if(|_| true));
    }
}
