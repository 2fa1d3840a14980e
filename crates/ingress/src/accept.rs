//! Accepts a port's connections on one worker, and begins to serve them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::crew::{Crew, Seat};
use crate::manners::Manners;
use crate::port::Port;
use crate::worker::Command;
use crate::{AppProtocol, clock, http, stream};

/// Is what a worker serves connections with.
#[derive(Clone)]
pub(crate) struct Bench {
    /// Its number in the crew.
    pub(crate) worker: usize,
    pub(crate) crew: Arc<Crew>,
    pub(crate) manners: Arc<Manners>,
    /// Every connection holds one, so that the sender knows when the last one ended.
    pub(crate) open: watch::Receiver<()>,
}

/// Is a connection that was accepted.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) port: Arc<Port>,
    pub(crate) seat: Seat,
}

/// Accepts until it is stopped, and then what the kernel holds already.
pub(crate) async fn accept(
    listener: TcpListener,
    port: Arc<Port>,
    bench: Bench,
    mut stop: oneshot::Receiver<()>,
) {
    /// Out of descriptors or memory: a connection may end meanwhile; trying at once would only spin.
    const PAUSE: Duration = Duration::from_millis(20);
    let mut is_told = false;
    loop {
        // One waits here for room, and others in the kernel's queue.
        let next = async {
            let accepted = listener.accept().await?;
            find_room(&bench.crew).await;
            io::Result::Ok(accepted)
        };
        let accepted = tokio::select! {
            biased;
            _ = &mut stop => break,
            accepted = next => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                is_told = false;
                take(stream, address, &port, &bench);
            }
            // The client gave up before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !is_told {
                    tracing::warn!(port = port.key.0, %error, "connections have to wait before they are accepted");
                }
                is_told = true;
                clock::hurry_idle();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // The kernel would reset them, though their clients were let in.
    while let Ok(room) = bench.crew.room.try_acquire()
        && let Some(Ok((stream, address))) = listener.accept().now_or_never()
    {
        room.forget();
        take(stream, address, &port, &bench);
    }
}

/// Waits for room, while this worker lets clients go that want nothing.
async fn find_room(crew: &Crew) {
    loop {
        let found = tokio::time::timeout(clock::TICK, crew.room.acquire());
        if let Ok(room) = crew.room.try_acquire() {
            return room.forget();
        }
        clock::hurry_idle();
        if let Ok(Ok(room)) = found.await {
            return room.forget();
        }
    }
}

/// Serves a connection here, or hands it over.
fn take(stream: TcpStream, address: SocketAddr, port: &Arc<Port>, bench: &Bench) {
    let seat = bench.crew.seat(bench.worker);
    if seat.is_with(bench.worker) {
        return begin(Accepted { stream, address, port: port.clone(), seat }, bench);
    }
    // One that cannot be taken out of this worker's hands is broken.
    let Ok(stream) = stream.into_std() else { return };
    let commands = seat.commands().clone();
    // A worker that ended closes what it is handed with it.
    let _ = commands.send(Command::Adopt { stream, address, port: port.clone(), seat });
}

/// Serves a client in a task of its own, which is as large as what the port carries needs.
pub(crate) fn begin(accepted: Accepted, bench: &Bench) {
    let Accepted { stream, address, port, seat } = accepted;
    let visit = port.visit();
    let (manners, held) = (bench.manners.clone(), (seat, bench.open.clone()));
    let carries = port.plan().carries;
    match carries {
        AppProtocol::Bytes | AppProtocol::Announced(_) => tokio::spawn(async move {
            let _held = &held;
            let _busy = manners.begin();
            stream::serve(stream, visit, carries, &manners.patience).await;
        }),
        AppProtocol::Http => {
            let mut session = http::Session::new(stream, address, &manners);
            tokio::spawn(async move {
                let _held = &held;
                session.serve(visit.port(), &manners).await;
            })
        }
    };
}
