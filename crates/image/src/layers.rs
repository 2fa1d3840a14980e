//! The unpacked layers on disk: each once, whatever number of images share it.
//!
//! `layers/NUMBER/fs` is the directory overlayfs mounts, beside it `skeleton` and `layer.json`. Numbers keep the paths
//! short: all lower directories of a mount have to fit into one page of options.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use registry::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::disk::{self, Staging, failed};
use crate::packed;
pub(crate) use crate::packed::Packed;
use crate::skeleton;
use crate::unpack::Unpacked;

pub(crate) const FILES: &str = "fs";
pub(crate) const SKELETON: &str = "skeleton";
const RECORD: &str = "layer.json";

/// What `layer.json` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    diff_id: Digest,
    size_bytes: u64,
    tar_bytes: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    packed: Vec<Packed>,
}

#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) diff_id: Digest,
    /// Holds `fs` and `skeleton`.
    pub(crate) directory: PathBuf,
    pub(crate) size_bytes: u64,
    pub(crate) tar_bytes: u64,
    /// Its packed forms, the last one noted at the end.
    pub(crate) packed: Vec<Packed>,
}

impl Layer {
    pub(crate) fn files(&self) -> PathBuf {
        self.directory.join(FILES)
    }

    /// Writes the very tar stream the layer was unpacked from; it fails at the end if that is not what came out.
    pub(crate) fn write_tar(&self, out: impl Write) -> io::Result<()> {
        let skeleton = fs::File::open(self.directory.join(SKELETON))?;
        let mut hashing = Hashing { out, hasher: Sha256::new() };
        skeleton::rebuild(skeleton, &self.files(), &mut hashing)?;
        if Digest::finish(hashing.hasher) == self.diff_id {
            return Ok(());
        }
        let text = format!(
            "layer {} does not come out with its digest: its files were changed, or it names one twice",
            self.diff_id.short()
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }

    fn record(&self) -> Vec<u8> {
        let Self { diff_id, directory: _, size_bytes, tar_bytes, packed } = self.clone();
        let record = Record { diff_id, size_bytes, tar_bytes, packed };
        serde_json::to_vec(&record).expect("a record of digests and numbers is always JSON")
    }
}

struct Hashing<W> {
    out: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// All layers of one root directory.
#[derive(Debug)]
pub(crate) struct Layers {
    directory: PathBuf,
    staging: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<Digest, Layer>,
    next_number: u64,
    /// Layers that someone is about to use, and how many.
    pins: HashMap<Digest, usize>,
    /// Layers whose files may not have reached the disk.
    unsynced: BTreeSet<Digest>,
    /// One lock for each layer that is being fetched.
    busy: HashMap<Digest, Weak<tokio::sync::Mutex<()>>>,
}

/// Keeps a layer from being removed before an image refers to it.
pub(crate) struct Pin {
    layers: Arc<Layers>,
    diff_id: Digest,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.layers.state();
        if let Some(count) = state.pins.get_mut(&self.diff_id) {
            *count -= 1;
            if *count == 0 {
                state.pins.remove(&self.diff_id);
            }
        }
    }
}

impl Layers {
    /// Reads what is there; directories without a valid record are removed, since nothing can refer to them.
    pub(crate) fn open(directory: PathBuf, staging: PathBuf) -> Result<Self, disk::Error> {
        disk::make_directory(&directory)?;
        let mut state = State::default();
        for found in fs::read_dir(&directory).map_err(failed("read", &directory))? {
            let path = found.map_err(failed("read", &directory))?.path();
            let number =
                path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u64>().ok());
            let bytes = disk::read_if_present(&path.join(RECORD))?;
            let record = bytes.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
            let (Some(number), Some(record)) = (number, record) else {
                tracing::warn!(path = %path.display(), "removing a layer without a valid record");
                fs::remove_dir_all(&path).map_err(failed("remove", &path))?;
                continue;
            };
            state.next_number = state.next_number.max(number + 1);
            let Record { diff_id, size_bytes, tar_bytes, packed } = record;
            state.known.insert(diff_id, Layer { diff_id, directory: path, size_bytes, tar_bytes, packed });
        }
        Ok(Self { directory, staging, state: Mutex::new(state) })
    }

