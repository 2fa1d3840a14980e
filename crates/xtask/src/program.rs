//! Running other programs, and saying which one failed.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a program with this one's terminal; it must succeed.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {}", shown(command)))?;
    if status.success() { Ok(()) } else { bail!("{} failed: {status}", shown(command)) }
}

/// Runs a program that must succeed, and returns what it printed.
pub fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("start {}", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed: {}\n{}", shown(command), output.status, said.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} printed no text", shown(command)))
}

/// Writes a command as a person would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quote =
        |word: &str| if word.contains([' ', '{', '"']) { format!("'{word}'") } else { word.to_owned() };
    words.map(|word| quote(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}
