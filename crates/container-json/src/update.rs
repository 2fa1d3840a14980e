//! What of a container is changed while it runs.

use serde::de::Deserializer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::omit::{null_if_empty, part};
use crate::{Resources, RestartPolicy};

/// What of a container is changed; what is 0, empty or none stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateBody {
    /// What it may use.
    #[serde(flatten)]
    pub resources: Resources,
    /// When it is started again.
    pub restart_policy: RestartPolicy,
}

/// The field that lies beside those of [`Resources`].
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Beside {
    restart_policy: RestartPolicy,
}

impl<'de> Deserialize<'de> for UpdateBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let resources = part(value.clone())?;
        let Beside { restart_policy } = part(value)?;
        Ok(Self { resources, restart_policy })
    }
}

/// The answer to a change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateAnswer {
    /// What the user should know.
    #[serde(serialize_with = "null_if_empty")]
    pub warnings: Vec<String>,
}
