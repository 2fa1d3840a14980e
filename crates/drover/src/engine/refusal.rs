//! What refuses below, said to clients of the API.

use docker_api::{ApiError, Status};
use engine::Kind;

/// Turns an error of the containers of this host into what a client is told.
pub fn told(error: engine::Error) -> ApiError {
    let status = match error.kind() {
        Kind::NotFound => Status::NotFound,
        Kind::Conflict => Status::Conflict,
        Kind::Invalid => Status::BadRequest,
        Kind::NotModified => Status::NotModified,
        Kind::Forbidden => Status::Forbidden,
        Kind::NotImplemented => Status::NotImplemented,
        Kind::Unavailable => Status::Unavailable,
        Kind::Internal => Status::Internal,
    };
    ApiError::new(status, error.text())
}
