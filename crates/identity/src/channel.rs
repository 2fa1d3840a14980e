//! The connecting end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::tls::Tls;

/// Covers name resolution, the TCP connection and the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);
/// As on the accepting side.
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// Returns a channel to the manager at `address` (`HOST:PORT`), which connects on its first call.
///
/// It connects again when the connection was lost, each time with the identity current by then; a
/// manager that does not answer keep-alives is noticed within four seconds.
pub fn channel(address: &str, tls: &Tls) -> Channel {
    connect_with(address, tls.client_config())
}

/// Returns a channel that uses `config`.
pub(crate) fn connect_with(address: &str, config: Arc<ClientConfig>) -> Channel {
    let address: Arc<str> = address.into();
    let connector = tower::service_fn(move |_: Uri| {
        let (address, config) = (address.clone(), config.clone());
        async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, connect(&address, config)).await {
                Ok(Ok(stream)) => Ok(TokioIo::new(stream)),
                Ok(Err(error)) => Err(io::Error::new(error.kind(), format!("connect to {address}: {error}"))),
                Err(_) => Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("connect to {address}: no answer within {} s", CONNECT_TIMEOUT.as_secs()),
                )),
            }
        }
    });
    // The authority is only a label: the connector knows the address, which need not be a valid URI.
    Endpoint::from_static("http://manager.drover")
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .connect_with_connector_lazy(connector)
}

async fn connect(address: &str, config: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("manager.drover").expect("the name is a valid host name");
    TlsConnector::from(config).connect(name, stream).await
}
