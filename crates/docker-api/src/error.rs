//! What a client is told when something cannot be done.

use axum::response::{IntoResponse, Response};
use control::Kind;
use engine_json::ErrorBody;

use crate::respond;

/// The status of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 304, without a text
    NotModified,
    /// 400
    BadRequest,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 409
    Conflict,
    /// 500
    Internal,
    /// 501
    NotImplemented,
    /// 503
    Unavailable,
}

/// Why something cannot be done, in the user's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The status.
    pub status: Status,
    /// The text.
    pub message: String,
}

impl ApiError {
    /// Makes an error.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// Says that the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Status::BadRequest, message)
    }

    /// Says that there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Status::NotFound, message)
    }

    /// Says that this does not do it, and what to do.
    pub fn not_supported(message: impl Into<String>) -> Self {
        Self::new(Status::NotImplemented, message)
    }

    /// Says that something broke.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Status::Internal, message)
    }
}

impl From<control::Error> for ApiError {
    /// Adds the prefix that Docker puts before what a manager says; clients match on its words.
    fn from(error: control::Error) -> Self {
        let (status, code) = match error.kind {
            Kind::NotFound => return Self::not_found(error.message),
            Kind::Invalid => (Status::BadRequest, "InvalidArgument"),
            Kind::FailedPrecondition => (Status::BadRequest, "FailedPrecondition"),
            Kind::PermissionDenied => (Status::Forbidden, "PermissionDenied"),
            Kind::AlreadyExists => (Status::Conflict, "AlreadyExists"),
            Kind::Unimplemented => (Status::NotImplemented, "Unimplemented"),
            Kind::OutOfSequence | Kind::Unavailable => (Status::Internal, "Unknown"),
        };
        Self::new(status, format!("rpc error: code = {code} desc = {}", error.message))
    }
}

impl From<model::Invalid> for ApiError {
    fn from(invalid: model::Invalid) -> Self {
        Self::bad_request(invalid.to_string())
    }
}

impl From<engine_json::InvalidFilter> for ApiError {
    fn from(invalid: engine_json::InvalidFilter) -> Self {
        Self::bad_request(invalid.to_string())
    }
}

impl From<engine_json::Malformed> for ApiError {
    fn from(malformed: engine_json::Malformed) -> Self {
        Self::bad_request(malformed.to_string())
    }
}

impl From<engine_json::InvalidAuth> for ApiError {
    fn from(invalid: engine_json::InvalidAuth) -> Self {
        Self::bad_request(invalid.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self.status {
            Status::NotModified => return respond::bare(http::StatusCode::NOT_MODIFIED),
            Status::BadRequest => http::StatusCode::BAD_REQUEST,
            Status::Unauthorized => http::StatusCode::UNAUTHORIZED,
            Status::Forbidden => http::StatusCode::FORBIDDEN,
            Status::NotFound => http::StatusCode::NOT_FOUND,
            Status::Conflict => http::StatusCode::CONFLICT,
            Status::Internal => http::StatusCode::INTERNAL_SERVER_ERROR,
            Status::NotImplemented => http::StatusCode::NOT_IMPLEMENTED,
            Status::Unavailable => http::StatusCode::SERVICE_UNAVAILABLE,
        };
        respond::json(status, &ErrorBody::new(self.message))
    }
}
