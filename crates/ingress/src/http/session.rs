//! One client of a port that carries HTTP, request after request.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use tokio::net::TcpStream;

use super::answer::{Problem, Then, close, tell};
use super::client::{Client, Next};
use super::exchange::{After, exchange};
use super::multiplexed;
use crate::clock::Alarm;
use crate::manners::Manners;
use crate::port::Port;
use crate::reach::reset;

/// Is a client's connection, and how long it has for what it does.
///
/// Thousands of them wait at a time, so that whatever is needed for a request alone is in a box.
pub(crate) struct Session {
    client: Client,
    alarm: Alarm,
}

impl Session {
    pub(crate) fn new(stream: TcpStream, address: SocketAddr, manners: &Manners) -> Session {
        // One that connects to say nothing is as slow as one that says it slowly.
        Session { client: Client::new(stream, address), alarm: Alarm::idle(manners.limits.head) }
    }

    /// Serves the client until its connection ends.
    pub(crate) async fn serve(&mut self, port: &Arc<Port>, manners: &Arc<Manners>) {
        loop {
            let next = self.next(manners).await;
            let after = match next {
                Some(Next::Request(request, head)) => {
                    let Session { client, alarm } = self;
                    Box::pin(exchange(client, request, head, port, manners, alarm)).await
                }
                Some(Next::Http2) => {
                    Box::pin(multiplexed::serve(&mut self.client, port, manners)).await;
                    After::Close
                }
                Some(Next::Nothing) => After::Close,
                Some(Next::Bad(refusal)) => self.refuse(Problem::Refused(refusal)).await,
                None if self.client.inbox.rest.is_empty() => After::Close,
                None => self.refuse(Problem::SlowRequest).await,
            };
            match after {
                After::Stay => self.alarm.set_idle(manners.limits.idle),
                After::Close => return,
                After::Linger => return Box::pin(close(&mut self.client.stream)).await,
                After::Reset => return reset(&self.client.stream),
            }
        }
    }

    /// Waits for what the client wants; `None` if it takes too long, or others need the room: a slow head is among
    /// the first to go.
    async fn next(&mut self, manners: &Manners) -> Option<Next> {
        let Session { client, alarm } = self;
        if let Some(next) = client.next_held() {
            return Some(next);
        }
        if !client.inbox.rest.is_empty() {
            alarm.set_idle(manners.limits.head);
        }
        poll_fn(|context| {
            if let Poll::Ready(next) = client.poll_next(context, || alarm.set_idle(manners.limits.head)) {
                return Poll::Ready(Some(next));
            }
            alarm.poll(context).map(|()| None)
        })
        .await
    }

    async fn refuse(&mut self, problem: Problem) -> After {
        Box::pin(tell(&mut self.client.stream, problem, false, Then::Close)).await;
        After::Linger
    }
}
