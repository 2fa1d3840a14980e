//! The accepting end: TLS handshakes in tasks of their own, then gRPC.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use crate::peer::{Caller, Peer};
use crate::tls::Tls;

/// A client that says nothing holds one of the places for this long.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Further clients wait in the listener's backlog.
const HANDSHAKES_MAX: usize = 256;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);
/// Streams live as long as their nodes, so a shutdown cannot wait for the last one to end.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// HTTP/2's default of 64 KiB holds a snapshot back to one window per round trip.
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Running out of file descriptors makes `accept` fail at once, again and again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves gRPC over the node's TLS until `shutdown` resolves.
///
/// Every request carries a [`Caller`]. On shutdown the listener closes, calls may finish for two
/// seconds, and what is still open is cut.
pub async fn serve(
    listener: TcpListener,
    tls: Tls,
    routes: Routes,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let (connections, incoming) = mpsc::channel(64);
    let (cut, uncut) = watch::channel(false);
    let mut accepting = JoinSet::new();
    accepting.spawn(accept(listener, tls, connections, uncut));
    let (stop, stopping) = watch::channel(false);
    let serving = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .add_routes(routes)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), raised(stopping));
    tokio::pin!(serving);
    tokio::select! {
        result = &mut serving => return result,
        () = shutdown => {}
    }
    accepting.shutdown().await;
    stop.send_replace(true);
    if let Ok(result) = tokio::time::timeout(SHUTDOWN_GRACE, &mut serving).await {
        return result;
    }
    cut.send_replace(true);
    serving.await
}

async fn raised(mut flag: watch::Receiver<bool>) {
    // An error means that the sender is gone, which ends the wait as well.
    let _ = flag.wait_for(|raised| *raised).await;
}

async fn accept(
    listener: TcpListener,
    tls: Tls,
    connections: mpsc::Sender<io::Result<Connection>>,
    cut: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let mut handshakes = JoinSet::new();
    loop {
        while handshakes.try_join_next().is_some() {}
        let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let acceptor = TlsAcceptor::from(tls.server_config());
        let (connections, cut) = (connections.clone(), cut.clone());
        handshakes.spawn(async move {
            let _place = place;
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake(acceptor, stream, remote, cut)).await {
                Ok(Ok(connection)) => {
                    // The receiver is only gone when the server is.
                    let _ = connections.send(Ok(connection)).await;
                }
                Ok(Err(error)) => tracing::debug!(%remote, %error, "refuse a connection"),
                Err(_) => tracing::debug!(%remote, "drop a connection that did not finish its handshake"),
            }
        });
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    remote: SocketAddr,
    cut: watch::Receiver<bool>,
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let caller = Caller { remote: Some(remote), peer: certificate.and_then(Peer::of) };
    Ok(Connection { stream, caller, cut: Box::pin(raised(cut)) })
}

/// An accepted connection that ends when the server's shutdown has waited long enough.
struct Connection {
    stream: TlsStream<TcpStream>,
    caller: Caller,
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.cut.as_mut().poll(cx).is_ready() {
            // The finished future must not be polled again.
            this.cut = Box::pin(std::future::ready(()));
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
