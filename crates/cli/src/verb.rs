//! All commands.

use anyhow::Result;
use clap::Subcommand;
use client::Context;

use crate::{completion, image, inspect, login, network, node, service, swarm, system};

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
    /// Manage networks, of the cluster and of this node
    #[command(subcommand, arg_required_else_help = true)]
    Network(network::Command),
    /// Manage this node's images
    #[command(subcommand, arg_required_else_help = true)]
    Image(image::Command),
    /// Manage this node's containers
    #[command(subcommand, arg_required_else_help = true)]
    Container(container_cli::Command),
    /// Manage this node's volumes
    #[command(subcommand, arg_required_else_help = true)]
    Volume(container_cli::volume::Command),
    /// What is done with containers
    #[command(flatten)]
    Do(Box<container_cli::Verb>),
    /// List containers
    Ps(container_cli::ls::Arguments),
    /// Show objects of any kind in full
    Inspect(inspect::Arguments),
    /// Look at this node's daemon
    #[command(subcommand, arg_required_else_help = true)]
    System(system::Command),
    /// List images
    Images(image::ls::Arguments),
    /// Fetch an image from a registry
    Pull(image::pull::Arguments),
    /// Put an image into a registry
    Push(image::push::Arguments),
    /// Write images as an archive
    Save(image::save::Arguments),
    /// Make an image of a tar archive of files
    Import(image::import::Arguments),
    /// Log in to a registry
    Login(login::Login),
    /// Log out of a registry
    Logout(login::Logout),
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
            Self::Network(command) => command.run(context).await,
            Self::Image(command) => command.run(context).await,
            Self::Container(command) => command.run(context).await,
            Self::Volume(command) => command.run(context).await,
            Self::Do(verb) => verb.run(context).await,
            Self::Ps(arguments) => container_cli::ls::run(context, arguments).await,
            Self::Inspect(arguments) => inspect::run(context, arguments).await,
            Self::Push(arguments) => image::push::run(context, arguments).await,
            Self::Save(arguments) => image::save::run(context, arguments).await,
            Self::Import(arguments) => image::import::run(context, arguments).await,
            Self::Login(arguments) => login::login(context, arguments).await,
            Self::Logout(arguments) => login::logout(context, arguments),
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
