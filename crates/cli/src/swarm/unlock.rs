//! `swarm unlock`

use std::io::BufRead as _;

use anyhow::{Context as _, Result, bail};
use client::{Context, Route};
use engine_json::{Info, UnlockKey};

pub(super) async fn run(context: &mut Context) -> Result<()> {
    let info: Info = context.engine.get(Route::new("/info")).await?;
    match info.swarm.local_node_state.as_str() {
        "locked" => {}
        "inactive" => bail!("this node is not part of a swarm"),
        _ => bail!("swarm is not locked"),
    }
    context.console.write("Please enter unlock key: ")?;
    let mut key = String::new();
    std::io::stdin().lock().read_line(&mut key).context("read the unlock key")?;
    let request = UnlockKey { unlock_key: key.trim().to_owned() };
    context.engine.post_plain(Route::new("/swarm/unlock"), &request).await?;
    Ok(())
}
