//! What a volume holds: filled, measured, exported and imported.

use std::io::{Read, Write};
use std::path::Path;

use archive::{Mounts, Owner, Packing, Replace, Root, Top, TopDirectory, Unpacking};

use crate::volumes::lock;
use crate::{Creation, Error, Volume, Volumes, name};

/// What an archive may be unpacked onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onto {
    /// A volume that holds nothing, so that nothing is mixed or lost unawares.
    Nothing,
    /// Whatever the volume holds: what has the same name is replaced, the rest stays.
    Anything,
}

impl Volumes {
    /// Copies a directory into an empty volume, which gets its owner, mode and times; tells whether it did.
    ///
    /// Nothing is copied if the volume holds something, or if there is no such directory. Filling that was cut off is
    /// begun again. The volume must be acquired.
    pub fn fill(&self, name: &str, from: &Root, path: &Path) -> Result<bool, Error> {
        let volume = self.get(name)?;
        let busy = self.busy(name);
        let _busy = lock(&busy);
        let failed = Error::content("fill", name);
        let to = Root::open(&volume.mount_point).map_err(&failed)?;
        let disk = &self.host.disk;
        if !disk.is_filling(name) && !to.is_empty(Path::new("")).map_err(&failed)? {
            return Ok(false);
        }
        match from.below(path) {
            Err(archive::Error::NotFound { .. } | archive::Error::NotADirectory { .. }) => return Ok(false),
            found => found.map_err(&failed)?,
        };
        disk.begin_filling(name)?;
        from.copy(path, &to).map_err(failed)?;
        disk.end_filling(name)?;
        Ok(true)
    }

    /// Returns how many bytes a volume's files hold.
    pub fn usage_bytes(&self, name: &str) -> Result<u64, Error> {
        let failed = Error::content("measure", name);
        let root = Root::open(&self.mount_point(name)?).map_err(&failed)?;
        root.size_bytes(Path::new("/")).map_err(failed)
    }

    /// Writes what a volume holds as tar.
    pub fn export(&self, name: &str, out: impl Write) -> Result<(), Error> {
        self.visit(name, |root| {
            let packing = Packing { top: Top::Dot, mounts: Mounts::Cross };
            root.pack(Path::new("/"), packing, out).map_err(Error::content("export", name))
        })
    }

    /// Unpacks a tar stream into a volume, made if there is none of this name; a failure leaves no new volume.
    pub fn import(&self, name: &str, onto: Onto, input: impl Read) -> Result<Volume, Error> {
        let is_new = matches!(self.get(name), Err(Error::NotFound { .. }));
        let volume = self.create(Creation::named(name))?;
        let imported = self.visit(name, |root| {
            let is_empty = || root.is_empty(Path::new("")).map_err(Error::content("look into", name));
            if onto == Onto::Nothing && !is_empty()? {
                return Err(Error::NotEmpty { name: name.to_owned() });
            }
            let unpacking =
                Unpacking { owner: Owner::AsPacked, replace: Replace::Anything, top: TopDirectory::Set };
            root.unpack(Path::new("/"), input, unpacking).map_err(Error::content("import", name))
        });
        match imported {
            Ok(()) => Ok(volume),
            Err(error) => {
                if is_new && let Err(error) = self.remove(name) {
                    tracing::warn!(volume = name, %error, "a volume that could not be imported stays");
                }
                Err(error)
            }
        }
    }

    /// Works on a volume while it is acquired.
    fn visit<T>(&self, name: &str, work: impl FnOnce(&Root) -> Result<T, Error>) -> Result<T, Error> {
        let visitor = name::anonymous();
        let path = self.acquire(name, &visitor)?;
        let result = Root::open(&path).map_err(Error::content("open", name)).and_then(|root| work(&root));
        let released = self.release(name, &visitor);
        result.and_then(|value| released.map(|()| value))
    }
}
