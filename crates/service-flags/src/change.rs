//! What changes in a service.

use clap::Args;
use engine_json::{NetworkAttachmentConfig, ServiceSpec};
use flags::Result;
use format::reference::with_tag;

use crate::edit::Edits;
use crate::pairs::Environment;
use crate::scalars::Scalars;
use crate::words;

/// The flags that say what changes in a service.
#[derive(Debug, Args)]
pub struct Change {
    /// What replaces the image's command
    #[arg(long, value_name = "COMMAND")]
    args: Option<String>,
    /// The image
    #[arg(long)]
    image: Option<String>,
    /// Replace every task although nothing changes
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    edits: Edits,
    #[command(flatten)]
    scalars: Scalars,
}

impl Change {
    /// Changes a spec in all but its networks, which are named by id there.
    pub fn apply(&self, spec: &mut ServiceSpec, environment: Environment<'_>) -> Result<()> {
        self.edits.apply(spec, environment);
        self.scalars.apply(spec)?;
        let container = spec.task_template.container_spec.get_or_insert_default();
        if let Some(image) = &self.image {
            container.image = with_tag(image);
        }
        if let Some(args) = &self.args {
            container.args = words::shell(args)?;
        }
        if self.force {
            spec.task_template.force_update += 1;
        }
        Ok(())
    }

    /// Claims that the service gets another image.
    pub fn has_image(&self) -> bool {
        self.image.is_some()
    }

    /// Returns the names or ids of networks that the service leaves.
    pub fn networks_left(&self) -> &[String] {
        &self.edits.network_rm
    }

    /// Returns the networks that the service joins, by name or id.
    pub fn networks_joined(&self) -> &[NetworkAttachmentConfig] {
        &self.edits.network_add
    }
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
