//! One manager's folder: its key, its log, its snapshots, and what they mean together.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use raft::eraftpb::{Entry, HardState};

use super::folder::remove;
use super::seal::DataKey;
use super::snapshot_file;
use super::wal::Wal;
use super::{Disk, Error};
use crate::log::Log;
use crate::snapshot::Meta;

const LOCK_FILE: &str = "lock";

/// The folder of a running manager; no other process can open it.
pub(crate) struct Store {
    folder: Folder,
    wal: Wal,
    _lock: Claim,
}

/// Where snapshots are and how they are sealed; other threads read and write them through it.
#[derive(Clone)]
pub(crate) struct Folder {
    pub dir: PathBuf,
    pub key: DataKey,
}

/// What a folder held.
pub(crate) struct Opened {
    pub store: Store,
    pub log: Log,
    /// The encoded state of the newest snapshot; `None` before a joining manager got its first.
    pub state: Option<Vec<u8>>,
}

impl Store {
    /// Begins a folder: with a first snapshot for a new cluster, without one for a joining manager.
    pub fn create(
        dir: &Path,
        raft_id: u64,
        segment_bytes: usize,
        first: Option<(&Meta, &[u8])>,
    ) -> Result<(), Error> {
        let (lock, key) = prepare(dir)?;
        if !snapshot_file::list(dir)?.is_empty() {
            return Err(in_use(dir));
        }
        let mut hard = HardState::default();
        let base = first.map(|(meta, _)| meta.position).unwrap_or_default();
        hard.term = base.term;
        hard.commit = base.index;
        if Wal::exists(dir)? {
            let (_, log, _) = Wal::open(dir, raft_id, &key, segment_bytes)?;
            if log.last() != base {
                return Err(in_use(dir));
            }
        } else {
            Wal::create(dir, raft_id, &key, segment_bytes, &hard, base)?;
        }
        if let Some((meta, state)) = first {
            snapshot_file::write(dir, &key, meta, state)?;
        }
        drop(lock);
        Ok(())
    }

    /// Opens the folder of a manager that ran before.
    pub fn open(dir: &Path, raft_id: u64, segment_bytes: usize) -> Result<Opened, Error> {
        let (lock, key) = prepare(dir)?;
        if !Wal::exists(dir)? {
            return Err(Error::Unsuitable {
                path: dir.to_path_buf(),
                what: "holds no log: start or join a cluster, or put the folder back from a backup".into(),
            });
        }
        let snapshot = match snapshot_file::list(dir)?.pop() {
            Some((_, path)) => Some(snapshot_file::read(&path, &key)?),
            None => None,
        };
        let (wal, log, hard) = Wal::open(dir, raft_id, &key, segment_bytes)?;
        let folder = Folder { dir: dir.to_path_buf(), key };
        let mut store = Self { folder, wal, _lock: lock };
        let (meta, state) = snapshot.unzip();
        let log = store.reconcile(log, hard, meta)?;
        Ok(Opened { store, log, state })
    }

    fn reconcile(&mut self, log: Log, hard: HardState, meta: Option<Meta>) -> Result<Log, Error> {
        let dir = &self.folder.dir;
        let (log, fit) = fit(log, hard, meta).map_err(|what| Error::damaged(dir, what))?;
        match fit {
            Fit::AsIs => {}
            Fit::StartAgain => self.wal.reset(&log.hard, log.base())?,
        }
        Ok(log)
    }

    pub fn folder(&self) -> Folder {
        self.folder.clone()
    }

    /// Returns whether the log can go on growing.
    pub fn has_room(&mut self) -> bool {
        self.wal.has_room()
    }
}

impl Folder {
    /// Writes a snapshot beside the running log.
    pub fn write_snapshot(&self, meta: &Meta, state: &[u8]) -> Result<(), Error> {
        snapshot_file::write(&self.dir, &self.key, meta, state)
    }

