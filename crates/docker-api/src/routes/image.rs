//! Images on this host, and what registries say of others.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use http::{Method, StatusCode, Uri};

use crate::engine::{Import, ProgressStream, Removal};
use crate::error::ApiError;
use crate::request::{Answer, App, Auth, Name, Query, bytes};
use crate::respond;
use crate::routes::unsupported::refusal;

pub(super) fn routes() -> Router<App> {
    // Names of images hold slashes, so that what follows a name is told apart here and not by the router.
    Router::new()
        .route("/images/create", post(create))
        .route("/images/load", post(load))
        .route("/images/prune", post(prune))
        .route("/images/get", get(save))
        .route("/images/{*rest}", get(named).post(named).delete(named))
        .route("/distribution/{*rest}", get(distribution))
}

async fn create(State(app): State<App>, query: Query, Auth(auth): Auth, body: Body) -> Answer {
    let progress = match query.text("fromImage") {
        "" => import(&app, &query, body).await?,
        name => {
            let reference = tagged(name, query.text("tag"));
            app.engine.pull_image(&reference, auth, query.text("platform")).await?
        }
    };
    Ok(respond::progress(progress))
}

async fn import(app: &App, query: &Query, body: Body) -> Result<ProgressStream, ApiError> {
    if query.text("fromSrc") != "-" {
        return Err(ApiError::not_supported(
            "importing from a URL is not supported: fetch the file and import it from standard input",
        ));
    }
    let import = Import {
        reference: tagged(query.text("repo"), query.text("tag")),
        message: query.text("message").to_owned(),
        changes: query.all("changes").to_vec(),
        platform: query.text("platform").to_owned(),
    };
    app.engine.import_image(import, bytes(body)).await
}

/// Joins a name with its tag or digest.
fn tagged(name: &str, tag: &str) -> String {
    match tag {
        "" => name.to_owned(),
        digest if digest.contains(':') => format!("{name}@{digest}"),
        tag => format!("{name}:{tag}"),
    }
}

async fn load(State(app): State<App>, query: Query, body: Body) -> Answer {
    let progress = app.engine.load_images(bytes(body), query.flag("quiet")).await?;
    Ok(respond::progress(progress))
}

async fn save(State(app): State<App>, query: Query) -> Answer {
    let names = query.all("names");
    if names.is_empty() {
        return Err(ApiError::bad_request("no image is named: expected names"));
    }
    saved(&app, names.to_vec(), &query).await
}

async fn saved(app: &App, names: Vec<String>, query: &Query) -> Answer {
    let archive = app.engine.save_images(names, query.text("platform")).await?;
    Ok(respond::archive("application/x-tar", archive))
}

async fn prune(State(app): State<App>, query: Query) -> Answer {
    let filters = query.filters(&["dangling", "until", "label", "label!"])?;
    Ok(respond::ok(&app.engine.prune_images(filters).await?))
}

async fn named(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    Name(rest): Name,
    query: Query,
    Auth(auth): Auth,
) -> Answer {
    match (&method, rest.rsplit_once('/')) {
        (&Method::GET, Some((name, "json"))) => Ok(respond::ok(&app.engine.image(name).await?)),
        (&Method::GET, Some((name, "history"))) => Ok(respond::ok(&app.engine.image_history(name).await?)),
        (&Method::POST, Some((name, "tag"))) => tag(&app, name, &query).await,
        (&Method::DELETE, _) => {
            let removal = Removal { force: query.flag("force"), no_prune: query.flag("noprune") };
            Ok(respond::ok(&app.engine.remove_image(&rest, removal).await?))
        }
        (&Method::GET, Some((name, "get"))) => saved(&app, vec![name.to_owned()], &query).await,
        (&Method::POST, Some((name, "push"))) => {
            let reference = tagged(name, query.text("tag"));
            Ok(respond::progress(app.engine.push_image(&reference, auth, query.text("platform")).await?))
        }
        (_, _) => Err(refusal(&method, uri.path())),
    }
}

async fn tag(app: &App, name: &str, query: &Query) -> Answer {
    if query.text("repo").is_empty() {
        return Err(ApiError::bad_request("invalid reference format: repo is empty"));
    }
    app.engine.tag_image(name, &tagged(query.text("repo"), query.text("tag"))).await?;
    let mut response = respond::empty();
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn distribution(State(app): State<App>, Name(rest): Name, Auth(auth): Auth) -> Answer {
    let Some(name) = rest.strip_suffix("/json") else { return Err(ApiError::not_found("page not found")) };
    Ok(respond::ok(&app.engine.distribution(name, auth).await?))
}
