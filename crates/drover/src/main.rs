//! Drover in one binary: the daemon of a host, the command line, the shim of each container, the lab.

mod causes;
mod clock;
mod collector;
mod config;
mod daemon;
mod embedded;
mod engine;
mod host;
mod lab_command;
mod member;
mod runtime;
mod whoami;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// What the daemon ends with when its configuration cannot be used, as in sysexits.h.
const EXIT_CONFIG: u8 = 64;

/// A container orchestrator for several hosts, in one binary.
#[derive(Parser)]
#[command(name = "drover", version, arg_required_else_help = true)]
struct Program {
    /// The daemon to talk to: unix:///PATH or tcp://HOST:PORT [env: DROVER_HOST, DOCKER_HOST] [default: unix:///run/drover.sock]
    #[arg(short = 'H', long, global = true, value_name = "ADDRESS")]
    host: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Verb(cli::Verb),
    /// Run the daemon of this host
    Daemon(config::Args),
    /// Run a whole cluster on this machine, each host in a network namespace
    #[command(subcommand, arg_required_else_help = true)]
    Lab(lab_command::Command),
    /// Answer requests by saying who answers; what the embedded image runs
    Whoami(whoami::Args),
}

fn main() -> ExitCode {
    // The processes of a container: they must stay small, and come before anything that makes threads.
    let mut args = std::env::args_os();
    if args.next().is_some_and(|name| container::is_init(&name)) {
        return container::init_main(args);
    }
    if args.next().as_deref() == Some(OsStr::new("shim")) {
        return container::shim_main(args);
    }
    let matches = match Program::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return cli::refuse(&error),
    };
    let program = match Program::from_arg_matches(&matches) {
        Ok(program) => program,
        Err(error) => return cli::refuse(&error),
    };
    match program.command {
        Command::Verb(verb) => talk(verb, program.host.as_deref()),
        Command::Daemon(args) => serve(args),
        Command::Lab(command) => told(lab_command::run(command)),
        Command::Whoami(args) => told(whoami::run(args)),
    }
}

fn talk(verb: cli::Verb, flag: Option<&str>) -> ExitCode {
    let env = |name: &str| std::env::var(name).ok();
    let host = cli::Host::choose(flag, env("DROVER_HOST").as_deref(), env("DOCKER_HOST").as_deref());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match (host, runtime) {
        (Ok(host), Ok(runtime)) => runtime.block_on(cli::run(verb, host, Program::command)),
        (Err(error), _) => told(Err(error.into())),
        (_, Err(error)) => told(Err(error.into())),
    }
}

fn serve(args: config::Args) -> ExitCode {
    let config = match config::Config::read(args) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("drover: {error:#}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let filter = match tracing_subscriber::EnvFilter::try_new(&config.log_level) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("drover: log-level {:?} cannot be used: {error}", config.log_level);
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    // Two providers could be compiled in; this one is used throughout.
    let _already_set = rustls::crypto::ring::default_provider().install_default();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => told(runtime.block_on(daemon::run(config))),
        Err(error) => told(Err(error.into())),
    }
}

fn told(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("drover: {error:#}");
            ExitCode::FAILURE
        }
    }
}