    /// Reads the newest snapshot.
    pub fn newest_snapshot(&self) -> Result<Option<(Meta, Vec<u8>)>, Error> {
        match snapshot_file::list(&self.dir)?.pop() {
            Some((_, path)) => snapshot_file::read(&path, &self.key).map(Some),
            None => Ok(None),
        }
    }
}

impl Disk for Store {
    fn append(&mut self, hard: &HardState, entries: &[Entry]) -> Result<(), Error> {
        self.wal.append(hard, entries)
    }

    fn install(&mut self, hard: &HardState, meta: &Meta, state: &[u8]) -> Result<(), Error> {
        self.folder.write_snapshot(meta, state)?;
        self.wal.reset(hard, meta.position)
    }

    /// A file that cannot be removed costs space, not safety: it is tried again with the next one.
    fn compact(&mut self, index: u64, snapshot: u64) {
        let outdated = snapshot_file::list(&self.folder.dir).and_then(|found| {
            found.iter().filter(|(number, _)| *number < snapshot).try_for_each(|(_, path)| remove(path))
        });
        if let Err(error) = outdated.and_then(|()| self.wal.compact(index)) {
            tracing::warn!(%error, "an outdated part of the log could not be removed");
        }
    }
}

/// What the log on disk needs so that it fits the newest snapshot.
#[derive(Debug, PartialEq)]
pub(crate) enum Fit {
    /// Nothing.
    AsIs,
    /// To be started again behind the snapshot.
    StartAgain,
}

/// Fits the log to the newest snapshot: a crash may have come between the two.
pub(crate) fn fit(mut log: Log, mut hard: HardState, meta: Option<Meta>) -> Result<(Log, Fit), String> {
    let Some(meta) = meta else {
        log.hard = hard;
        return match log.base().index {
            0 => Ok((log, Fit::AsIs)),
            _ => Err("the snapshot that its log builds on is gone".into()),
        };
    };
    let position = meta.position;
    let base = log.base().index;
    if base > position.index {
        return Err(format!(
            "its log starts behind entry {base} but its newest snapshot ends at {}",
            position.index
        ));
    }
    hard.term = hard.term.max(position.term);
    hard.commit = hard.commit.max(position.index);
    let is_joined = log.term_at(position.index) == Some(position.term);
    if !is_joined {
        log.reset(position);
    }
    let last = log.last().index;
    if hard.commit > last {
        return Err(format!("entry {} was committed but the log ends at {last}", hard.commit));
    }
    log.hard = hard;
    log.conf = meta.membership.conf.clone();
    log.snapshot = Some(meta);
    Ok((log, if is_joined { Fit::AsIs } else { Fit::StartAgain }))
}

/// The claim to a folder. It is given up explicitly: a child process that was forked a moment ago
/// and has not yet executed its program would keep a merely closed file locked.
struct Claim(File);

impl Drop for Claim {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock of a manager's folder could not be given up");
        }
    }
}

fn prepare(dir: &Path) -> Result<(Claim, DataKey), Error> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(dir).map_err(Error::io("create", dir))?;
    let path = dir.join(LOCK_FILE);
    let lock = File::create(&path).map_err(Error::io("create", &path))?;
    match lock.try_lock() {
        Ok(()) => {
            let claim = Claim(lock);
            snapshot_file::sweep(dir)?;
            let has_content = Wal::exists(dir)? || !snapshot_file::list(dir)?.is_empty();
            Ok((claim, DataKey::open(dir, has_content)?))
        }
        Err(TryLockError::WouldBlock) => Err(Error::Unsuitable {
            path: dir.to_path_buf(),
            what: "is in use by another process: stop that one first".into(),
        }),
        Err(TryLockError::Error(source)) => Err(Error::Io { action: "lock", path, source }),
    }
}

