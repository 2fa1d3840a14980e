//! Serves one client: picks a backend, tries another if that fails, and relays.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::backend::{Member, Use};
use crate::choose::{State, choose};
use crate::port::Visit;
use crate::relay::{End, Opening, relay};

/// Says how hard a connection is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    pub(crate) connect_last: Duration,
    pub(crate) attempts_max: usize,
    pub(crate) avoid_failed: Duration,
    pub(crate) repeat_bytes_max: usize,
}

/// Serves a client until it or its backend is done.
pub(crate) async fn serve(mut client: TcpStream, visit: Visit, patience: Patience) {
    let members = visit.port().members();
    let mut tried = Vec::new();
    let mut opening = Opening::new(patience.repeat_bytes_max);
    while let Some((counted, mut server)) = reach(&members, &mut tried, patience).await {
        match relay(&mut client, &mut server, opening, &counted).await {
            End::Closed => return,
            End::Broken => {
                reset(&server);
                reset(&client);
                return;
            }
            End::Unanswered(unanswered) => {
                counted.failed(patience.avoid_failed);
                opening = unanswered;
            }
        }
    }
    visit.refuse();
    reset(&client);
}

/// Connects to a backend that was not tried; while one is slow to accept, others are asked as well, and the first to
/// accept has the client.
async fn reach(
    members: &[Arc<Member>],
    tried: &mut Vec<usize>,
    patience: Patience,
) -> Option<(Use, TcpStream)> {
    let mut attempts = FuturesUnordered::new();
    loop {
        let next = if tried.len() < patience.attempts_max { pick(members, tried) } else { None };
        if let Some(index) = next {
            tried.push(index);
            attempts.push(attempt(members[index].begin(), patience));
        } else if attempts.is_empty() {
            return None;
        }
        tokio::select! {
            Some(reached) = attempts.next() => if reached.is_some() { return reached },
            () = tokio::time::sleep(patience.connect), if next.is_some() => {}
        }
    }
}

/// Connects to one backend, which others avoid as soon as it is slow.
async fn attempt(counted: Use, patience: Patience) -> Option<(Use, TcpStream)> {
    let connecting = connect(counted.backend().address);
    tokio::pin!(connecting);
    let mut connected = timeout(patience.connect, &mut connecting).await;
    let is_slow = connected.is_err();
    if is_slow {
        counted.failed(patience.avoid_failed);
        connected = timeout(patience.connect_last, connecting).await;
    }
    match connected {
        Ok(Ok(server)) => {
            counted.answered();
            Some((counted, server))
        }
        Ok(Err(_)) | Err(_) => {
            if !is_slow {
                counted.failed(patience.avoid_failed);
            }
            None
        }
    }
}

fn pick(members: &[Arc<Member>], tried: &[usize]) -> Option<usize> {
    let state = |index: usize| if tried.contains(&index) { State::Tried } else { members[index].state() };
    choose(members.len(), state, |below| rand::random_range(0..below))
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let server = TcpStream::connect(address).await?;
    server.set_nodelay(true)?;
    // A backend whose node died must not hold the connection for ever.
    SockRef::from(&server).set_keepalive(true)?;
    Ok(server)
}

/// Makes the coming close of a connection an abort: its peer sees an error, not a regular end.
fn reset(stream: &TcpStream) {
    // A connection that is gone already has no option to set.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
