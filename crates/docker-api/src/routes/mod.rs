//! The routes, one file per noun.

mod archive;
mod attach;
mod cluster_events;
mod container;
mod container_list;
mod container_logs;
mod events;
mod exec;
mod image;
mod image_list;
mod network;
mod network_found;
mod network_list;
mod network_use;
mod node;
mod service;
mod service_logs;
mod stats;
mod swarm;
mod system;
mod task;
mod unsupported;
mod volume;

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
        .merge(image_list::routes())
        .merge(image::routes())
        .merge(container_list::routes())
        .merge(container::routes())
        .merge(container_logs::routes())
        .merge(stats::routes())
        .merge(attach::routes())
        .merge(archive::routes())
        .merge(exec::routes())
        .merge(volume::routes())
        .merge(unsupported::routes())
        .fallback(unsupported::unknown)
        .method_not_allowed_fallback(unsupported::unknown)
        .with_state(app)
}

/// Claims that a path answers `HEAD`.
pub(crate) fn has_head(path: &str) -> bool {
    path == "/_ping" || (path.starts_with("/containers/") && path.ends_with("/archive"))
}

/// Says why a request is not answered.
pub(crate) fn refusal<B>(request: &http::Request<B>) -> ApiError {
    unsupported::refusal(request.method(), request.uri().path())
}
