//! What the repository does with itself, as `cargo xtask COMMAND`: its laws, its release binary, its demo and its
//! comparison with Docker Swarm.
//!
//! It depends on next to nothing, so that it is built in seconds, and it never links a crate it checks: it runs the
//! `drover` binary as a user would.

mod dist;
mod program;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Keeps, builds and shows this repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the laws of the repository
    Tidy,
    /// Build the static release binary and print its path
    Dist,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Tidy => tidy::run(&workspace::root()),
        Command::Dist => dist::run().map(drop),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
