//! The volumes of one host behind one handle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, remove_folder};
use crate::{ANONYMOUS_LABEL, Creation, DRIVER, Error, Volume, name, options};

/// Owns the volumes of a host; clones share them.
#[derive(Debug, Clone)]
pub struct Volumes {
    pub(crate) host: Arc<Host>,
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) disk: Disk,
    known: Mutex<BTreeMap<String, Known>>,
}

/// Is a volume and who uses it.
#[derive(Debug)]
struct Known {
    volume: Volume,
    users: BTreeSet<String>,
    /// Held by whoever mounts, unmounts or fills it.
    busy: Arc<Mutex<()>>,
}

impl Known {
    fn new(volume: Volume) -> Known {
        Known { volume, users: BTreeSet::new(), busy: Arc::default() }
    }
}

impl Volumes {
    /// Opens the folder of volumes, and removes what an earlier run left half made or half removed.
    ///
    /// What was mounted is mounted still: acquire what is used, then call [`Volumes::unmount_unused`].
    pub fn open(root: &Path) -> Result<Volumes, Error> {
        let disk = Disk::open(root)?;
        let known = disk.volumes()?.into_iter().map(|volume| (volume.name.clone(), Known::new(volume)));
        let known = Mutex::new(known.collect());
        Ok(Volumes { host: Arc::new(Host { disk, known }) })
    }

    /// Makes a volume, or returns the one that has this name, whatever its labels and options.
    pub fn create(&self, creation: Creation) -> Result<Volume, Error> {
        let Creation { name, driver, options, mut labels } = creation;
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| {
            labels.insert(ANONYMOUS_LABEL.to_owned(), String::new());
            name::anonymous()
        });
        if !driver.is_empty() && driver != DRIVER {
            return Err(Error::UnknownDriver { name, driver });
        }
        name::check(&name)?;
        options::check(&name, &options)?;
        let mut known = self.known();
        if let Some(present) = self.look(&mut known, &name)? {
            return Ok(present);
        }
        let volume = self.host.disk.create(&name, labels, options)?;
        known.insert(name, Known::new(volume.clone()));
        Ok(volume)
    }

    /// Lists all volumes by name.
    pub fn list(&self) -> Vec<Volume> {
        self.known().values().map(|known| known.volume.clone()).collect()
    }

    /// Returns a volume; one that somebody put into the folder by hand is taken up.
    pub fn get(&self, name: &str) -> Result<Volume, Error> {
        let found = self.look(&mut self.known(), name)?;
        found.ok_or_else(|| Error::NotFound { name: name.to_owned() })
    }

    /// Removes a volume with all it holds, unless it is acquired.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let volume = self.get(name)?;
        let mut known = self.known();
        let users: Vec<_> =
            known.get(name).map(|found| found.users.iter().cloned().collect()).unwrap_or_default();
        if !users.is_empty() {
            return Err(Error::InUse { name: name.to_owned(), users });
        }
        options::unmount_from(&volume.options, &volume.mount_point)?;
        let left = self.host.disk.set_aside(name)?;
        known.remove(name);
        drop(known);
        left.map_or(Ok(()), |left| remove_folder(&left))
    }

    /// Returns the directory with what a volume holds.
    pub fn mount_point(&self, name: &str) -> Result<PathBuf, Error> {
        Ok(self.get(name)?.mount_point)
    }

    /// Notes that `user` uses a volume, mounts it if that is to be done, and returns its directory.
    ///
    /// A user who acquires twice releases once.
    pub fn acquire(&self, name: &str, user: &str) -> Result<PathBuf, Error> {
        let (volume, busy) = self.enter(name, user)?;
        let _busy = lock(&busy);
        let mounted = fs::create_dir_all(&volume.mount_point)
            .map_err(Error::file("make", &volume.mount_point))
            .and_then(|()| options::mount_on(&volume.options, &volume.mount_point));
        match mounted {
            Ok(()) => Ok(volume.mount_point),
            Err(error) => {
                self.leave(name, user);
                Err(error)
            }
        }
    }

    /// Notes that `user` uses a volume no more; the last one's leaving unmounts it.
    pub fn release(&self, name: &str, user: &str) -> Result<(), Error> {
        let Some((volume, busy)) = self.leave(name, user) else { return Ok(()) };
        let _busy = lock(&busy);
        // Somebody may have come meanwhile.
        if self.known().get(name).is_some_and(|known| known.users.is_empty()) {
            options::unmount_from(&volume.options, &volume.mount_point)?;
        }
        Ok(())
    }

    /// Unmounts the volumes that nobody acquired; for the start, after all that run have.
    pub fn unmount_unused(&self) -> Result<(), Error> {
        let known = self.known();
        let unused = known.values().filter(|known| known.users.is_empty());
        let results =
            unused.map(|known| options::unmount_from(&known.volume.options, &known.volume.mount_point));
        results.fold(Ok(()), Result::and)
    }

    /// Returns a volume that is known or on disk.
    fn look(&self, known: &mut BTreeMap<String, Known>, name: &str) -> Result<Option<Volume>, Error> {
        if let Some(found) = known.get(name) {
            return Ok(Some(found.volume.clone()));
        }
        let found = self.host.disk.read(name)?;
        if let Some(volume) = &found {
            known.insert(name.to_owned(), Known::new(volume.clone()));
        }
        Ok(found)
    }

    fn enter(&self, name: &str, user: &str) -> Result<(Volume, Arc<Mutex<()>>), Error> {
        let mut known = self.known();
        self.look(&mut known, name)?;
        let found = known.get_mut(name).ok_or_else(|| Error::NotFound { name: name.to_owned() })?;
        found.users.insert(user.to_owned());
        Ok((found.volume.clone(), found.busy.clone()))
    }

    fn leave(&self, name: &str, user: &str) -> Option<(Volume, Arc<Mutex<()>>)> {
        let mut known = self.known();
        let found = known.get_mut(name)?;
        found.users.remove(user);
        Some((found.volume.clone(), found.busy.clone()))
    }

    /// Keeps others from filling or mounting a volume while it lives.
    pub(crate) fn busy(&self, name: &str) -> Arc<Mutex<()>> {
        self.known().get(name).map(|known| known.busy.clone()).unwrap_or_default()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        lock(&self.host.known)
    }
}

/// Every change is a single step, so that a panic elsewhere leaves nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
