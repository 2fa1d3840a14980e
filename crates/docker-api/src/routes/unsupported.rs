//! What Docker's API has and Drover does not do: empty lists where clients look first, and a clear
//! no where they would act.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::{Method, Uri};
use serde::Serialize;

use crate::error::{ApiError, Status};
use crate::request::{Answer, App, Name, Query};
use crate::respond;

const CONTAINERS: &str = "containers outside services are not supported: use docker service";
const EXEC: &str = "running commands in containers is not supported";
const NETWORKS: &str = "making and changing networks is not supported";
const VOLUMES: &str = "volumes are not supported: use a bind mount or tmpfs";
const SECRETS: &str = "secrets are not supported";
const CONFIGS: &str = "configs are not supported";
const PLUGINS: &str = "plugins are not supported";
const IMAGES: &str = "removing unused images at once is not supported: use docker image rm";
const SEARCH: &str = "searching registries is not supported";
const BUILD: &str = "building images is not supported: load or pull an image";
const USAGE: &str = "measuring disk usage is not supported";
const LOGIN: &str = "logging in to registries is not supported: credentials in the client's configuration are used as they are";

/// Requests that are refused by name: method, path with `*` for one segment, reason.
const REFUSED: &[(Method, &str, &str)] = &[
    (Method::POST, "/auth", LOGIN),
    (Method::GET, "/system/df", USAGE),
    (Method::POST, "/containers/create", CONTAINERS),
    (Method::POST, "/containers/prune", CONTAINERS),
    (Method::POST, "/containers/*/exec", EXEC),
    (Method::POST, "/containers/*/*", CONTAINERS),
    (Method::GET, "/containers/*/*", CONTAINERS),
    (Method::GET, "/containers/*/attach/ws", CONTAINERS),
    (Method::PUT, "/containers/*/archive", CONTAINERS),
    (Method::DELETE, "/containers/*", CONTAINERS),
    (Method::POST, "/exec/*/*", EXEC),
    (Method::GET, "/exec/*/json", EXEC),
    (Method::POST, "/commit", BUILD),
    (Method::POST, "/build", BUILD),
    (Method::POST, "/build/*", BUILD),
    (Method::POST, "/session", BUILD),
    (Method::POST, "/grpc", BUILD),
    (Method::POST, "/images/prune", IMAGES),
    (Method::GET, "/images/search", SEARCH),
    (Method::POST, "/networks/create", NETWORKS),
    (Method::POST, "/networks/prune", NETWORKS),
    (Method::POST, "/networks/*/*", NETWORKS),
    (Method::DELETE, "/networks/*", NETWORKS),
    (Method::POST, "/volumes/create", VOLUMES),
    (Method::POST, "/volumes/prune", VOLUMES),
    (Method::PUT, "/volumes/*", VOLUMES),
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
        .route("/volumes", get(volumes))
        .route("/volumes/{name}", get(no_volume).delete(no_volume))
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
struct Volumes {
    volumes: [(); 0],
    warnings: Option<[String; 0]>,
}

async fn volumes(query: Query) -> Answer {
    query.filters(&["dangling", "driver", "label", "name"])?;
    Ok(respond::ok(&Volumes { volumes: EMPTY, warnings: None }))
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

async fn no_volume(Name(name): Name) -> ApiError {
    ApiError::not_found(format!("get {name}: no such volume"))
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

        assert_eq!(status(Method::POST, "/containers/create"), Status::NotImplemented);
        assert_eq!(status(Method::POST, "/containers/abc/start"), Status::NotImplemented);
        assert_eq!(status(Method::DELETE, "/containers/abc"), Status::NotImplemented);
        assert_eq!(status(Method::POST, "/networks/create"), Status::NotImplemented);
        assert_eq!(status(Method::PUT, "/containers/create"), Status::NotFound);
        assert_eq!(status(Method::DELETE, "/containers/"), Status::NotFound);
        assert_eq!(status(Method::GET, "/nope"), Status::NotFound);
        assert_eq!(status(Method::GET, "/"), Status::NotFound);
    }
}
