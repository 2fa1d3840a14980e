//! What the kernel alone takes for the same: namespaces, a root and a program, without image, network, log or daemon.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::super::ground::Ground;
use super::Arguments;
use super::runs::{Times, measure_runs};
use crate::program;

/// Runs `true` in namespaces of its own.
pub fn measure(ground: &Ground, archive: &Path, arguments: &Arguments) -> Result<Times> {
    let root = ground.folder().join("floor");
    unpack_into(archive, &root)?;
    measure_runs(arguments, || {
        let mut run = Command::new("unshare");
        run.args(["--mount", "--pid", "--fork", "--net", "--uts", "--ipc", "chroot"])
            .arg(&root)
            .arg("/bin/true");
        run.stdin(Stdio::null()).spawn().context("start unshare")
    })
}

/// Returns how long tar takes to unpack an image's layers.
pub fn unpack(ground: &Ground, archive: &Path) -> Result<Duration> {
    let began = Instant::now();
    unpack_into(archive, &ground.folder().join("floor-unpack"))?;
    Ok(began.elapsed())
}

fn unpack_into(archive: &Path, root: &Path) -> Result<()> {
    fs::create_dir_all(root).with_context(|| format!("make {}", root.display()))?;
    let list = program::output(Command::new("tar").arg("-tf").arg(archive))?;
    for layer in list.lines().filter(|name| name.ends_with(".tar")) {
        let mut unpack = Command::new("sh");
        unpack.args(["-c", "tar -xOf \"$0\" \"$1\" | tar -x -C \"$2\""]).arg(archive).arg(layer).arg(root);
        program::output(&mut unpack)?;
    }
    Ok(())
}
