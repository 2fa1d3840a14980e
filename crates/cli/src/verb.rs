//! All commands.

use anyhow::Result;
use clap::Subcommand;
use client::Context;

use crate::{completion, image, node, service, swarm, system};

/// A command.
#[derive(Debug, Subcommand)]
#[command(rename_all = "kebab-case")]
pub enum Verb {
    /// Manage the cluster: found it, join it, leave it, change its settings
    #[command(subcommand, arg_required_else_help = true)]
    Swarm(swarm::Command),
    /// Manage the cluster's nodes
    #[command(subcommand, arg_required_else_help = true)]
    Node(node::Command),
    /// Manage services
    #[command(subcommand, arg_required_else_help = true)]
    Service(service::Command),
    /// Manage this node's images
    #[command(subcommand, arg_required_else_help = true)]
    Image(image::Command),
    /// Look at this node's daemon
    #[command(subcommand, arg_required_else_help = true)]
    System(system::Command),
    /// List images
    Images(image::ls::Arguments),
    /// Fetch an image from a registry
    Pull(image::pull::Arguments),
    /// Load images from an archive
    Load(image::load::Arguments),
    /// Give an image another name
    Tag(image::tag::Arguments),
    /// Remove images
    Rmi(image::rm::Arguments),
    /// Show how an image was built
    History(image::history::Arguments),
    /// Show what the daemon says of itself and its host
    Info(system::info::Arguments),
    /// Show the versions of client and daemon
    Version(system::version::Arguments),
    /// Watch what happens
    Events(system::events::Arguments),
    /// Print a script that completes commands in a shell
    Completion(completion::Arguments),
}

impl Verb {
    pub(crate) async fn run(self, context: &mut Context, program: fn() -> clap::Command) -> Result<()> {
        match self {
            Self::Swarm(command) => command.run(context).await,
            Self::Node(command) => command.run(context).await,
            Self::Service(command) => command.run(context).await,
            Self::Image(command) => command.run(context).await,
            Self::System(command) => command.run(context).await,
            Self::Images(arguments) => image::ls::run(context, arguments).await,
            Self::Pull(arguments) => image::pull::run(context, arguments).await,
            Self::Load(arguments) => image::load::run(context, arguments).await,
            Self::Tag(arguments) => image::tag::run(context, arguments).await,
            Self::Rmi(arguments) => image::rm::run(context, arguments).await,
            Self::History(arguments) => image::history::run(context, arguments).await,
            Self::Info(arguments) => system::info::run(context, arguments).await,
            Self::Version(arguments) => system::version::run(context, arguments).await,
            Self::Events(arguments) => system::events::run(context, arguments).await,
            Self::Completion(arguments) => completion::run(context, arguments, program()),
        }
    }
}
