//! `image history` and `history`

use anyhow::Result;
use clap::Args;
use client::{Context, Route, escape_path};
use engine_json::{ImageHistory, Time};
use format::Listing;
use format::{duration, size};
use serde_json::{Value, json};

use format::cut;

/// How many characters of an id are shown.
const ID_CHARACTERS: usize = 12;
/// How many characters of a step are shown.
const STEP_CHARACTERS: usize = 45;

/// Whose history is shown, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The image
    image: String,
    /// Show each step with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show sizes and dates for people
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    human: Option<bool>,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Only show ids
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let route = Route::new(format!("/images/{}/history", escape_path(&arguments.image)));
    let steps: Vec<ImageHistory> = context.engine.get(route).await?;
    let now = context.console.now();
    let rows: Vec<Value> = steps.iter().map(|step| row(step, &arguments, now)).collect();
    if arguments.quiet {
        let ids: String =
            rows.iter().map(|row| format!("{}\n", row["ID"].as_str().unwrap_or_default())).collect();
        return Ok(context.console.write(&ids)?);
    }
    let is_human = arguments.human.unwrap_or(true);
    let listing = Listing {
        columns: if is_human {
            &[
                ("ID", "IMAGE"),
                ("CreatedSince", "CREATED"),
                ("CreatedBy", "CREATED BY"),
                ("Size", "SIZE"),
                ("Comment", "COMMENT"),
            ]
        } else {
            &[
                ("ID", "IMAGE"),
                ("CreatedAt", "CREATED AT"),
                ("CreatedBy", "CREATED BY"),
                ("Size", "SIZE"),
                ("Comment", "COMMENT"),
            ]
        },
        extra: &[("CreatedAt", "CREATED AT"), ("CreatedSince", "CREATED")],
        rows,
    };
    let shown = listing.show(arguments.format.as_deref())?;
    Ok(context.console.write(&shown)?)
}

fn row(step: &ImageHistory, arguments: &Arguments, now: Time) -> Value {
    let created = Time::from_nanoseconds(step.created.saturating_mul(1_000_000_000));
    let by = step.created_by.replace('\t', " ");
    let short_by = if by.chars().count() > STEP_CHARACTERS {
        format!("{}…", cut(&by, STEP_CHARACTERS - 1))
    } else {
        by.clone()
    };
    let id = step.id.as_str();
    json!({
        "ID": if arguments.no_trunc { id } else { cut(id.strip_prefix("sha256:").unwrap_or(id), ID_CHARACTERS) },
        "CreatedSince": format!("{} ago", duration::human(now.since(created))),
        "CreatedAt": duration::go_time(&created.to_string()),
        "CreatedBy": if arguments.no_trunc { by } else { short_by },
        "Size": if arguments.human.unwrap_or(true) { size::decimal(step.size) } else { step.size.to_string() },
        "Comment": step.comment,
    })
}
