//! Copies trees from root to root, and measures them.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::entry::is_directory;
use crate::make::Maker;
use crate::root::Spot;
use crate::unpack::{Owner, Replace};
use crate::walk::walk;
use crate::{Error, Root};

impl Root {
    /// Copies what the directory at a path holds into another root, and gives that the directory's own owner, mode
    /// and times; blocks.
    pub fn copy(&self, path: &Path, to: &Root) -> Result<(), Error> {
        let top = Spot { parent: self.directory(path)?, name: ".".into() };
        let mut maker = Maker::new(to, Path::new(""), Owner::AsPacked, Replace::Anything)?;
        walk(&top, path, true, &mut |found| {
            let Some((entry, file)) = found.load()? else { return Ok(()) };
            match file {
                _ if entry.path.is_empty() => maker.set_top(&entry),
                Some(mut file) => maker.make(&entry, below(&entry.path), &mut file),
                None => maker.make(&entry, below(&entry.path), &mut io::empty() as &mut dyn Read),
            }
        })?;
        maker.finish()
    }

    /// Returns how many bytes the files at a path hold, each counted once whatever names it has; blocks.
    pub fn size_bytes(&self, path: &Path) -> Result<u64, Error> {
        let (mut counted, mut bytes) = (HashSet::new(), 0);
        walk(&self.spot(path)?, path, true, &mut |found| {
            let is_first = found.stat.st_nlink < 2 || counted.insert((found.stat.st_dev, found.stat.st_ino));
            if !is_directory(found.stat) && is_first {
                bytes += u64::try_from(found.stat.st_size).unwrap_or(0);
            }
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Tells whether the directory at a path holds nothing.
    pub fn is_empty(&self, path: &Path) -> Result<bool, Error> {
        let directory = self.directory(path)?;
        let names = crate::walk::names(&directory).map_err(Error::at("list", path))?;
        Ok(names.is_empty())
    }
}

fn below(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}
