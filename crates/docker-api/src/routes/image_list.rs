//! The list of images, and what it can be narrowed to.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use engine_json as json;

use crate::error::ApiError;
use crate::moment;
use crate::request::{Answer, App, Query};
use crate::respond;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/images/json", get(list))
}

async fn list(State(app): State<App>, query: Query) -> Answer {
    let filters = query.filters(&["dangling", "label", "reference", "before", "since", "until"])?;
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
    let until = filters.values("until").first();
    let until = until.map(|text| json::Time::from_filter(text, moment::now().into())).transpose();
    let until = until.map_err(|error| ApiError::bad_request(format!("invalid filter 'until': {error}")))?;
    let shown: Vec<&json::ImageSummary> = images
        .iter()
        .filter(|image| {
            dangling.is_none_or(|wanted| wanted == image.repo_tags.is_empty())
                && filters.has_labels("label", image.labels.as_ref().unwrap_or(&json::Labels::new()))
                && filters
                    .is_any("reference", |wanted| image.repo_tags.iter().any(|tag| tag_matches(wanted, tag)))
                && before.is_none_or(|before| image.created < before)
                && since.is_none_or(|since| image.created > since)
                && until.is_none_or(|until| image.created_at() < until)
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
