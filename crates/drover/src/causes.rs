//! Writes an error with its causes, for users who see one line.

use std::error::Error;

/// Returns an error's text and, after colons, those of its causes.
pub fn written(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
