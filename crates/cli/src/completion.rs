//! `completion`: scripts for shells.

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;
use client::Context;

/// Which shell.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(context: &mut Context, arguments: Arguments, mut program: Command) -> Result<()> {
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, name, &mut script);
    Ok(context.console.write_bytes(&script)?)
}
