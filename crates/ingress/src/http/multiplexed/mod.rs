//! Clients that speak HTTP/2: many requests at once on one connection, each to a backend of its own.
//!
//! What speaks HTTP/2 here is hyper; backends are spoken to in HTTP/2 if they understand it, so that gRPC works, and
//! in HTTP/1.1 if they do not.

mod count;
mod fields;
mod forward;
mod rewound;
mod senders;

pub(super) use senders::{clear, trim};

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::timeout;

use super::client::Client;
use crate::manners::Manners;
use crate::port::Port;
use count::Count;
use rewound::Rewound;

/// How many requests a client may have going on one connection.
const STREAMS_MAX: u32 = 256;
/// As much as with HTTP/1.
const FIELDS_BYTES_MAX: u32 = 32 * 1024;
/// How often a client that says nothing is asked whether it is there, and how long it has to say so.
const PING: Duration = Duration::from_secs(60);
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// What a client may send before it hears that there is room for more, per request and in all.
const WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// Serves a client whose first bytes were those of HTTP/2, until its connection ends.
pub(super) async fn serve(client: &mut Client, port: &Arc<Port>, manners: &Arc<Manners>) {
    let caller = client.inbox.caller;
    let count = Count::default();
    let io = TokioIo::new(Rewound::new(std::mem::take(&mut client.inbox.rest), &mut client.stream));
    let service =
        service_fn(|request| forward::forward(request, caller, port.clone(), manners.clone(), count.begin()));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(FIELDS_BYTES_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING_PATIENCE)
        .auto_date_header(false)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    // How it ends is for the client to know.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = count.idle(manners.limits.idle) => {
            connection.as_mut().graceful_shutdown();
            // One that never said more than its first bytes does not answer to that either.
            let _ = timeout(manners.limits.head, connection).await;
        }
        () = manners.closing() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
