//! Files in and out of containers.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use container_json::PathStat;
use http::{HeaderName, HeaderValue};

use crate::engine::Unpack;
use crate::error::ApiError;
use crate::request::{Answer, App, Name, Query, bytes};
use crate::respond;

const STAT: HeaderName = HeaderName::from_static("x-docker-container-path-stat");

pub(super) fn routes() -> Router<App> {
    Router::new().route("/containers/{id}/archive", get(pack).head(stat).put(unpack))
}

async fn stat(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    let stat = app.engine.path_stat(&id, query.path()?).await?;
    with_stat(respond::empty(), &stat)
}

async fn pack(State(app): State<App>, Name(id): Name, query: Query) -> Answer {
    let (stat, archive) = app.engine.pack(&id, query.path()?).await?;
    with_stat(respond::archive("application/x-tar", archive), &stat)
}

async fn unpack(State(app): State<App>, Name(id): Name, query: Query, body: Body) -> Answer {
    let how = Unpack {
        no_overwrite_dir_non_dir: query.flag("noOverwriteDirNonDir"),
        copy_uid_gid: query.flag("copyUIDGID"),
    };
    app.engine.unpack(&id, query.path()?, how, bytes(body)).await?;
    Ok(respond::empty())
}

fn with_stat(mut response: Response, stat: &PathStat) -> Answer {
    let value = HeaderValue::from_str(&stat.to_header());
    let value = value.map_err(|error| ApiError::internal(format!("describe {:?}: {error}", stat.name)))?;
    response.headers_mut().insert(STAT, value);
    Ok(response)
}

impl Query {
    fn path(&self) -> Result<&str, ApiError> {
        match self.text("path") {
            "" => Err(ApiError::bad_request("bad parameter: path")),
            path => Ok(path),
        }
    }
}
