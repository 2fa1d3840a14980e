//! One snapshot in one sealed file, written aside and renamed, so that a named one is whole.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Error;
use super::folder::{self, sync_folder};
use super::seal::{DataKey, OVERHEAD_BYTES, SALT_BYTES, fill};
use crate::codec::{Reader, Writer};
use crate::snapshot::Meta;

const MAGIC: &[u8; 8] = b"DRVRSNP1";
pub(crate) const PREFIX: &str = "snapshot-";
/// Plain bytes per sealed chunk.
const CHUNK_BYTES: usize = 1 << 20;

static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Writes a snapshot and returns when it is on disk.
pub(crate) fn write(dir: &Path, key: &DataKey, meta: &Meta, state: &[u8]) -> Result<(), Error> {
    let path = folder::path(dir, PREFIX, meta.position.index);
    // One may be on its way from the leader while another of the same index is being captured.
    let fresh = path.with_extension(format!("tmp{}", WRITTEN.fetch_add(1, Ordering::Relaxed)));
    let written = write_fresh(&fresh, key, meta, state);
    if written.is_err() {
        let _ = folder::remove(&fresh);
        return written;
    }
    fs::rename(&fresh, &path).map_err(Error::io("rename", &fresh))?;
    sync_folder(dir)
}

fn write_fresh(path: &Path, key: &DataKey, meta: &Meta, state: &[u8]) -> Result<(), Error> {
    let mut salt = [0; SALT_BYTES];
    fill(&mut salt);
    let key = key.for_file(&salt);
    let mut file = BufWriter::new(File::create(path).map_err(Error::io("create", path))?);
    let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(Error::io("write", path));
    put(MAGIC)?;
    put(&salt)?;
    let mut head = Writer::default();
    head.number(state.len() as u64);
    head.bytes(&meta.encode());
    let mut sealed = Vec::new();
    for (place, plain) in std::iter::once(head.0.as_slice()).chain(state.chunks(CHUNK_BYTES)).enumerate() {
        sealed.clear();
        key.seal(place as u64, plain, &mut sealed);
        put(&(sealed.len() as u32).to_le_bytes())?;
        put(&sealed)?;
    }
    let file = file.into_inner().map_err(|error| Error::io("write", path)(error.into_error()))?;
    file.sync_all().map_err(Error::io("sync", path))
}

/// Reads a snapshot: its description and the state.
pub(crate) fn read(path: &Path, key: &DataKey) -> Result<(Meta, Vec<u8>), Error> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let damaged = |what: &str| Error::damaged(path, what);
    let mut rest = bytes.strip_prefix(MAGIC.as_slice()).ok_or_else(|| damaged("not a snapshot"))?;
    let mut salt = [0; SALT_BYTES];
    rest.read_exact(&mut salt).map_err(|_| damaged("it ends in its header"))?;
    let key = key.for_file(&salt);
    let mut chunk = |place: u64| {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (sealed, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        rest = tail;
        key.open(place, sealed)
    };
    let head = chunk(0).ok_or_else(|| damaged("its description cannot be opened"))?;
    let mut head = Reader(&head);
    let length = head.number().ok_or_else(|| damaged("its description is malformed"))? as usize;
    let meta = head.bytes().and_then(Meta::decode).ok_or_else(|| damaged("its description is malformed"))?;
    let mut state = Vec::with_capacity(length.min(bytes.len()));
    for place in 1..=length.div_ceil(CHUNK_BYTES) {
        let part = chunk(place as u64).ok_or_else(|| damaged(&format!("chunk {place} cannot be opened")))?;
        state.extend_from_slice(&part);
    }
    if state.len() != length {
        return Err(damaged("its length is not what its description says"));
    }
    Ok((meta, state))
}

/// Returns the snapshots of a folder, oldest first.
pub(crate) fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    folder::numbered(dir, PREFIX)
}

/// Removes what an interrupted process left unfinished.
pub(crate) fn sweep(dir: &Path) -> Result<(), Error> {
    for item in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = item.map_err(Error::io("list", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(PREFIX) && name.contains(".tmp") {
            folder::remove(&path)?;
        }
    }
    Ok(())
}

const _: () = assert!(CHUNK_BYTES + OVERHEAD_BYTES < u32::MAX as usize);
