//! `inspect`: objects of any kind.

use anyhow::{Result, bail};
use bytes::Bytes;
use clap::Args;
use client::{Context, Error, Route, escape_path};

/// Kinds in the order in which a name is looked up, with the place of such objects.
const KINDS: [(&str, &str, &str); 9] = [
    ("container", "/containers/", "/json"),
    ("image", "/images/", "/json"),
    ("network", "/networks/", ""),
    ("volume", "/volumes/", ""),
    ("service", "/services/", ""),
    ("task", "/tasks/", ""),
    ("node", "/nodes/", ""),
    ("secret", "/secrets/", ""),
    ("config", "/configs/", ""),
];

/// Which objects are shown, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Show each object with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Tell sizes of containers too
    #[arg(short, long)]
    size: bool,
    /// Only objects of this kind
    #[arg(long = "type", value_name = "KIND")]
    kind: Option<String>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let kind = arguments.kind.as_deref().filter(|kind| !kind.is_empty());
    if let Some(kind) = kind.filter(|kind| !KINDS.iter().any(|(known, ..)| known == kind)) {
        let mut known = KINDS.map(|(known, ..)| format!("{known:?}"));
        known.sort();
        bail!("unknown type: {kind:?}: must be one of {}", known.join(", "));
    }
    let mut found: Vec<Result<Bytes>> = Vec::new();
    for name in &arguments.names {
        found.push(find(context, name, kind, arguments.size).await);
    }
    client::inspect::show(context, found, arguments.format.as_deref())
}

async fn find(context: &Context, name: &str, wanted: Option<&str>, size: bool) -> Result<Bytes> {
    for (kind, before, after) in KINDS.iter().filter(|(kind, ..)| wanted.is_none_or(|wanted| wanted == *kind))
    {
        let route = Route::new(format!("{before}{}{after}", escape_path(name)));
        let route = route.flagged("size", size && *kind == "container");
        match context.engine.get_raw(route).await {
            Ok(object) => return Ok(object),
            Err(error) if wanted.is_some() => return Err(error.into()),
            // Not there, or of a cluster that there is none of.
            Err(Error::Refused { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("Error: No such object: {name}")
}
