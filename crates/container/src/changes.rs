//! What a container has changed of its image, as its writable layer tells.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::layer::{Layer, entry, names};
use crate::{Containers, Error};

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// The image has it, and the container changed it or something below it.
    Modified,
    /// Only the container has it.
    Added,
    /// The image has it, and the container removed it.
    Deleted,
}

/// One path that is not as in the image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The absolute path inside the container.
    pub path: PathBuf,
    /// What became of it.
    pub kind: ChangeKind,
}

impl Containers {
    /// Lists what the container has changed of its image, by path; volumes and other mounts are no part of it.
    pub async fn changes(&self, id: &str) -> Result<Vec<Change>, Error> {
        let container = self.entry(id)?;
        let read = spawn_blocking(move || changes(&container.place.upper(), &container.spec().layers));
        read.await
            .expect("comparing files does not panic")
            .map_err(Error::io("read the writable layer of", id))
    }

    /// Returns how much the files weigh that the container has written or changed.
    pub async fn writable_bytes(&self, id: &str) -> Result<u64, Error> {
        let container = self.entry(id)?;
        let read = spawn_blocking(move || weight(&container.place.upper()));
        read.await
            .expect("counting files does not panic")
            .map_err(Error::io("read the writable layer of", id))
    }
}

/// A directory that is being compared.
struct Pending {
    /// Its path below the root.
    path: PathBuf,
    /// The layers that contribute to it, topmost first.
    lower: Vec<usize>,
}

fn changes(upper: &Path, layers: &[PathBuf]) -> io::Result<Vec<Change>> {
    let upper = Layer::open(upper)?;
    let layers = layers.iter().map(|layer| Layer::open(layer)).collect::<io::Result<Vec<_>>>()?;
    let mut found = Found::new();
    // Directories wait in a list: a container can nest them deeper than a stack is.
    let mut waiting = vec![Pending { path: PathBuf::new(), lower: (0..layers.len()).collect() }];
    while let Some(Pending { path, lower }) = waiting.pop() {
        let Some(dir) = upper.dir(&path)? else { continue };
        for name in names(&dir)? {
            let path = path.join(&name);
            let Some(meta) = entry(&dir, &name)? else { continue };
            let image = Image::look_up(&layers, &lower, &path)?;
            let kind = match &image {
                Some(_) if is_whiteout(&meta) => Some(ChangeKind::Deleted),
                None if is_whiteout(&meta) => None,
                None => Some(ChangeKind::Added),
                Some(image) => differs(&image.meta, &meta).then_some(ChangeKind::Modified),
            };
            found.extend(kind.map(|kind| (path.clone().into_os_string(), kind)));
            let (was_dir, is_dir) = (image.as_ref().is_some_and(|image| image.meta.is_dir()), meta.is_dir());
            let lower = image.map(|image| image.dirs).unwrap_or_default();
            // A directory that was made anew hides what the image has in it.
            if was_dir && (!is_dir || upper.is_opaque(&path)) && !is_whiteout(&meta) {
                let kept = upper.dir(&path)?.map(|dir| names(&dir)).transpose()?.unwrap_or_default();
                let gone = children(&layers, &lower, &path)?.into_iter().filter(|name| !kept.contains(name));
                found.extend(gone.map(|name| (path.join(name).into_os_string(), ChangeKind::Deleted)));
            }
            if is_dir {
                waiting.push(Pending { path, lower });
            }
        }
    }
    Ok(with_parents(found))
}

/// What became of the paths below the root, in the order of their bytes.
type Found = BTreeMap<OsString, ChangeKind>;

/// Adds the directories above each change, which count as changed themselves.
fn with_parents(mut found: Found) -> Vec<Change> {
    for path in found.keys().map(PathBuf::from).collect::<Vec<_>>() {
        // What is above a change that was found is added with that one.
        let above = path.ancestors().skip(1).take_while(|above| !above.as_os_str().is_empty());
        let added = above.take_while(|above| !found.contains_key(above.as_os_str())).map(Path::to_owned);
        for parent in added.collect::<Vec<_>>() {
            found.insert(parent.into_os_string(), ChangeKind::Modified);
        }
    }
    found.into_iter().map(|(path, kind)| Change { path: Path::new("/").join(path), kind }).collect()
}

/// What the image has at a path.
struct Image {
    meta: Metadata,
    /// The layers that contribute to it, if it is a directory.
    dirs: Vec<usize>,
}

impl Image {
    fn look_up(layers: &[Layer], lower: &[usize], path: &Path) -> io::Result<Option<Image>> {
        let mut found: Option<Image> = None;
        for &number in lower {
            let layer = &layers[number];
            let Some(meta) = layer.stat(path)? else { continue };
            if is_whiteout(&meta) {
                break;
            }
            let is_dir = meta.is_dir();
            match &mut found {
                None => found = Some(Image { meta, dirs: if is_dir { vec![number] } else { Vec::new() } }),
                Some(image) if is_dir => image.dirs.push(number),
                Some(_) => break,
            }
            if !is_dir || layer.is_opaque(path) {
                break;
            }
        }
        Ok(found)
    }
}

