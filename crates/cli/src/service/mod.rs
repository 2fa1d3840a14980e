//! `service`: what runs in the cluster.

mod converge;
mod create;
mod image;
mod inspect;
mod logs;
mod ls;
mod pretty;
mod progress;
mod ps;
mod rm;
mod rollback;
mod scale;
mod update;

use anyhow::Result;
use clap::Subcommand;
use client::{Context, Error, Route, credentials, escape_path};
use engine_json::{Service, ServiceSpec, ServiceUpdated};

/// What to do with services.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a service
    Create(Box<create::Arguments>),
    /// Show services in full
    Inspect(inspect::Arguments),
    /// Show what a service or a task writes
    Logs(logs::Arguments),
    /// List services
    #[command(visible_alias = "list")]
    Ls(ls::Arguments),
    /// List the tasks of services
    Ps(ps::Arguments),
    /// Remove services
    #[command(visible_alias = "remove")]
    Rm(rm::Arguments),
    /// Take back the last change of a service
    Rollback(rollback::Arguments),
    /// Change how many tasks services have
    Scale(scale::Arguments),
    /// Change a service
    Update(Box<update::Arguments>),
}

impl Command {
    pub(crate) async fn run(self, context: &mut Context) -> Result<()> {
        match self {
            Self::Create(arguments) => create::run(context, *arguments).await,
            Self::Inspect(arguments) => inspect::run(context, arguments).await,
            Self::Logs(arguments) => logs::run(context, arguments).await,
            Self::Ls(arguments) => ls::run(context, arguments).await,
            Self::Ps(arguments) => ps::run(context, arguments).await,
            Self::Rm(arguments) => rm::run(context, arguments).await,
            Self::Rollback(arguments) => rollback::run(context, arguments).await,
            Self::Scale(arguments) => scale::run(context, arguments).await,
            Self::Update(arguments) => update::run(context, *arguments).await,
        }
    }
}

/// Whether a command waits, and how loudly.
#[derive(Debug, Clone, clap::Args)]
struct Waiting {
    /// Do not wait until the service has converged
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    detach: Option<bool>,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

impl Waiting {
    fn is_detached(&self) -> bool {
        self.detach.unwrap_or(false)
    }
}

/// What the image's registry is asked.
#[derive(Debug, Clone, clap::Args)]
struct Registry {
    /// Take the image as it is written, without asking a registry for its digest
    #[arg(long)]
    no_resolve_image: bool,
    /// Send the registry's credentials from ~/.docker/config.json along
    #[arg(long)]
    with_registry_auth: bool,
}

/// Looks up a variable that a flag names without giving its value.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Fetches a service by name or id.
async fn fetch(context: &Context, name: &str) -> Result<Service, Error> {
    context
        .engine
        .get(Route::new(format!("/services/{}", escape_path(name))).with("insertDefaults", "false"))
        .await
}

/// Fetches a service that must be there.
async fn find(context: &Context, name: &str) -> Result<Service> {
    client::or_missing(fetch(context, name).await, "service", name)
}

/// Which kind of update a spec is written back for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The spec holds what should be.
    Change,
    /// The same, with credentials for the image's registry.
    ChangeWithAuth,
    /// The spec before the last update comes back.
    Rollback,
}

/// Writes a service's spec back, and tells the daemon's warnings.
async fn write(context: &mut Context, service: &Service, spec: &ServiceSpec, kind: Kind) -> Result<()> {
    let route = Route::new(format!("/services/{}/update", service.id))
        .with("version", service.version.index.to_string());
    let route = match kind {
        Kind::Change => route.with("registryAuthFrom", "spec"),
        Kind::ChangeWithAuth => route.authorized(credentials::header(create::image_of(spec))),
        Kind::Rollback => route.with("registryAuthFrom", "previous-spec").with("rollback", "previous"),
    };
    let answer: ServiceUpdated = context.engine.post(route, spec).await?;
    answer.warnings.iter().flatten().for_each(|warning| context.console.complain(warning));
    Ok(())
}
