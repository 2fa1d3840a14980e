//! Serves one client of a port that carries bytes: picks a backend, tries another if that fails, and relays.

use tokio::net::TcpStream;

use super::announce::header;
use super::relay::{End, Held, Opening, relay};
use crate::AppProtocol;
use crate::choose::Tried;
use crate::port::Visit;
use crate::reach::{Patience, reach, reset};

/// Serves a client until it or its backend is done.
pub(crate) async fn serve(mut client: TcpStream, visit: Visit, carries: AppProtocol, patience: &Patience) {
    let Ok(header) = announcement(&client, carries) else { return };
    let mut tried = Tried::default();
    let mut opening = Opening::new(patience.repeat_bytes_max);
    // Boxed, as it needs much and only for a moment.
    while let Ok((counted, mut server)) = Box::pin(reach(visit.port(), None, &mut tried, patience)).await {
        let held = Held { forth: header.clone(), back: Vec::new() };
        match relay(&mut client, &mut server, held, opening, &counted).await {
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
    visit.port().refuse();
    reset(&client);
}

/// Returns what a backend is told before the client's first byte.
fn announcement(client: &TcpStream, carries: AppProtocol) -> std::io::Result<Vec<u8>> {
    match carries {
        AppProtocol::Announced(version) => Ok(header(version, client.peer_addr()?, client.local_addr()?)),
        AppProtocol::Bytes | AppProtocol::Http => Ok(Vec::new()),
    }
}
