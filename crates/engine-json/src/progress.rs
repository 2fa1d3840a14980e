//! The lines by which a pull or a load tells how far it is.

use serde::{Deserialize, Serialize};

use crate::omit::empty;

/// One line of progress.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// A plain line of text.
    #[serde(skip_serializing_if = "empty")]
    pub stream: String,
    /// What is being done.
    #[serde(skip_serializing_if = "empty")]
    pub status: String,
    /// A bar for people.
    #[serde(skip_serializing_if = "empty")]
    pub progress: String,
    /// How far it is.
    #[serde(rename = "progressDetail", skip_serializing_if = "empty")]
    pub progress_detail: Option<ProgressDetail>,
    /// What it is about, such as a layer.
    #[serde(skip_serializing_if = "empty")]
    pub id: String,
    /// What went wrong; the last line then.
    #[serde(rename = "errorDetail", skip_serializing_if = "empty")]
    pub error_detail: Option<ErrorDetail>,
    /// The same as text.
    #[serde(skip_serializing_if = "empty")]
    pub error: String,
    /// What a program wants to know, such as what a push came to; people are not shown it.
    #[serde(skip_serializing_if = "empty")]
    pub aux: Option<Pushed>,
}

/// What a registry knows a pushed image by.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Pushed {
    /// The tag.
    pub tag: String,
    /// The manifest's digest.
    pub digest: String,
    /// The manifest's length.
    pub size: u64,
}

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgressDetail {
    /// Bytes done.
    #[serde(skip_serializing_if = "empty")]
    pub current: u64,
    /// Bytes in all.
    #[serde(skip_serializing_if = "empty")]
    pub total: u64,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorDetail {
    /// A number, rarely given.
    #[serde(skip_serializing_if = "empty")]
    pub code: i64,
    /// For the user.
    #[serde(skip_serializing_if = "empty")]
    pub message: String,
}

impl Progress {
    /// Says what is being done, without a subject.
    pub fn status(status: impl Into<String>) -> Self {
        Self { status: status.into(), ..Self::default() }
    }

    /// Says what is being done to `id`.
    pub fn of(id: impl Into<String>, status: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            status: status.into(),
            progress_detail: Some(ProgressDetail::default()),
            ..Self::default()
        }
    }

    /// Says a plain line.
    pub fn stream(line: impl Into<String>) -> Self {
        Self { stream: line.into(), ..Self::default() }
    }

    /// Says what went wrong.
    pub fn error(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            error_detail: Some(ErrorDetail { code: 0, message: message.clone() }),
            error: message,
            ..Self::default()
        }
    }

    /// Returns the line as it travels, with Docker's line end.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("strings and numbers are always JSON");
        line.extend(b"\r\n");
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_dockers() {
        let line = |progress: Progress| String::from_utf8(progress.to_line()).unwrap();

        assert_eq!(
            line(Progress::of("abc", "Pulling fs layer")),
            "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"abc\"}\r\n"
        );
        let aux = Pushed { tag: "1".into(), digest: "sha256:ab".into(), size: 527 };
        let pushed = Progress {
            progress_detail: Some(ProgressDetail::default()),
            aux: Some(aux),
            ..Progress::default()
        };
        assert_eq!(
            line(pushed),
            "{\"progressDetail\":{},\"aux\":{\"Tag\":\"1\",\"Digest\":\"sha256:ab\",\"Size\":527}}\r\n"
        );
        assert_eq!(line(Progress::error("x")), "{\"errorDetail\":{\"message\":\"x\"},\"error\":\"x\"}\r\n");
    }
}
