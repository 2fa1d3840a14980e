//! What comes with a request: parameters, bodies, credentials.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::Response;
use control::Control;
use engine_json::{ApiVersion, Filters, RegistryAuth, Time};
use futures_util::{StreamExt, stream};
use http::request::Parts;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::engine::{ByteStream, Engine, LocalState};
use crate::error::{ApiError, Status};
use crate::moment;

/// Largest JSON body. A service's spec fits a log entry of 1 MiB; twice that leaves room for white space.
const JSON_BYTES_MAX: usize = 2 << 20;

/// What every route works with.
#[derive(Clone)]
pub(crate) struct App {
    pub engine: Arc<dyn Engine>,
}

/// What a route answers.
pub(crate) type Answer = Result<Response, ApiError>;

impl App {
    /// Returns the cluster's verbs, or why this host does not have them.
    pub fn control(&self) -> Result<Control, ApiError> {
        let membership = self.engine.membership();
        if let Some(control) = membership.control {
            return Ok(control);
        }
        let message = match membership.state {
            LocalState::Inactive => {
                "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again."
                    .to_owned()
            }
            LocalState::Pending | LocalState::Active => {
                "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager."
                    .to_owned()
            }
            LocalState::Error => format!("This node cannot take part in its swarm: {}", membership.error),
        };
        Err(ApiError::new(Status::Unavailable, message))
    }
}

/// The API version that the path asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version(pub ApiVersion);

impl<S: Send + Sync> FromRequestParts<S> for Version {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(ApiVersion::CURRENT)))
    }
}

/// The one part of the path that names an object.
pub(crate) struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        name.map(|Path(name)| Self(name)).map_err(|error| ApiError::bad_request(error.body_text()))
    }
}

/// The query parameters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(BTreeMap<String, Vec<String>>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| ApiError::bad_request(format!("invalid query: {error}")))?;
        let mut query = Self::default();
        for (name, value) in pairs.0 {
            query.0.entry(name).or_default().push(value);
        }
        Ok(query)
    }
}

impl Query {
    /// Returns the first value of a parameter, as Go reads it; empty if it is absent.
    pub fn text(&self, name: &str) -> &str {
        self.all(name).first().map_or("", String::as_str)
    }

    /// Returns all values of a parameter.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns a parameter that is a number; none if it is absent.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        match self.text(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                ApiError::bad_request(format!(
                    "invalid value for {name:?}: {text:?} is not a number that fits"
                ))
            }),
        }
    }

    /// Returns a parameter that is a time; none if it is absent.
    pub fn time(&self, name: &str) -> Result<Option<Time>, ApiError> {
        match self.text(name) {
            "" => Ok(None),
            text => Time::from_filter(text, moment::now().into())
                .map(Some)
                .map_err(|error| ApiError::bad_request(format!("invalid value for {name:?}: {error}"))),
        }
    }

    /// Returns a parameter as Docker's servers read booleans: only the usual words for no are false.
    pub fn flag(&self, name: &str) -> bool {
        let value = self.text(name).trim().to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// Returns a parameter that must be a boolean, as Go parses it.
    pub fn strict_flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            other => Err(ApiError::bad_request(format!(
                "invalid value for {name}: {other:?} is neither true nor false"
            ))),
        }
    }

    /// Returns the `filters`, of which only the accepted keys may be used.
    pub fn filters(&self, accepted: &[&str]) -> Result<Filters, ApiError> {
        let filters = Filters::parse(self.text("filters"))?;
        filters.check(accepted)?;
        Ok(filters)
    }

    /// Returns the version that a change is based on.
    pub fn version(&self, of: &str) -> Result<model::Version, ApiError> {
        let text = self.text("version");
        let index =
            text.parse().map_err(|_| ApiError::bad_request(format!("invalid {of} version '{text}'")))?;
        Ok(model::Version(index))
    }
}

/// A JSON body.
pub(crate) struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, ApiError> {
        let content_type = content_type(request.headers());
        let body = Limited::new(request.into_body(), JSON_BYTES_MAX).collect().await;
        let bytes = body
            .map_err(|_| {
                ApiError::bad_request(format!(
                    "request body is broken off or larger than {JSON_BYTES_MAX} bytes"
                ))
            })?
            .to_bytes();
        if !bytes.is_empty() && !is_json(&content_type) {
            return Err(ApiError::bad_request(format!(
                "unsupported Content-Type header ({content_type}): must be 'application/json'"
            )));
        }
        Ok(Self(engine_json::decode(&bytes)?))
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.unwrap_or_default().into_owned()
}

fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// How long what a client still sends is read, once nobody wants it any more.
const UNWANTED_TIME_MAX: Duration = Duration::from_secs(10);

/// Returns a body as it comes.
///
/// A client sends all of it before it reads the answer, and would find a broken connection instead of an error: what is
/// left when the stream is dropped is read, and thrown away.
pub(crate) fn bytes(body: Body) -> ByteStream {
    let rest = Rest(Some(body.into_data_stream()));
    Box::pin(stream::unfold(rest, |mut rest| async {
        let piece = rest.0.as_mut()?.next().await;
        if piece.is_none() {
            rest.0 = None;
        }
        Some((piece?.map_err(std::io::Error::other), rest))
    }))
}

/// What has not been read of a body.
struct Rest(Option<BodyDataStream>);

impl Drop for Rest {
    fn drop(&mut self) {
        if let (Some(mut body), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            let read = async move { while let Some(Ok(_)) = body.next().await {} };
            runtime.spawn(async move { tokio::time::timeout(UNWANTED_TIME_MAX, read).await });
        }
    }
}

/// The credentials for a registry.
pub(crate) struct Auth(pub RegistryAuth);

impl<S: Send + Sync> FromRequestParts<S> for Auth {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let header =
            parts.headers.get("x-registry-auth").and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self(RegistryAuth::from_header(header)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn query(text: &str) -> Query {
        let request = Request::get(format!("/x?{text}")).body(Body::empty()).unwrap();
        Query::from_request_parts(&mut request.into_parts().0, &()).await.unwrap()
    }

    #[tokio::test]
    async fn only_the_usual_words_for_no_are_false() {
        for (text, expected) in [
            ("", false),
            ("a=", false),
            ("a=0", false),
            ("a=No", false),
            ("a=FALSE", false),
            ("a=none", false),
            ("a=1", true),
            ("a=true", true),
            ("a=off", true),
            ("a=1&a=0", true),
        ] {
            assert_eq!(query(text).await.flag("a"), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn strict_booleans_are_those_of_go() {
        assert_eq!(query("a=T").await.strict_flag("a"), Ok(true));
        assert_eq!(query("").await.strict_flag("a"), Ok(false));
        assert_eq!(query("a=yes").await.strict_flag("a").unwrap_err().status, Status::BadRequest);
    }

    #[tokio::test]
    async fn a_missing_version_is_quoted_back() {
        let error = query("").await.version("service").unwrap_err();

        assert_eq!(error.message, "invalid service version ''");
    }
}
