//! What of a container is changed.

use clap::Args;
use container_json::{Resources, RestartPolicy, UpdateBody};
use flags::{Result, refuse};

use crate::creation::restart_policy;
use crate::limits::Live;

/// The flags that say what of a container is changed.
#[derive(Debug, Args)]
pub struct Change {
    #[command(flatten)]
    live: Live,
    /// When it is started again: `no`, `on-failure[:COUNT]`, `always` or `unless-stopped`
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
}

impl Change {
    /// Builds the body of the update, as the docker CLI would.
    pub fn body(&self) -> Result<UpdateBody> {
        if !self.live.is_given() && self.restart.is_none() {
            return refuse("you must provide one or more flags when using this command");
        }
        let mut resources = Resources::default();
        self.live.apply(&mut resources);
        let restart_policy = self.restart.as_deref().map_or(Ok(RestartPolicy::default()), restart_policy)?;
        Ok(UpdateBody { resources, restart_policy })
    }
}
