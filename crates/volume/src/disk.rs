//! Volumes as folders on disk.
//!
//! A folder is prepared under a name that no volume may have and renamed when it is whole; it is renamed back before it
//! is removed. What is found under such names at the next start is left over.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::{Error, Volume, name};

const DATA: &str = "_data";
const METADATA: &str = "volume.json";
/// Is there while a volume is filled for the first time.
const FILLING: &str = "filling";
const DRAFT: &str = ".draft-";
const TRASH: &str = ".trash-";

/// What is remembered of a volume.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    created_unix_s: u64,
    labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
}

/// The folder of all volumes.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Opens the folder, made if missing, and removes what is left over in it.
    pub(crate) fn open(root: &Path) -> Result<Disk, Error> {
        // Containers' users pass through it to their volumes, and list nothing.
        DirBuilder::new().recursive(true).mode(0o711).create(root).map_err(Error::file("make", root))?;
        let disk = Disk { root: root.to_owned() };
        for file_name in disk.file_names()? {
            if file_name.starts_with(DRAFT) || file_name.starts_with(TRASH) {
                let path = root.join(&file_name);
                if let Err(error) = remove_folder(&path) {
                    tracing::warn!(%error, "what is left of a volume stays");
                }
            }
        }
        Ok(disk)
    }

    /// Reads all volumes.
    pub(crate) fn volumes(&self) -> Result<Vec<Volume>, Error> {
        let names = self.file_names()?;
        names.iter().filter_map(|name| self.read(name).transpose()).collect()
    }

    /// Reads a volume; nothing if there is no folder with its data.
    ///
    /// A folder that somebody made by hand is a volume without labels, as old as the folder.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Volume>, Error> {
        let mount_point = self.mount_point(name);
        if name::check(name).is_err() || !mount_point.is_dir() {
            return Ok(None);
        }
        let path = self.root.join(name).join(METADATA);
        let metadata = match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(io::Error::from).map_err(Error::file("read", &path))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = fs::metadata(&mount_point).and_then(|found| found.modified());
                let made = made.map_err(Error::file("look at", &mount_point))?;
                let metadata = Metadata {
                    created_unix_s: unix_seconds(made),
                    labels: BTreeMap::new(),
                    options: BTreeMap::new(),
                };
                write_metadata(&path, &metadata)?;
                metadata
            }
            Err(error) => return Err(Error::file("read", &path)(error)),
        };
        let Metadata { created_unix_s, labels, options } = metadata;
        let created = SystemTime::UNIX_EPOCH + Duration::from_secs(created_unix_s);
        Ok(Some(Volume { name: name.to_owned(), options, labels, created, mount_point }))
    }

    /// Makes the folder of a volume that has none.
    pub(crate) fn create(
        &self,
        name: &str,
        labels: BTreeMap<String, String>,
        options: BTreeMap<String, String>,
    ) -> Result<Volume, Error> {
        let created_unix_s = unix_seconds(SystemTime::now());
        let draft = self.root.join(format!("{DRAFT}{}", name::anonymous()));
        let metadata = Metadata { created_unix_s, labels, options };
        let made = make_folder(&draft, &metadata).and_then(|()| {
            let folder = self.root.join(name);
            // A folder without data is in the way: it holds nothing of a volume.
            let _ = fs::remove_dir(&folder);
            fs::rename(&draft, &folder).map_err(Error::file("make", &folder))
        });
        if let Err(error) = made {
            let _ = remove_folder(&draft);
            return Err(error);
        }
        self.sync()?;
        let Metadata { created_unix_s, labels, options } = metadata;
        let created = SystemTime::UNIX_EPOCH + Duration::from_secs(created_unix_s);
        Ok(Volume { name: name.to_owned(), options, labels, created, mount_point: self.mount_point(name) })
    }

    /// Takes a volume's folder out of the way, at once; returns what is left to be removed.
    pub(crate) fn set_aside(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let folder = self.root.join(name);
        let trash = self.root.join(format!("{TRASH}{}", name::anonymous()));
        match fs::rename(&folder, &trash) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(Error::file("remove", &folder))?,
        }
        self.sync()?;
        Ok(Some(trash))
    }

    pub(crate) fn mount_point(&self, name: &str) -> PathBuf {
        self.root.join(name).join(DATA)
    }

    /// Tells whether filling a volume for the first time was begun and did not end.
    pub(crate) fn is_filling(&self, name: &str) -> bool {
        self.root.join(name).join(FILLING).exists()
    }

    pub(crate) fn begin_filling(&self, name: &str) -> Result<(), Error> {
        let path = self.root.join(name).join(FILLING);
        fs::write(&path, "").map_err(Error::file("write", &path))
    }

    pub(crate) fn end_filling(&self, name: &str) -> Result<(), Error> {
        let path = self.root.join(name).join(FILLING);
        fs::remove_file(&path).map_err(Error::file("remove", &path))
    }

    fn file_names(&self) -> Result<Vec<String>, Error> {
        let failed = Error::file("list", &self.root);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(&failed)? {
            names.extend(entry.map_err(&failed)?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn sync(&self) -> Result<(), Error> {
        File::open(&self.root).and_then(|root| root.sync_all()).map_err(Error::file("sync", &self.root))
    }
}

fn make_folder(folder: &Path, metadata: &Metadata) -> Result<(), Error> {
    let data = folder.join(DATA);
    for (path, mode) in [(folder, 0o711), (&*data, 0o755)] {
        let made =
            fs::create_dir(path).and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)));
        made.map_err(Error::file("make", path))?;
    }
    write_metadata(&folder.join(METADATA), metadata)
}

fn write_metadata(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    let draft = path.with_extension("draft");
    let write = || {
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(metadata)?)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(Error::file("write", path))
}

/// Removes a folder with all it holds.
pub(crate) fn remove_folder(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(Error::file("remove", path)),
    }
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
