//! Serves one client: picks a backend, tries another if that fails, and relays.

use std::io;
use std::time::Duration;

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
    while tried.len() < patience.attempts_max {
        let Some(index) = pick(&members, &tried) else { break };
        tried.push(index);
        let counted = members[index].begin();
        let is_last = tried.len() == patience.attempts_max.min(members.len());
        let limit = if is_last { patience.connect_last } else { patience.connect };
        let Ok(mut server) = connect(&counted, limit).await else {
            counted.failed(patience.avoid_failed);
            continue;
        };
        counted.answered();
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

fn pick(members: &[std::sync::Arc<Member>], tried: &[usize]) -> Option<usize> {
    let state = |index: usize| if tried.contains(&index) { State::Tried } else { members[index].state() };
    choose(members.len(), state, |below| rand::random_range(0..below))
}

async fn connect(counted: &Use, patience: Duration) -> io::Result<TcpStream> {
    let server = timeout(patience, TcpStream::connect(counted.backend().address)).await??;
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
