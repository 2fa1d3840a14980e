//! Builds the release binary: one static file that runs in an empty root.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{program, workspace};

/// A binary larger than this is a mistake in the dependencies.
const SIZE_MAX_BYTES: u64 = 40 << 20;

/// What rustc is told for the target, and only for it: build scripts run on the machine as usual.
///
/// A position-independent program is relocated when it starts, which writes to some hundred kilobytes of its pages.
/// Every shim and every `drover/whoami` would have those pages for itself; a program at a fixed address shares them.
const RUSTFLAGS: &str = "-C target-feature=+crt-static -C relocation-model=static";

/// How the binary is built.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Build it in a fraction of the time: slower and larger, for tests
    #[arg(long)]
    quick: bool,
}

/// Builds the binary, prints where it is and how large, and returns its path.
pub fn run(arguments: Arguments) -> Result<PathBuf> {
    let host = host()?;
    let profile = if arguments.quick { "quick" } else { "release" };
    let mut build = workspace::cargo();
    build.args([
        "build",
        "--locked",
        "--profile",
        profile,
        "--package",
        "drover",
        "--bin",
        "drover",
        "--target",
        &host,
    ]);
    build.env("RUSTFLAGS", RUSTFLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    program::run(&mut build)?;
    let path = workspace::target_folder()?.join(host).join(profile).join("drover");
    let size = std::fs::metadata(&path).with_context(|| format!("look at {}", path.display()))?.len();
    if size > SIZE_MAX_BYTES && !arguments.quick {
        bail!("{} has {size} bytes, above the limit of {SIZE_MAX_BYTES}", path.display());
    }
    eprintln!("static binary, {:.1} MiB:", size as f64 / f64::from(1 << 20));
    println!("{}", path.display());
    Ok(path)
}

/// Returns the triple of this machine.
fn host() -> Result<String> {
    let mut rustc = std::process::Command::new("rustc");
    let text = program::output(rustc.arg("-vV").current_dir(workspace::root()))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}
