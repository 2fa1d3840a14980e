//! A driver and its options, wherever one is named.

use serde::{Deserialize, Serialize};

use crate::Labels;
use crate::omit::empty;

/// A driver and its options.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Driver {
    /// Its name.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
    /// Its options.
    #[serde(skip_serializing_if = "empty")]
    pub options: Labels,
}

impl From<Driver> for model::LogDriver {
    fn from(Driver { name, options }: Driver) -> Self {
        Self { name, options }
    }
}

impl From<&model::LogDriver> for Driver {
    fn from(model::LogDriver { name, options }: &model::LogDriver) -> Self {
        Self { name: name.clone(), options: options.clone() }
    }
}
