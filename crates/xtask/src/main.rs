//! What the repository does with itself, as `cargo xtask COMMAND`: its laws, its release binary, its demo, the
//! images of its tests and its comparisons with Docker.
//!
//! It depends on next to nothing, so that it is built in seconds, and it never links a crate it checks: it runs the
//! `drover` binary as a user would.

mod bench;
mod demo;
mod dist;
mod http;
mod image;
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
    Dist(dist::Arguments),
    /// Show a cluster of five hosts on this machine, at work and under damage
    Demo(demo::Arguments),
    /// Build the images of tests/images and print the paths of their archives
    Image(image::Arguments),
    /// Compare with Docker Swarm on this machine; run by hand
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Tidy => tidy::run(&workspace::root()),
        Command::Dist(arguments) => dist::run(arguments).map(drop),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Image(arguments) => image::run(arguments),
        Command::Bench(bench) => bench::run(bench),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
