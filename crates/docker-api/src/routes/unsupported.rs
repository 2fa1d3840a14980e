//! What Docker's API has and Drover does not do: empty lists where clients look first, and a clear
//! no where they would act.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::{Method, Uri};
use serde::Serialize;

use crate::error::{ApiError, Status};
use crate::request::{Answer, App, Name, Query};
use crate::respond;

const ATTACH: &str = "attaching by a web socket is not supported: use POST /containers/NAME/attach";
const CHECKPOINTS: &str = "checkpoints are not supported";
const CLUSTER_VOLUMES: &str = "cluster volumes are not supported: a volume belongs to its host";
const SECRETS: &str = "secrets are not supported";
const CONFIGS: &str = "configs are not supported";
const PLUGINS: &str = "plugins are not supported";
const SEARCH: &str = "searching registries is not supported";
const BUILD: &str = "building images is not supported: load or pull an image";

/// Requests that are refused by name: method, path with `*` for one segment, reason.
const REFUSED: &[(Method, &str, &str)] = &[
    (Method::GET, "/containers/*/attach/ws", ATTACH),
    (Method::GET, "/containers/*/checkpoints", CHECKPOINTS),
    (Method::POST, "/containers/*/checkpoints", CHECKPOINTS),
    (Method::DELETE, "/containers/*/checkpoints/*", CHECKPOINTS),
    (Method::POST, "/commit", BUILD),
    (Method::POST, "/build", BUILD),
    (Method::POST, "/build/cancel", BUILD),
    (Method::POST, "/session", BUILD),
    (Method::POST, "/grpc", BUILD),
    (Method::GET, "/images/search", SEARCH),
    (Method::PUT, "/volumes/*", CLUSTER_VOLUMES),
    (Method::POST, "/secrets/create", SECRETS),
    (Method::POST, "/secrets/*/update", SECRETS),
    (Method::POST, "/configs/create", CONFIGS),
    (Method::POST, "/configs/*/update", CONFIGS),
    (Method::GET, "/plugins/*", PLUGINS),
    (Method::POST, "/plugins/*", PLUGINS),
    (Method::POST, "/plugins/*/*", PLUGINS),
    (Method::DELETE, "/plugins/*", PLUGINS),
];

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/plugins", get(async || respond::ok(&EMPTY)))
        // `docker inspect NAME` looks here too, and goes on only after a 404.
        .route("/plugins/{name}/json", get(no_plugin))
        // `docker system prune` stops at the first refusal; there is nothing of either to remove.
        .route("/build/prune", post(prune_build_cache))
        .route("/secrets", get(secrets))
        .route("/secrets/{id}", get(no_secret).delete(no_secret))
        .route("/configs", get(configs))
        .route("/configs/{id}", get(no_config).delete(no_config))
}

/// Answers what no route answers.
pub(super) async fn unknown(method: Method, uri: Uri) -> ApiError {
    refusal(&method, uri.path())
}

/// Says why a request is not answered: it is Docker's and not supported, or nobody knows it.
pub(super) fn refusal(method: &Method, path: &str) -> ApiError {
    match REFUSED.iter().find(|(of, pattern, _)| of == method && is_like(pattern, path)) {
        Some((_, _, why)) => ApiError::new(Status::NotImplemented, *why),
        None => ApiError::not_found("page not found"),
    }
}

fn is_like(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("*"), Some(segment)) if !segment.is_empty() => {}
            (Some(wanted), Some(segment)) if wanted == segment => {}
            (_, _) => return false,
        }
    }
}

const EMPTY: [(); 0] = [];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CachePruned {
    caches_deleted: Option<[String; 0]>,
    space_reclaimed: u64,
}

async fn prune_build_cache() -> Response {
    respond::ok(&CachePruned { caches_deleted: None, space_reclaimed: 0 })
}

async fn secrets(State(app): State<App>, query: Query) -> Answer {
    app.control()?;
    query.filters(&["id", "name", "names", "label"])?;
    Ok(respond::ok(&EMPTY))
}

async fn configs(State(app): State<App>, query: Query) -> Answer {
    app.control()?;
    query.filters(&["id", "name", "label"])?;
    Ok(respond::ok(&EMPTY))
}

async fn no_plugin(Name(name): Name) -> ApiError {
    ApiError::not_found(format!("plugin {name:?} not found"))
}

async fn no_secret(State(app): State<App>, Name(id): Name) -> Answer {
    app.control()?;
    Err(ApiError::not_found(format!("secret {id} not found")))
}

async fn no_config(State(app): State<App>, Name(id): Name) -> Answer {
    app.control()?;
    Err(ApiError::not_found(format!("config {id} not found")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_does_and_drover_does_not_is_named() {
        let status = |method: Method, path: &str| refusal(&method, path).status;

        assert_eq!(status(Method::GET, "/containers/abc/attach/ws"), Status::NotImplemented);
        assert_eq!(status(Method::POST, "/commit"), Status::NotImplemented);
        assert_eq!(status(Method::PUT, "/volumes/abc"), Status::NotImplemented);
        assert_eq!(status(Method::PUT, "/commit"), Status::NotFound);
        assert_eq!(status(Method::PUT, "/volumes/"), Status::NotFound);
        assert_eq!(status(Method::GET, "/nope"), Status::NotFound);
        assert_eq!(status(Method::GET, "/"), Status::NotFound);
    }
}
