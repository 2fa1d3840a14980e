//! `service ps`

use anyhow::{Result, bail};
use clap::Args;
use client::{Context, Route, conclude, filters};
use engine_json::{Filters, Service, Task};

use crate::task;

/// Whose tasks are listed, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Names or ids of services
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<String>,
    #[command(flatten)]
    options: task::Options,
}

pub(super) async fn run(context: &mut Context, arguments: Arguments) -> Result<()> {
    let mut filters = filters(&arguments.options.filter)?;
    let known = known(context, &arguments.services).await?;
    let mut missing = Vec::new();
    for name in &arguments.services {
        match resolve(&known, name)? {
            Some(id) => filters.add("service", id),
            None => missing.push(format!("no such service: {name}")),
        }
    }
    if filters.has("service") {
        let tasks: Vec<Task> = context.engine.get(Route::new("/tasks").filtered(&filters)).await?;
        task::show(context, tasks, &arguments.options).await?;
    }
    conclude(&missing)
}

/// Fetches the services whose names or ids begin with those that are asked for.
async fn known(context: &Context, names: &[String]) -> Result<Vec<Service>> {
    let (mut by_id, mut by_name) = (Filters::default(), Filters::default());
    for name in names {
        by_id.add("id", name);
        by_name.add("name", name);
    }
    let mut services: Vec<Service> = context.engine.get(Route::new("/services").filtered(&by_id)).await?;
    services.extend(context.engine.get::<Vec<Service>>(Route::new("/services").filtered(&by_name)).await?);
    Ok(services)
}

/// Finds the service that is meant: by id, by name, or by the beginning of an id.
fn resolve(known: &[Service], name: &str) -> Result<Option<String>> {
    let exact = known.iter().find(|service| service.id == name || service.spec.name == name);
    if let Some(service) = exact {
        return Ok(Some(service.id.clone()));
    }
    let mut ids: Vec<&str> =
        known.iter().map(|service| service.id.as_str()).filter(|id| id.starts_with(name)).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids.as_slice() {
        [] => Ok(None),
        [id] => Ok(Some((*id).to_owned())),
        _ => bail!("multiple services found with provided prefix: {name}"),
    }
}
