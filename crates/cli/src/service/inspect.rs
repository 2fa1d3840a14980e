//! `service inspect`

use anyhow::Result;
use bytes::Bytes;
use clap::Args;
use client::{Context, Route, each, escape_path, inspect};
use engine_json::Service;

use super::pretty;

/// Which services are shown, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of services
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<String>,
    /// Show each service with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE", conflicts_with = "pretty")]
    format: Option<String>,
    /// Show them for people
    #[arg(long)]
    pretty: bool,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    if arguments.pretty {
        return each(context, &arguments.services, async |context, name| {
            let service: Service =
                client::or_missing(context.engine.get(route(name)).await, "service", name)?;
            let networks = pretty::network_names(context, &service).await;
            let page = pretty::page(&service, &networks, context.console.now());
            Ok(context.console.write(&page)?)
        })
        .await;
    }
    let mut found: Vec<Result<Bytes>> = Vec::new();
    for name in &arguments.services {
        found.push(client::or_missing(context.engine.get_raw(route(name)).await, "service", name));
    }
    inspect::show(context, found, arguments.format.as_deref())
}

fn route(name: &str) -> Route {
    Route::new(format!("/services/{}", escape_path(name))).with("insertDefaults", "true")
}
