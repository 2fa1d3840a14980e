//! Volumes, mounts and the root.

use clap::Args;
use container_json::{Config, HostConfig};
use engine_json::{Mount, Nothing};
use flags::text::switch;
use flags::{Invalid, Result};

use crate::Surroundings;
use crate::bind::{self, Bind};

/// Flags of volumes and mounts.
#[derive(Debug, Args)]
pub(crate) struct StorageFlags {
    /// Something mounted, `type=,source=,target=,…`
    #[arg(long, value_name = "MOUNT", value_parser = flags::mount::parse)]
    mount: Vec<Mount>,
    /// Let it not write to its root
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    read_only: Option<bool>,
    /// An option of the storage driver
    #[arg(long, value_name = "KEY=VALUE")]
    storage_opt: Vec<String>,
    /// A file system in memory, `PATH[:OPTIONS]`
    #[arg(long, value_name = "PATH")]
    tmpfs: Vec<String>,
    /// A volume or a path of the host, `[SOURCE:]PATH[:OPTIONS]`
    #[arg(short, long, value_name = "VOLUME")]
    volume: Vec<String>,
    /// The driver of volumes that are made for it
    #[arg(long, value_name = "DRIVER", default_value = "", hide_default_value = true)]
    volume_driver: String,
    /// A container whose volumes it mounts, `NAME[:ro]`
    #[arg(long, value_name = "CONTAINER")]
    volumes_from: Vec<String>,
}

impl StorageFlags {
    /// Writes what is given into a container.
    pub(crate) fn apply(
        &self,
        config: &mut Config,
        host: &mut HostConfig,
        surroundings: Surroundings<'_>,
    ) -> Result<()> {
        for text in &self.volume {
            match bind::parse(text, surroundings)? {
                Bind::Anonymous(path) => {
                    config.volumes.insert(path, Nothing {});
                }
                Bind::Named(bind) => host.binds.push(bind),
            }
        }
        host.mounts = self.mount.iter().map(|mount| completed(mount, surroundings)).collect();
        host.readonly_rootfs = self.read_only.unwrap_or(false);
        for option in &self.storage_opt {
            let (key, value) =
                option.split_once('=').ok_or_else(|| Invalid::because("invalid storage option"))?;
            host.storage_opt.insert(key.to_owned(), value.to_owned());
        }
        for text in &self.tmpfs {
            let (path, options) = text.split_once(':').unwrap_or((text, ""));
            host.tmpfs.insert(path.to_owned(), options.to_owned());
        }
        host.volume_driver.clone_from(&self.volume_driver);
        host.volumes_from = self.volumes_from.clone();
        Ok(())
    }
}

/// Completes the path of the host that a mount names.
fn completed(mount: &Mount, surroundings: Surroundings<'_>) -> Mount {
    let mut mount = mount.clone();
    if mount.kind == "bind" {
        mount.source = surroundings.absolute(&mount.source);
    }
    mount
}
