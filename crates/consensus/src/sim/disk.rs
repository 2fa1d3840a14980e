//! A disk that keeps what was synced, and can crash before or after a sync.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use protobuf::Message as _;
use raft::eraftpb::{ConfChange, Entry, EntryType, HardState};

use crate::disk::store::{Fit, fit};
use crate::disk::{Disk, Error};
use crate::log::{Log, Position};
use crate::member::Membership;
use crate::snapshot::Meta;

/// Whether what was synced is there after a crash.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Honesty {
    Honest,
    ForgetsOnCrash,
}

/// When the armed crash comes, counted from now in disk operations.
#[derive(Debug, Clone, Copy)]
pub enum Crash {
    BeforeSync(u32),
    AfterSync(u32),
}

#[derive(Default)]
struct Platters {
    hard: HardState,
    base: Position,
    batches: Vec<Vec<Entry>>,
    snapshots: BTreeMap<u64, (Meta, Vec<u8>)>,
    armed: Option<Crash>,
}

#[derive(Clone, Default)]
pub struct SimDisk(Rc<RefCell<Platters>>);

impl SimDisk {
    pub fn with_snapshot(meta: &Meta, state: Vec<u8>) -> Self {
        let disk = Self::default();
        {
            let mut platters = disk.0.borrow_mut();
            platters.base = meta.position;
            platters.hard.term = meta.position.term;
            platters.hard.commit = meta.position.index;
            platters.snapshots.insert(meta.position.index, (meta.clone(), state));
        }
        disk
    }

    pub fn arm(&self, crash: Crash) {
        self.0.borrow_mut().armed = Some(crash);
    }

    pub fn crash(&self, honesty: Honesty) {
        let mut platters = self.0.borrow_mut();
        platters.armed = None;
        match honesty {
            Honesty::Honest => {}
            Honesty::ForgetsOnCrash => {
                platters.batches.pop();
                platters.hard.vote = 0;
                platters.hard.commit = 0;
            }
        }
    }

    pub fn keep_snapshot(&self, meta: Meta, state: Vec<u8>) {
        self.0.borrow_mut().snapshots.insert(meta.position.index, (meta, state));
    }

    pub fn newest_snapshot(&self) -> Option<(Meta, Vec<u8>)> {
        self.0.borrow().snapshots.last_key_value().map(|(_, kept)| kept.clone())
    }

    /// Returns the group that a restart would begin with: the snapshot's, and the changes known to
    /// be committed.
    pub fn durable_membership(&self) -> Membership {
        let platters = self.0.borrow();
        let newest = platters.snapshots.last_key_value();
        let mut membership = newest.map(|(_, (meta, _))| meta.membership.clone()).unwrap_or_default();
        let from = newest.map_or(0, |(index, _)| *index);
        let mut log = Log::new(platters.base);
        platters.batches.iter().for_each(|batch| assert!(log.append(batch)));
        for entry in log.after(from).filter(|entry| entry.index <= platters.hard.commit) {
            if entry.entry_type == EntryType::EntryConfChange {
                let mut change = ConfChange::default();
                change.merge_from_bytes(&entry.data).expect("the entry was made here");
                membership.record(&change);
            }
        }
        membership
    }

    /// Reads everything back as a restart does.
    pub fn open(&self) -> Result<(Log, Option<Vec<u8>>), String> {
        let mut platters = self.0.borrow_mut();
        let mut log = Log::new(platters.base);
        for batch in &platters.batches {
            if !log.append(batch) {
                return Err("the log on disk does not connect".into());
            }
        }
        let (meta, state) = platters.snapshots.last_key_value().map(|(_, kept)| kept.clone()).unzip();
        let (log, fitted) = fit(log, platters.hard.clone(), meta)?;
        if fitted == Fit::StartAgain {
            platters.base = log.base();
            platters.batches.clear();
        }
        platters.hard = log.hard.clone();
        Ok((log, state))
    }

    /// Lets an armed crash come before or after `write`.
    fn write(&self, write: impl FnOnce(&mut Platters)) -> Result<(), Error> {
        let mut platters = self.0.borrow_mut();
        match platters.armed {
            Some(Crash::BeforeSync(0)) => return Err(Error::Crashed),
            Some(Crash::AfterSync(0)) => {
                write(&mut platters);
                return Err(Error::Crashed);
            }
            Some(Crash::BeforeSync(left)) => platters.armed = Some(Crash::BeforeSync(left - 1)),
            Some(Crash::AfterSync(left)) => platters.armed = Some(Crash::AfterSync(left - 1)),
            None => {}
        }
        write(&mut platters);
        Ok(())
    }
}

impl Disk for SimDisk {
    fn append(&mut self, hard: &HardState, entries: &[Entry]) -> Result<(), Error> {
        self.write(|platters| {
            platters.hard = hard.clone();
            platters.batches.push(entries.to_vec());
        })
    }

    fn install(&mut self, hard: &HardState, meta: &Meta, state: &[u8]) -> Result<(), Error> {
        self.write(|platters| {
            platters.snapshots.insert(meta.position.index, (meta.clone(), state.to_vec()));
        })?;
        self.write(|platters| {
            platters.hard = hard.clone();
            platters.base = meta.position;
            platters.batches.clear();
        })
    }

    fn compact(&mut self, index: u64, snapshot: u64) {
        let mut platters = self.0.borrow_mut();
        platters.snapshots.retain(|kept, _| *kept >= snapshot);
        let mut log = Log::new(platters.base);
        for batch in &platters.batches {
            assert!(log.append(batch), "the log on disk connects");
        }
        log.compact(index);
        platters.base = log.base();
        platters.batches = vec![log.after(log.base().index).cloned().collect()];
    }
}