/// Lists what a directory of the image holds.
fn children(layers: &[Layer], lower: &[usize], path: &Path) -> io::Result<BTreeSet<OsString>> {
    let mut all = BTreeSet::new();
    for &number in lower {
        if let Some(dir) = layers[number].dir(path)? {
            all.extend(names(&dir)?);
        }
    }
    let mut shown = BTreeSet::new();
    for name in all {
        if Image::look_up(layers, lower, &path.join(&name))?.is_some() {
            shown.insert(name);
        }
    }
    Ok(shown)
}

/// Returns whether a file is not the image's any more; when a directory was written to is no difference.
fn differs(image: &Metadata, own: &Metadata) -> bool {
    let rights = |meta: &Metadata| (meta.mode(), meta.uid(), meta.gid(), meta.rdev());
    let contents = |meta: &Metadata| (meta.size(), meta.mtime(), meta.mtime_nsec());
    rights(image) != rights(own) || (!own.is_dir() && contents(image) != contents(own))
}

/// Returns whether a file stands for one that was removed.
fn is_whiteout(meta: &Metadata) -> bool {
    meta.file_type().is_char_device() && meta.rdev() == 0
}

/// Sums the files of a tree up; a file with several names counts once.
fn weight(upper: &Path) -> io::Result<u64> {
    let upper = Layer::open(upper)?;
    let (mut bytes, mut counted) = (0, BTreeSet::new());
    let mut waiting = vec![PathBuf::new()];
    while let Some(path) = waiting.pop() {
        let Some(dir) = upper.dir(&path)? else { continue };
        for name in names(&dir)? {
            let Some(meta) = entry(&dir, &name)? else { continue };
            if meta.is_dir() {
                waiting.push(path.join(name));
            } else if meta.nlink() == 1 || counted.insert(meta.ino()) {
                bytes += meta.size();
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Lists changes as `docker diff` prints them.
    fn shown(upper: &Path, layers: &[PathBuf]) -> String {
        let line = |change: Change| {
            let letter = match change.kind {
                ChangeKind::Modified => 'C',
                ChangeKind::Added => 'A',
                ChangeKind::Deleted => 'D',
            };
            format!("{letter} {}", change.path.display())
        };
        changes(upper, layers).unwrap().into_iter().map(line).collect::<Vec<_>>().join(", ")
    }

    /// Makes files below a directory; a path that ends in `/` is a directory.
    fn make(dir: &Path, paths: &[&str]) {
        for path in paths {
            let path = dir.join(path);
            if path.to_str().unwrap().ends_with('/') {
                fs::create_dir_all(&path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, path.file_name().unwrap().as_encoded_bytes()).unwrap();
            }
        }
    }

    #[test]
    fn unchanged_directories_on_the_way_are_no_change_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let (upper, lower) = (dir.path().join("upper"), dir.path().join("lower"));
        make(&lower, &["etc/kept", "srv/old", "a/b/"]);
        make(&upper, &["srv/new", "a/b/"]);

        assert_eq!(shown(&upper, &[lower]), "C /srv, A /srv/new");
    }

    #[test]
    fn what_changes_its_kind_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (upper, lower) = (dir.path().join("upper"), dir.path().join("lower"));
        make(&lower, &["dir/inner", "file"]);
        make(&upper, &["dir", "file/inner"]);

        assert_eq!(shown(&upper, &[lower]), "C /dir, D /dir/inner, C /file, A /file/inner");
    }

    #[test]
    fn links_of_the_container_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (upper, lower) = (dir.path().join("upper"), dir.path().join("lower"));
        make(&lower, &["etc/"]);
        make(&upper, &[]);
        fs::create_dir_all(&upper).unwrap();
        std::os::unix::fs::symlink("/etc", upper.join("etc")).unwrap();
        std::os::unix::fs::symlink("/", upper.join("host")).unwrap();

        assert_eq!(shown(&upper, &[lower]), "C /etc, A /host");
        assert_eq!(weight(&upper).unwrap(), 5);
    }

    #[test]
    fn deep_trees_are_walked_to_their_end() {
        let dir = tempfile::tempdir().unwrap();
        let (upper, lower) = (dir.path().join("upper"), dir.path().join("lower"));
        make(&lower, &["x/"]);
        let deep = "d/".repeat(1_000);
        make(&upper, &[&deep]);

        assert_eq!(changes(&upper, &[lower]).unwrap().len(), 1_000);
    }

    #[test]
    fn file_with_two_names_weighs_once() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &["one/12345", "two/"]);
        fs::hard_link(dir.path().join("one/12345"), dir.path().join("two/other")).unwrap();

        assert_eq!(weight(dir.path()).unwrap(), 5);
    }
}
