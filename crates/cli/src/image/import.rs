//! `image import` and `import`

use anyhow::{Context as _, Result};
use clap::Args;
use client::{Context, Route};
use container_cli::progress::{self, Show};

/// Which archive becomes an image.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A file, an address, or `-` for standard input
    #[arg(value_name = "FILE|URL|-", allow_hyphen_values = true)]
    source: String,
    /// The image's name
    #[arg(value_name = "NAME[:TAG]")]
    name: Option<String>,
    /// A step of a build to apply to its configuration, such as `CMD ["sh"]`
    #[arg(short, long, value_name = "STEP")]
    change: Vec<String>,
    /// What is said of it
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Its platform, such as `linux/arm64`
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let is_address = ["http://", "https://"].iter().any(|scheme| arguments.source.starts_with(scheme));
    let mut route = Route::new("/images/create");
    for change in &arguments.change {
        route = route.with("changes", change);
    }
    route = route.with("fromSrc", if is_address { &arguments.source } else { "-" });
    for (key, value) in
        [("message", &arguments.message), ("platform", &arguments.platform), ("repo", &arguments.name)]
    {
        if let Some(value) = value {
            route = route.with(key, value);
        }
    }
    let kind = "application/x-tar";
    let lines = match arguments.source.as_str() {
        _ if is_address => context.engine.post_lines(route).await?,
        "-" => {
            let typed = context.console.reader();
            context.engine.post_stream(route, kind, typed).await?
        }
        path => {
            let file = tokio::fs::File::open(path).await.with_context(|| format!("open {path}"))?;
            context.engine.post_stream(route, kind, file).await?
        }
    };
    progress::follow(&mut context.console, lines, Show::Output).await.map(drop)
}
