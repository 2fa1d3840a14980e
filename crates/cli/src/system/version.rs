//! `version`

use anyhow::Result;
use clap::Args;
use client::{Context, Route};
use engine_json::{ApiVersion, Version};
use serde_json::{Value, json};

/// How versions are shown.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Show them with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

pub(crate) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let server = context.engine.get::<Value>(Route::new("/version")).await;
    let client = json!({
        "Version": env!("CARGO_PKG_VERSION"),
        "ApiVersion": ApiVersion::CURRENT.to_string(),
        "Os": std::env::consts::OS,
        "Arch": architecture(),
    });
    if let Some(format) = arguments.format {
        let known = server.as_ref().ok().cloned().unwrap_or(Value::Null);
        let shown = format::object(&json!({"Client": client, "Server": known}), &format)?;
        context.console.line(&shown)?;
        return Ok(server.map(|_| ())?);
    }
    context.console.write(&format!(
        "Client:\n Version:           {}\n API version:       {}\n OS/Arch:           {}/{}\n",
        env!("CARGO_PKG_VERSION"),
        ApiVersion::CURRENT,
        std::env::consts::OS,
        architecture()
    ))?;
    let version: Version = serde_json::from_value(server?)?;
    Ok(context.console.write(&shown(&version))?)
}

fn shown(version: &Version) -> String {
    let mut out = format!(
        "\nServer: {}\n Engine:\n  Version:          {}\n  API version:      {} (minimum version {})\n",
        version.platform.name, version.version, version.api_version, version.min_api_version
    );
    for (name, value) in [
        ("Git commit:", &version.git_commit),
        ("Built:", &version.build_time),
        ("Kernel:", &version.kernel_version),
    ] {
        if !value.is_empty() {
            out.push_str(&format!("  {name:<17} {value}\n"));
        }
    }
    out.push_str(&format!("  OS/Arch:          {}/{}\n", version.os, version.arch));
    out
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
