//! Builds the images that stories of users run: real servers from Debian's packages, as archives for `docker load`.
//!
//! An image is a folder of `tests/images`: `recipe.json` names the packages and holds the image's configuration, `root`
//! holds files to add, `setup.sh` finishes the root. What is built is kept until its recipe changes.

mod archive;
mod recipe;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{program, workspace};
use recipe::Recipe;

/// Debian's release that the packages come from.
const SUITE: &str = "bookworm";
/// What no test reads, and what a third of the base's files are.
const LEFT_OUT: &[&str] =
    &["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*"];

/// Which images to build.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folders of tests/images; all of them without a name
    names: Vec<String>,
    /// Build again what is there
    #[arg(long)]
    force: bool,
}

/// Builds images and prints the paths of their archives.
pub fn run(arguments: Arguments) -> Result<()> {
    let names = if arguments.names.is_empty() { recipe::all()? } else { arguments.names };
    for name in &names {
        let path = build(name, arguments.force).with_context(|| format!("build image {name}"))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Builds one image if it is missing or its recipe has changed, and returns its archive.
pub fn build(name: &str, force: bool) -> Result<PathBuf> {
    let recipe = Recipe::read(name)?;
    let folder = workspace::target_folder()?.join("images");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let (path, stamp) = (folder.join(format!("{name}.tar")), folder.join(format!("{name}.recipe")));
    let is_current = path.exists() && std::fs::read_to_string(&stamp).is_ok_and(|made| made == recipe.digest);
    if is_current && !force {
        return Ok(path);
    }
    crate::demo::require_root()?;
    eprintln!("building image {name}");
    // Of its own for each process, so that two that build the same image do not meet.
    let scratch = folder.join(format!(".{name}.{}", std::process::id()));
    let result = assemble(&recipe, &folder, &scratch, &path);
    let cleared = std::fs::remove_dir_all(&scratch);
    result?;
    cleared.with_context(|| format!("remove {}", scratch.display()))?;
    std::fs::write(&stamp, &recipe.digest).with_context(|| format!("write {}", stamp.display()))?;
    Ok(path)
}

fn assemble(recipe: &Recipe, folder: &Path, scratch: &Path, path: &Path) -> Result<()> {
    std::fs::create_dir_all(scratch).with_context(|| format!("make {}", scratch.display()))?;
    let base = match recipe.has_base {
        true => base(folder)?,
        false => {
            let empty = scratch.join("empty");
            std::fs::create_dir(&empty).with_context(|| format!("make {}", empty.display()))?;
            empty
        }
    };
    let layer = scratch.join("layer");
    let mut script = Command::new("unshare");
    script.args(["--mount", "--propagation", "private", "--fork", "--kill-child"]);
    script.arg(recipe::folder().join("layer.sh")).arg(&recipe.folder).arg(&base).arg(&layer);
    script.args(&recipe.packages);
    program::output(&mut script)?;
    let layers = if recipe.has_base { vec![base, layer] } else { vec![layer] };
    archive::write(recipe, &layers, scratch, path)
}

/// Returns Debian's smallest root that has apt, made once.
fn base(folder: &Path) -> Result<PathBuf> {
    let base = folder.join("base");
    if base.exists() {
        return Ok(base);
    }
    eprintln!("building the base, Debian's {SUITE}");
    let begun = folder.join(format!(".base.{}", std::process::id()));
    let mut bootstrap = Command::new("mmdebstrap");
    bootstrap.args(["--quiet", "--variant=minbase", "--format=directory"]);
    bootstrap.args(LEFT_OUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
    bootstrap.arg(SUITE).arg(&begun);
    let made = program::output(&mut bootstrap).map(drop);
    // Somebody else may have been faster; theirs is as good.
    let moved = made.and_then(|()| Ok(std::fs::rename(&begun, &base)?));
    if moved.is_err() {
        let _ = std::fs::remove_dir_all(&begun);
    }
    match moved {
        Err(error) if !base.exists() => bail!(error.context("make the base")),
        Ok(()) | Err(_) => Ok(base),
    }
}
