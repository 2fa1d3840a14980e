//! What a container changed of its image.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path that differs from the image's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Change {
    /// How it differs.
    pub kind: ChangeKind,
    /// The path.
    pub path: String,
}

/// How a path differs; a number in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChangeKind {
    /// It has other content or attributes.
    #[default]
    Modified,
    /// The image does not have it.
    Added,
    /// The image alone has it.
    Deleted,
}

impl Serialize for ChangeKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

impl<'de> Deserialize<'de> for ChangeKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(Self::Modified),
            1 => Ok(Self::Added),
            2 => Ok(Self::Deleted),
            other => {
                Err(serde::de::Error::custom(format!("{other} is no kind of change: expected 0, 1 or 2")))
            }
        }
    }
}
