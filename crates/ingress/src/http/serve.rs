//! Serves one client of a port that carries HTTP, request after request.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use tokio::net::TcpStream;

use super::alarm::Alarm;
use super::answer::{Problem, Then, close, tell};
use super::client::{Client, Next};
use super::exchange::exchange;
use super::multiplexed;
use crate::port::Visit;
use crate::worker::Manners;

/// Serves a client until its connection ends.
pub(crate) async fn serve(stream: TcpStream, address: SocketAddr, visit: Visit, manners: &Arc<Manners>) {
    let mut client = Client::new(stream, address);
    // One that connects to say nothing is as slow as one that says it slowly.
    let mut alarm = Alarm::after(manners.limits.head);
    loop {
        let problem = match next(&mut client, &mut alarm, manners).await {
            Some(Next::Request(request, head)) => {
                // Boxed, so that a connection that waits is small.
                let served = Box::pin(exchange(client, request, head, visit.port(), manners, &mut alarm));
                let Some(kept) = served.await else { return };
                client = kept;
                alarm.set_after(manners.limits.idle);
                continue;
            }
            Some(Next::Http2) => return Box::pin(multiplexed::serve(client, visit, manners)).await,
            Some(Next::Nothing) => return,
            None if client.inbox.rest.is_empty() => return,
            Some(Next::Bad(refusal)) => Problem::Refused(refusal),
            None => Problem::SlowRequest,
        };
        tell(&mut client.stream, problem, false, Then::Close).await;
        close(client.stream).await;
        return;
    }
}

/// Waits for what the client wants; `None` if it takes too long.
async fn next(client: &mut Client, alarm: &mut Alarm, manners: &Manners) -> Option<Next> {
    if let Some(next) = client.next_held() {
        return Some(next);
    }
    if !client.inbox.rest.is_empty() {
        alarm.set_after(manners.limits.head);
    }
    poll_fn(|context| {
        if let Poll::Ready(next) = client.poll_next(context, || alarm.set_after(manners.limits.head)) {
            return Poll::Ready(Some(next));
        }
        alarm.poll(context).map(|()| None)
    })
    .await
}
