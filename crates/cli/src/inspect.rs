//! What all `inspect` commands share.

use anyhow::{Result, bail};
use bytes::Bytes;
use format::json;
use serde_json::Value;

use crate::{Context, conclude};

/// Shows what was found, and then tells what was not: as JSON, or each object as `template` asks.
pub(crate) fn show(context: &mut Context, found: Vec<Result<Bytes>>, template: Option<&str>) -> Result<()> {
    let (mut objects, mut failures) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Ok(object) => objects.push(String::from_utf8_lossy(&object).trim().to_owned()),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    match template.filter(|template| !template.is_empty()) {
        None => context.console.line(&json::indent(&format!("[{}]", objects.join(","))))?,
        Some("json") => context.console.line(&format!("[{}]", objects.join(",")))?,
        Some(template) => {
            for object in &objects {
                let value: Value = serde_json::from_str(object)?;
                context.console.line(&format::object(&value, template)?)?;
            }
        }
    }
    conclude(&failures)
}

/// Says "no such KIND: NAME" where the daemon answers 404.
pub(crate) fn or_missing<T>(answer: Result<T, crate::engine::Error>, kind: &str, name: &str) -> Result<T> {
    match answer {
        Err(error) if error.is_not_found() => bail!("no such {kind}: {name}"),
        other => Ok(other?),
    }
}

/// Reads `--filter key=value` flags.
pub(crate) fn filters(flags: &[String]) -> Result<engine_json::Filters> {
    let mut filters = engine_json::Filters::default();
    for flag in flags {
        let Some((key, value)) = flag.split_once('=') else {
            bail!(
                "invalid argument {flag:?} for \"-f, --filter\" flag: filter must be in the form key=value"
            );
        };
        filters.add(key.trim().to_ascii_lowercase(), value.trim());
    }
    Ok(filters)
}
