//! `image ls` and `images`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, filters};
use engine_json::{ImageSummary, Time};
use format::Listing;
use format::reference::Reference;
use format::{duration, size};
use serde_json::{Value, json};

use format::cut;

const NONE: &str = "<none>";
/// How many characters of an id are shown.
const ID_CHARACTERS: usize = 12;

/// Which images are listed, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only images of this name, with `*` for anything
    #[arg(value_name = "REPOSITORY[:TAG]")]
    reference: Option<String>,
    /// Show all images, also those that others are built on
    #[arg(short, long)]
    all: bool,
    /// Show digests
    #[arg(long)]
    digests: bool,
    /// Only images that fit, such as `dangling=true`
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Show each image with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Only show ids
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let mut filters = filters(&arguments.filter)?;
    if let Some(reference) = &arguments.reference {
        filters.add("reference", reference);
    }
    let route = Route::new("/images/json").filtered(&filters);
    let route = if arguments.all { route.with("all", "1") } else { route };
    let images: Vec<ImageSummary> = context.engine.get(route).await?;
    let now = context.console.now();
    let rows: Vec<Value> = images.iter().flat_map(|image| rows(image, &arguments, now)).collect();
    if arguments.quiet && arguments.format.is_none() {
        let ids: String =
            rows.iter().map(|row| format!("{}\n", row["ID"].as_str().unwrap_or_default())).collect();
        return Ok(context.console.write(&ids)?);
    }
    let listing = Listing { columns: columns(arguments.digests), extra: EXTRA, rows };
    let shown = listing.show(arguments.format.as_deref())?;
    Ok(context.console.write(&shown)?)
}

const EXTRA: &[(&str, &str)] = &[
    ("Digest", "DIGEST"),
    ("CreatedAt", "CREATED AT"),
    ("Containers", "CONTAINERS"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("VirtualSize", "SIZE"),
];

fn columns(digests: bool) -> &'static [(&'static str, &'static str)] {
    const PLAIN: &[(&str, &str)] = &[
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("Size", "SIZE"),
    ];
    const WITH_DIGESTS: &[(&str, &str)] = &[
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("Digest", "DIGEST"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("Size", "SIZE"),
    ];
    if digests { WITH_DIGESTS } else { PLAIN }
}

/// Returns one row per name of the image.
fn rows(image: &ImageSummary, arguments: &Arguments, now: Time) -> Vec<Value> {
    let digest_of = |name: &str| {
        let of_name =
            image.repo_digests.iter().map(|text| Reference::of(text)).find(|known| known.name == name);
        of_name.and_then(|known| known.digest).unwrap_or(NONE)
    };
    let mut names: Vec<(&str, &str, &str)> = Vec::new();
    for text in &image.repo_tags {
        let reference = Reference::of(text);
        names.push((reference.name, reference.tag.unwrap_or(NONE), digest_of(reference.name)));
    }
    for text in &image.repo_digests {
        let reference = Reference::of(text);
        if !names.iter().any(|(name, ..)| *name == reference.name) {
            names.push((reference.name, NONE, reference.digest.unwrap_or(NONE)));
        }
    }
    if names.is_empty() {
        names.push((NONE, NONE, NONE));
    }
    names.into_iter().map(|(name, tag, digest)| row(image, arguments, now, (name, tag, digest))).collect()
}

fn row(image: &ImageSummary, arguments: &Arguments, now: Time, name: (&str, &str, &str)) -> Value {
    let (repository, tag, digest) = name;
    let id = image.id.as_str();
    let short = cut(id.strip_prefix("sha256:").unwrap_or(id), ID_CHARACTERS);
    json!({
        "Repository": repository,
        "Tag": tag,
        "Digest": digest,
        "ID": if arguments.no_trunc { id } else { short },
        "CreatedSince": format!("{} ago", duration::human(now.since(image.created_at()))),
        "CreatedAt": duration::go_time(&image.created_at().to_string()),
        "Size": size::decimal(image.size),
        "VirtualSize": size::decimal(image.size),
        "Containers": "N/A",
        "SharedSize": "N/A",
        "UniqueSize": "N/A",
    })
}
