//! What all `inspect` commands share.

use anyhow::Result;
use bytes::Bytes;
use format::json;
use serde_json::Value;

use crate::{Context, conclude};

/// Shows what was found, and then tells what was not: as JSON, or each object as `template` asks.
pub fn show(context: &mut Context, found: Vec<Result<Bytes>>, template: Option<&str>) -> Result<()> {
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
