//! The routes, one file per noun.

mod container;
mod events;
mod image;
mod network;
mod node;
mod service;
mod service_logs;
mod swarm;
mod system;
mod task;
mod unsupported;

use axum::Router;

use crate::error::ApiError;
use crate::request::App;

pub(crate) use system::swarm_header;

/// Returns all routes.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .merge(system::routes())
        .merge(events::routes())
        .merge(swarm::routes())
        .merge(node::routes())
        .merge(service::routes())
        .merge(service_logs::routes())
        .merge(task::routes())
        .merge(network::routes())
        .merge(image::routes())
        .merge(container::routes())
        .merge(unsupported::routes())
        .fallback(unsupported::unknown)
        .method_not_allowed_fallback(unsupported::unknown)
        .with_state(app)
}

/// Says why a request is not answered.
pub(crate) fn refusal<B>(request: &http::Request<B>) -> ApiError {
    unsupported::refusal(request.method(), request.uri().path())
}