fn in_use(dir: &Path) -> Error {
    Error::Unsuitable {
        path: dir.to_path_buf(),
        what: "holds a manager's log already: leave that cluster first, or use another folder".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::log::Position;
    use crate::member::{Membership, Peer};

    const SEGMENT: usize = 64 << 10;

    fn meta(index: u64) -> Meta {
        let peer = Peer { node_id: "n".into(), address: "a:1".into() };
        Meta { position: Position { index, term: 1 }, membership: Membership::alone(1, peer) }
    }

    fn entry(index: u64) -> Entry {
        Entry { index, term: 1, data: vec![1].into(), ..Entry::default() }
    }

    fn hard(commit: u64) -> HardState {
        HardState { term: 1, commit, ..HardState::default() }
    }

    fn created() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        Store::create(dir.path(), 1, SEGMENT, Some((&meta(1), b"state"))).unwrap();
        dir
    }

    fn open(dir: &Path) -> Result<Opened, Error> {
        Store::open(dir, 1, SEGMENT)
    }

    #[test]
    fn a_forked_child_does_not_keep_a_folder_that_was_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let (claim, _) = prepare(dir.path()).unwrap();
        // What a child has between fork and exec: the same open file.
        let inherited = claim.0.try_clone().unwrap();

        drop(claim);

        assert!(prepare(dir.path()).is_ok());
        drop(inherited);
    }

    #[test]
    fn a_snapshot_of_several_chunks_comes_back_whole() {
        let dir = created();
        let state: Vec<u8> = (0..(3 << 20) + 7).map(|byte| (byte % 251) as u8).collect();
        let mut opened = open(dir.path()).unwrap();
        opened.store.append(&hard(1), &[entry(2), entry(3)]).unwrap();
        opened.store.folder().write_snapshot(&meta(3), &state).unwrap();
        opened.store.compact(2, 3);
        drop(opened);

        let opened = open(dir.path()).unwrap();

        assert_eq!(opened.state.unwrap(), state);
        assert_eq!(opened.log.snapshot.as_ref().unwrap(), &meta(3));
        assert_eq!(opened.log.hard.commit, 3, "what is in a snapshot was committed");
    }

    #[test]
    fn a_crash_between_a_received_snapshot_and_the_log_is_mended() {
        let dir = created();
        let opened = open(dir.path()).unwrap();
        opened.store.folder().write_snapshot(&meta(40), b"later").unwrap();
        drop(opened);

        let opened = open(dir.path()).unwrap();
        assert_eq!(opened.log.last().index, 40);
        drop(opened);
        let mut again = open(dir.path()).unwrap();

        assert_eq!(again.log.base().index, 40);
        again.store.append(&hard(40), &[entry(41)]).unwrap();
    }

    #[test]
    fn a_missing_snapshot_is_damage() {
        let dir = created();
        let (_, path) = snapshot_file::list(dir.path()).unwrap().pop().unwrap();
        remove(&path).unwrap();

        let refused = open(dir.path()).err().unwrap().to_string();

        assert!(refused.contains("the snapshot that its log builds on is gone"), "{refused}");
    }

    #[test]
    fn a_missing_or_public_key_is_named() {
        let dir = created();
        let key = dir.path().join("data.key");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let public = open(dir.path()).err().unwrap().to_string();
        fs::remove_file(&key).unwrap();
        let missing = open(dir.path()).err().unwrap().to_string();

        assert!(public.contains("data.key") && public.contains("chmod 600"), "{public}");
        assert!(missing.contains("data.key") && missing.contains("is gone"), "{missing}");
    }

    #[test]
    fn a_start_that_was_cut_short_can_be_repeated() {
        let dir = created();
        let (_, path) = snapshot_file::list(dir.path()).unwrap().pop().unwrap();
        remove(&path).unwrap();

        Store::create(dir.path(), 1, SEGMENT, Some((&meta(1), b"state"))).unwrap();

        assert_eq!(open(dir.path()).unwrap().state.unwrap(), b"state");
    }
}
