//! Serves one container: its datagrams and its connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::forward::{read_framed, write_framed};
use crate::message::{Incoming, Question, Transport, read};
use crate::server::{Clients, Served};

/// How many connections a container may have open; more wait to be taken.
const CONNECTIONS_MAX: usize = 32;
/// How long a connection may say nothing, or take nothing.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(10);
/// Longer than any question; what is cut off by it cannot be read.
const QUESTION_BYTES_MAX: usize = 4096;
/// How long to wait when a socket gives nothing but errors.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers datagrams until it is dropped.
pub(crate) async fn serve_udp(socket: UdpSocket, clients: Arc<Clients>, served: Arc<Served>) {
    let socket = Arc::new(socket);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            readable = socket.readable() => match readable.and_then(|()| receive(&socket)) {
                Ok((bytes, from)) => match read(&bytes, Transport::Udp) {
                    Incoming::Noise => {}
                    Incoming::Faulty(answer) => send(&socket, Some(answer), from).await,
                    Incoming::Question(question) => match clients.own_answer(&served, &question) {
                        Some(answer) => send(&socket, Some(answer), from).await,
                        None => {
                            let work = forward(clients.clone(), served.clone(), question, bytes);
                            let socket = socket.clone();
                            open.spawn(async move { send(&socket, work.await, from).await });
                        }
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // A client that went away before its answer came is told of in this way, too.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

/// Takes a datagram that is there; the room for it is on the stack, so that a thousand containers need none.
fn receive(socket: &UdpSocket) -> io::Result<(Vec<u8>, SocketAddr)> {
    let mut room = [0; QUESTION_BYTES_MAX];
    let (length, from) = socket.try_recv_from(&mut room)?;
    Ok((room[..length].to_vec(), from))
}

async fn send(socket: &UdpSocket, answer: Option<Vec<u8>>, to: SocketAddr) {
    if let Some(answer) = answer {
        // A client that is gone has no use for it.
        let _ = socket.send_to(&answer, to).await;
    }
}

/// Asks other servers, if there is room for one more question.
async fn forward(
    clients: Arc<Clients>,
    served: Arc<Served>,
    question: Box<Question>,
    bytes: Vec<u8>,
) -> Option<Vec<u8>> {
    match clients.ask_others(&served, &bytes).await {
        Some(answer) => question.relay(answer),
        None => question.failure(),
    }
}

/// Takes connections and answers what comes over them until it is dropped.
pub(crate) async fn serve_tcp(listener: TcpListener, clients: Arc<Clients>, served: Arc<Served>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, clients.clone(), served.clone()))),
                // Out of descriptors, or the client went; the next may fare better.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers the questions of a connection, one after the other, until it ends or says nothing.
async fn converse(mut stream: TcpStream, clients: Arc<Clients>, served: Arc<Served>) {
    let _ = stream.set_nodelay(true);
    while let Ok(Ok(bytes)) = timeout(CONNECTION_PATIENCE, read_framed(&mut stream)).await {
        let answer = match read(&bytes, Transport::Tcp) {
            Incoming::Noise => return,
            Incoming::Faulty(answer) => Some(answer),
            Incoming::Question(question) => match clients.own_answer(&served, &question) {
                Some(answer) => Some(answer),
                None => forward(clients.clone(), served.clone(), question, bytes).await,
            },
        };
        let Some(answer) = answer else { return };
        match timeout(CONNECTION_PATIENCE, write_framed(&mut stream, &answer)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
