//! This host's side of a copy.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::place::{Source, Target, base, followed};

/// How many links in a row are followed.
const LINKS_MAX: usize = 40;

/// Refuses a destination whose directory is missing, and one that is neither a file nor a directory.
pub(super) fn check_output(path: &Path) -> Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    if let Some(directory) = directory.filter(|directory| !directory.exists()) {
        bail!("invalid output path: directory \"{}\" does not exist", directory.display());
    }
    if std::fs::metadata(path).is_ok_and(|found| !found.is_dir() && !found.is_file()) {
        bail!("invalid output path: \"{}\" must be a directory or a regular file", path.display());
    }
    Ok(())
}

/// Looks at a destination, links followed, also those that point nowhere.
pub(super) fn target(path: &str) -> Result<Target> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(link) = std::fs::read_link(path.trim_end_matches('/')) else { break };
        path = followed(&path, &link.to_string_lossy());
    }
    let found = std::fs::metadata(&path).ok();
    let is_directory = found.as_ref().is_some_and(std::fs::Metadata::is_dir);
    Ok(Target { path, exists: found.is_some(), is_directory })
}

/// Looks at a source, and returns its whole path beside it.
pub(super) fn source(path: &str, follows: bool) -> Result<(PathBuf, Source)> {
    let whole = std::path::absolute(path)?;
    // What `absolute` takes away means something here.
    let suffix = if path.ends_with("/.") || path == "." {
        "/."
    } else if path.ends_with('/') {
        "/"
    } else {
        ""
    };
    let text = format!("{}{suffix}", whole.to_string_lossy().trim_end_matches("/."));
    let text = if text.is_empty() { "/".to_owned() } else { text };
    let lstat = || format!("lstat {}", whole.display());
    let found = if suffix.is_empty() { std::fs::symlink_metadata(&text) } else { std::fs::metadata(&text) };
    let found = found.with_context(lstat)?;
    if follows && found.is_symlink() {
        let real = std::fs::canonicalize(&text).with_context(lstat)?;
        let is_directory = real.is_dir();
        let name = base(&real.to_string_lossy());
        return Ok((real, Source { name, shown: base(&text), is_directory }));
    }
    let source = Source { name: base(&text), shown: None, is_directory: found.is_dir() };
    Ok((text.into(), source))
}

/// Returns the user and the group that this program's files get.
pub(super) fn owner() -> Result<(u32, u32)> {
    let own = std::fs::metadata("/proc/self").context("look at this process")?;
    Ok((own.uid(), own.gid()))
}