    /// A panic elsewhere cannot leave the tables half-changed: each change is one call.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, diff_id: Digest) -> Option<Layer> {
        self.state().known.get(&diff_id).cloned()
    }

    pub(crate) fn pin(self: &Arc<Self>, diff_id: Digest) -> Pin {
        *self.state().pins.entry(diff_id).or_default() += 1;
        Pin { layers: Arc::clone(self), diff_id }
    }

    /// Returns the lock whose holder alone fetches this layer.
    pub(crate) fn lock_of(&self, diff_id: Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut state = self.state();
        state.busy.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = state.busy.get(&diff_id).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        state.busy.insert(diff_id, Arc::downgrade(&lock));
        lock
    }

    /// Makes a place for a layer to be unpacked into.
    pub(crate) fn stage(&self) -> Result<Staging, disk::Error> {
        let staging = Staging::make(&self.staging)?;
        disk::make_directory(&staging.path().join(FILES))?;
        Ok(staging)
    }

    /// Puts an unpacked layer in its place; one that is there already is kept and this one dropped.
    ///
    /// Its files may not be on disk yet: a layer that no image refers to is swept at the next start.
    pub(crate) fn commit(
        self: &Arc<Self>,
        staging: Staging,
        unpacked: Unpacked,
        packed: Option<Packed>,
    ) -> Result<(Layer, Pin), disk::Error> {
        let Unpacked { diff_id, tar_bytes, size_bytes } = unpacked;
        let packed = packed.into_iter().collect();
        let directory = staging.path().to_owned();
        let mut layer = Layer { diff_id, directory, size_bytes, tar_bytes, packed };
        let path = layer.directory.join(RECORD);
        fs::write(&path, layer.record()).map_err(failed("write", &path))?;
        // Pinned before it is known, so that no sweep comes between.
        let pin = self.pin(diff_id);
        let mut state = self.state();
        if let Some(known) = state.known.get(&diff_id) {
            return Ok((known.clone(), pin));
        }
        layer.directory = self.directory.join(state.next_number.to_string());
        staging.keep_as(&layer.directory)?;
        state.next_number += 1;
        state.known.insert(diff_id, layer.clone());
        state.unsynced.insert(diff_id);
        Ok((layer, pin))
    }

    /// Returns the bytes in the files of each layer.
    pub(crate) fn sizes(&self) -> BTreeMap<Digest, u64> {
        self.state().known.values().map(|layer| (layer.diff_id, layer.size_bytes)).collect()
    }

    /// Notes a packed form of a layer, or one more repository that has it.
    pub(crate) fn note_packed(&self, diff_id: Digest, packed: Packed) -> Result<(), disk::Error> {
        let mut state = self.state();
        let Some(layer) = state.known.get_mut(&diff_id) else { return Ok(()) };
        let mut noted = layer.clone();
        if !packed::note(&mut noted.packed, packed) {
            return Ok(());
        }
        disk::write_whole(&layer.directory.join(RECORD), &noted.record())?;
        *layer = noted;
        Ok(())
    }

    /// Sees to it that these layers are on disk, before an image refers to them.
    ///
    /// One call for all of them: syncing file by file would wait for the disk as often as there are files.
    pub(crate) fn sync(&self, diff_ids: &[Digest]) -> Result<(), disk::Error> {
        let unsynced = self.state().unsynced.clone();
        if diff_ids.iter().all(|diff_id| !unsynced.contains(diff_id)) {
            return Ok(());
        }
        let path = &self.directory;
        let directory = fs::File::open(path).map_err(failed("open", path))?;
        nix::unistd::syncfs(&directory).map_err(|errno| failed("sync", path)(errno.into()))?;
        self.state().unsynced.retain(|diff_id| !unsynced.contains(diff_id));
        Ok(())
    }

    /// Forgets the layers that are neither kept nor pinned, and returns them with what still has to be deleted.
    pub(crate) fn take_unused(&self, keep: &BTreeSet<Digest>) -> Result<Vec<(Layer, Staging)>, disk::Error> {
        let mut state = self.state();
        let is_unused = |diff_id: &Digest| !keep.contains(diff_id) && !state.pins.contains_key(diff_id);
        let unused: Vec<Layer> =
            state.known.values().filter(|layer| is_unused(&layer.diff_id)).cloned().collect();
        let mut taken = Vec::new();
        for layer in unused {
            let grave = Staging::make(&self.staging)?;
            let target = grave.path().join("layer");
            fs::rename(&layer.directory, &target).map_err(failed("remove", &layer.directory))?;
            state.known.remove(&layer.diff_id);
            state.unsynced.remove(&layer.diff_id);
            taken.push((layer, grave));
        }
        Ok(taken)
    }
}
