//! Images on this host, and what registries say of others.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use engine_json as json;
use futures_util::StreamExt;
use http::{Method, StatusCode, Uri};

use crate::engine::Removal;
use crate::error::{ApiError, Status};
use crate::request::{Answer, App, Auth, Name, Query};
use crate::respond;
use crate::routes::unsupported::refusal;

pub(super) fn routes() -> Router<App> {
    // Names of images hold slashes, so that what follows a name is told apart here and not by the router.
    Router::new()
        .route("/images/json", get(list))
        .route("/images/create", post(create))
        .route("/images/load", post(load))
        .route("/images/{*rest}", get(named).post(named).delete(named))
        .route("/distribution/{*rest}", get(distribution))
}

async fn list(State(app): State<App>, query: Query) -> Answer {
    let filters = query.filters(&["dangling", "label", "reference", "before", "since"])?;
    let dangling = filters.flag("dangling")?;
    let images = app.engine.images().await?;
    let created = |key: &str| -> Result<Option<i64>, ApiError> {
        let Some(name) = filters.values(key).first() else { return Ok(None) };
        let found =
            images.iter().find(|image| image.repo_tags.contains(name) || image.id.ends_with(name.as_str()));
        let found = found.ok_or_else(|| ApiError::not_found(format!("No such image: {name}")))?;
        Ok(Some(found.created))
    };
    let (before, since) = (created("before")?, created("since")?);
    let shown: Vec<&json::ImageSummary> = images
        .iter()
        .filter(|image| {
            dangling.is_none_or(|wanted| wanted == image.repo_tags.is_empty())
                && filters.has_labels("label", image.labels.as_ref().unwrap_or(&json::Labels::new()))
                && filters
                    .is_any("reference", |wanted| image.repo_tags.iter().any(|tag| tag_matches(wanted, tag)))
                && before.is_none_or(|before| image.created < before)
                && since.is_none_or(|since| image.created > since)
        })
        .collect();
    Ok(respond::ok(&shown))
}

/// Matches a tag as `docker images NAME` and `--filter reference=` do: with or without the tag, `*` for any text.
fn tag_matches(wanted: &str, tag: &str) -> bool {
    let repository = tag.rsplit_once(':').map_or(tag, |(repository, _)| repository);
    glob(wanted, tag) || glob(wanted, repository)
}

fn glob(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| glob(after, &rest[at..]))
}

async fn create(State(app): State<App>, query: Query, Auth(auth): Auth) -> Answer {
    let from = query.text("fromImage");
    if from.is_empty() {
        return Err(ApiError::new(
            Status::NotImplemented,
            "import is not supported: load an image archive instead",
        ));
    }
    let reference = match query.text("tag") {
        "" => from.to_owned(),
        digest if digest.contains(':') => format!("{from}@{digest}"),
        tag => format!("{from}:{tag}"),
    };
    let progress = app.engine.pull_image(&reference, auth, query.text("platform")).await?;
    Ok(respond::progress(progress))
}

async fn load(State(app): State<App>, query: Query, body: Body) -> Answer {
    let archive = body.into_data_stream().map(|part| part.map_err(std::io::Error::other));
    let progress = app.engine.load_images(Box::pin(archive), query.flag("quiet")).await?;
    Ok(respond::progress(progress))
}

async fn named(State(app): State<App>, method: Method, uri: Uri, Name(rest): Name, query: Query) -> Answer {
    match (&method, rest.rsplit_once('/')) {
        (&Method::GET, Some((name, "json"))) => Ok(respond::ok(&app.engine.image(name).await?)),
        (&Method::GET, Some((name, "history"))) => Ok(respond::ok(&app.engine.image_history(name).await?)),
        (&Method::POST, Some((name, "tag"))) => tag(&app, name, &query).await,
        (&Method::DELETE, _) => {
            let removal = Removal { force: query.flag("force") };
            Ok(respond::ok(&app.engine.remove_image(&rest, removal).await?))
        }
        (&Method::GET, Some((_, "get"))) => Err(unsupported("saving images is not supported")),
        (&Method::GET, None) if rest == "get" => Err(unsupported("saving images is not supported")),
        (&Method::POST, Some((_, "push"))) => Err(unsupported("pushing images is not supported")),
        (_, _) => Err(refusal(&method, uri.path())),
    }
}

async fn tag(app: &App, name: &str, query: &Query) -> Answer {
    let target = match (query.text("repo"), query.text("tag")) {
        ("", _) => return Err(ApiError::bad_request("invalid reference format: repo is empty")),
        (repository, "") => repository.to_owned(),
        (repository, tag) => format!("{repository}:{tag}"),
    };
    app.engine.tag_image(name, &target).await?;
    let mut response = respond::empty();
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn unsupported(what: &str) -> ApiError {
    ApiError::new(Status::NotImplemented, what)
}

async fn distribution(State(app): State<App>, Name(rest): Name, Auth(auth): Auth) -> Answer {
    let Some(name) = rest.strip_suffix("/json") else { return Err(ApiError::not_found("page not found")) };
    Ok(respond::ok(&app.engine.distribution(name, auth).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_match_with_and_without_tag() {
        assert!(tag_matches("nginx", "nginx:1.27"));
        assert!(tag_matches("nginx:1.*", "nginx:1.27"));
        assert!(tag_matches("*whoami*", "drover/whoami:latest"));
        assert!(!tag_matches("ngin", "nginx:1.27"));
        assert!(!tag_matches("nginx:2.*", "nginx:1.27"));
    }
}
