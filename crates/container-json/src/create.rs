//! What a client asks for when it makes a container.

use serde::de::Deserializer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::omit::part;
use crate::{Config, HostConfig, NetworkingConfig};

/// What a client asks for when it makes a container. The fields of [`Config`] lie beside the other two.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateBody {
    /// What runs in it.
    #[serde(flatten)]
    pub config: Config,
    /// What it has of its host.
    pub host_config: HostConfig,
    /// Its networks.
    pub networking_config: NetworkingConfig,
}

/// The fields that lie beside those of [`Config`].
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Beside {
    host_config: HostConfig,
    networking_config: NetworkingConfig,
}

impl<'de> Deserialize<'de> for CreateBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let config = part(value.clone())?;
        let Beside { host_config, networking_config } = part(value)?;
        Ok(Self { config, host_config, networking_config })
    }
}

/// The answer to the making of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Created {
    /// The container's id.
    pub id: String,
    /// What the user should know.
    pub warnings: Vec<String>,
}
