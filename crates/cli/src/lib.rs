//! Drover's commands: Docker's verbs, flags and output over the Engine API of one daemon.
//!
//! * [`Verb`]: the commands, as clap subcommands that a program puts beside its own.
//! * [`Host`]: where the daemon listens.
//! * [`run`]: runs a command and gives the exit code; [`refuse`] does that for a command line that makes no sense.
//!
//! It knows the daemon's API only, so that whatever it can do, a script can.

mod completion;
mod image;
mod inspect;
mod login;
mod network;
mod node;
mod service;
mod swarm;
mod system;
mod task;
mod usage;
mod verb;

use std::process::ExitCode;

use client::{Console, Context, Engine};

pub use client::{Host, InvalidHost};
pub use usage::refuse;
pub use verb::Verb;

/// Runs a command. `program` describes the whole program, for shell completions.
pub async fn run(verb: Verb, host: Host, program: fn() -> clap::Command) -> ExitCode {
    let mut context = Context { engine: Engine::new(host), console: Console::process() };
    let result = verb.run(&mut context, program).await;
    ExitCode::from(client::finish(result, &mut context.console))
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod output_tests;
