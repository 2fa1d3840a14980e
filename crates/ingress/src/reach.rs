//! Connects to a backend of a port, and to another if that fails or takes long.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nix::errno::Errno;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::backend::Use;
use crate::choose::Tried;
use crate::port::Port;

/// Says how hard a connection is tried.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    pub(crate) connect_last: Duration,
    pub(crate) attempts_max: usize,
    pub(crate) avoid_failed: Duration,
    pub(crate) repeat_bytes_max: usize,
}

/// Says why no backend was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreached {
    /// There is none that was not tried before.
    NoneLeft,
    /// All refused.
    Refused,
    /// At least one gave no answer in time.
    Silent,
}

/// Connects to `first`, or else to a backend that was not tried; while one is slow to accept, others are asked as well, and the first to
/// accept has the client.
pub(crate) async fn reach(
    port: &Port,
    mut first: Option<Use>,
    tried: &mut Tried,
    patience: &Patience,
) -> Result<(Use, TcpStream), Unreached> {
    let mut attempts = FuturesUnordered::new();
    let mut outcome = Unreached::NoneLeft;
    loop {
        let further = || if tried.count() < patience.attempts_max { port.pick(tried) } else { None };
        let next = first.take().or_else(further);
        let is_next = next.is_some();
        if let Some(counted) = next {
            attempts.push(attempt(counted, patience));
        } else if attempts.is_empty() {
            return Err(outcome);
        }
        tokio::select! {
            Some(reached) = attempts.next() => match reached {
                Ok(reached) => return Ok(reached),
                Err(Unreached::Silent) => outcome = Unreached::Silent,
                Err(Unreached::Refused | Unreached::NoneLeft) => {
                    if outcome != Unreached::Silent {
                        outcome = Unreached::Refused;
                    }
                }
            },
            () = tokio::time::sleep(patience.connect), if is_next => {}
        }
    }
}

/// Connects to one backend, which others avoid as soon as it is slow.
async fn attempt(counted: Use, patience: &Patience) -> Result<(Use, TcpStream), Unreached> {
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
            Ok((counted, server))
        }
        Ok(Err(error)) => {
            if !is_slow && !is_own_fault(&error) {
                counted.failed(patience.avoid_failed);
            }
            Err(Unreached::Refused)
        }
        Err(_) => Err(Unreached::Silent),
    }
}

/// Connects to a backend.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let server = TcpStream::connect(address).await?;
    server.set_nodelay(true)?;
    // A backend whose node died must not hold the connection for ever.
    SockRef::from(&server).set_keepalive(true)?;
    Ok(server)
}

/// Tells whether this host lacks what a connection needs, which says nothing of the backend.
fn is_own_fault(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(
        number,
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM | Errno::EADDRNOTAVAIL)
    )
}

/// Makes the coming close of a connection an abort: its peer sees an error, not a regular end.
pub(crate) fn reset(stream: &TcpStream) {
    // A connection that is gone already has no option to set.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
