//! Small steps on files that must survive a power cut.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::Error;

/// Makes renames and removals in a folder durable.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", dir))
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(Error::io("remove", path)),
    }
}

/// Returns the files called `PREFIXnumber`, by number.
pub(crate) fn numbered(dir: &Path, prefix: &str) -> Result<Vec<(u64, PathBuf)>, Error> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = item.map_err(Error::io("list", dir))?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_prefix(prefix))
            .filter(|digits| digits.len() == DIGITS)
            .and_then(|digits| digits.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

/// Enough for every `u64`, so that names sort as their numbers do.
const DIGITS: usize = 20;

/// Returns the path of the file with this prefix and number.
pub(crate) fn path(dir: &Path, prefix: &str, number: u64) -> PathBuf {
    dir.join(format!("{prefix}{number:0DIGITS$}"))
}
