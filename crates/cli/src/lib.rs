//! Drover's commands: Docker's verbs, flags and output over the Engine API of one daemon.
//!
//! * [`Verb`]: the commands, as clap subcommands that a program puts beside its own.
//! * [`Host`]: where the daemon listens.
//! * [`run`]: runs a command and gives the exit code; [`refuse`] does that for a command line that makes no sense.
//!
//! It knows the daemon's API only, so that whatever it can do, a script can.

mod completion;
mod console;
mod credentials;
mod engine;
mod host;
mod image;
mod inspect;
mod node;
mod service;
mod swarm;
mod system;
mod task;
mod usage;
mod verb;

use std::io;
use std::process::ExitCode;

use console::Console;
use engine::Engine;

pub use host::{Host, InvalidHost};
pub use usage::refuse;
pub use verb::Verb;

/// What a command works with.
struct Context {
    engine: Engine,
    console: Console,
}

/// Runs a command. `program` describes the whole program, for shell completions.
pub async fn run(verb: Verb, host: Host, program: fn() -> clap::Command) -> ExitCode {
    let mut context = Context { engine: Engine::new(host), console: Console::process() };
    let result = verb.run(&mut context, program).await;
    finish(result, &mut context.console)
}

/// Tells what went wrong, if anything did.
fn finish(result: anyhow::Result<()>, console: &mut Console) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    // Whoever reads the output has seen enough, as `head` has.
    if !error.downcast_ref::<io::Error>().is_some_and(is_closed) {
        console.complain(&format!("{error:#}"));
    }
    ExitCode::FAILURE
}

/// Does the same to each of several names; failures are told at the end and spare the others.
async fn each<T>(
    context: &mut Context,
    names: &[T],
    mut act: impl AsyncFnMut(&mut Context, &T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut failures = Vec::new();
    for name in names {
        if let Err(error) = act(context, name).await {
            failures.push(format!("{error:#}"));
        }
    }
    conclude(&failures)
}

/// Tells all failures at once, if there are any.
fn conclude(failures: &[String]) -> anyhow::Result<()> {
    if failures.is_empty() { Ok(()) } else { Err(anyhow::anyhow!(failures.join("\n"))) }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod output_tests;
