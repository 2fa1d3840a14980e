//! The log on disk: a row of segments, the last of which is written.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use raft::eraftpb::{Entry, EntryType, HardState};

use super::Error;
use super::folder::{self, remove, sync_folder};
use super::seal::DataKey;
use super::segment::{self, Content, Segment, Tail};
use super::spare::{Spare, lay_out};
use crate::codec::{Reader, Writer};
use crate::log::{Log, Position};

const PREFIX: &str = "log-";
const SPARE: &str = "log.spare";

const FRAME_BASE: u64 = 1;
const FRAME_BATCH: u64 = 2;

/// Appends batches of entries, each with one wait for the disk.
pub(crate) struct Wal {
    dir: PathBuf,
    raft_id: u64,
    key: DataKey,
    segment_bytes: usize,
    current: Segment,
    current_file: File,
    /// Finished segments, oldest first.
    finished: VecDeque<File>,
    spare: Spare,
    next_place: u64,
    hard: HardState,
    last: Position,
}

/// A segment's name and the highest index it may be needed for.
struct File {
    number: u64,
    path: PathBuf,
    high: u64,
}

/// The first frame of a segment: what must be known if all segments before it are gone.
struct Base {
    raft_id: u64,
    hard: HardState,
    last: Position,
    /// The log starts again here, whatever came before.
    reset: bool,
}

/// What the segments say.
struct Replay {
    log: Log,
    hard: HardState,
    finished: VecDeque<File>,
    next_place: u64,
}

impl Wal {
    /// Returns whether the folder holds any part of a log.
    pub fn exists(dir: &Path) -> Result<bool, Error> {
        Ok(!folder::numbered(dir, PREFIX)?.is_empty())
    }

    /// Starts a log behind `base` in a folder without one.
    pub fn create(
        dir: &Path,
        raft_id: u64,
        key: &DataKey,
        segment_bytes: usize,
        hard: &HardState,
        base: Position,
    ) -> Result<Self, Error> {
        let replay =
            Replay { log: Log::new(base), hard: hard.clone(), finished: VecDeque::new(), next_place: 1 };
        Self::begin(dir, raft_id, key, segment_bytes, &replay)
    }

    /// Reads the log, cuts a torn tail, and goes on in a fresh segment.
    pub fn open(
        dir: &Path,
        raft_id: u64,
        key: &DataKey,
        segment_bytes: usize,
    ) -> Result<(Self, Log, HardState), Error> {
        let replay = replay(dir, raft_id, key)?;
        let mut wal = Self::begin(dir, raft_id, key, segment_bytes, &replay)?;
        wal.finished = replay.finished;
        Ok((wal, replay.log, replay.hard))
    }

    fn begin(
        dir: &Path,
        raft_id: u64,
        key: &DataKey,
        segment_bytes: usize,
        replay: &Replay,
    ) -> Result<Self, Error> {
        let number = replay.finished.back().map_or(1, |file| file.number + 1);
        let spare_path = dir.join(SPARE);
        let base = Base { raft_id, hard: replay.hard.clone(), last: replay.log.last(), reset: false };
        let file = lay_out(&spare_path, segment_bytes)?;
        let (current, current_file) =
            start(dir, key, Laid { file, path: &spare_path }, number, replay.next_place, &base)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            raft_id,
            key: key.clone(),
            segment_bytes,
            current,
            current_file,
            finished: VecDeque::new(),
            spare: Spare::prepare(spare_path, segment_bytes),
            next_place: replay.next_place + 1,
            hard: base.hard,
            last: base.last,
        })
    }

    /// Makes entries and the hard state durable.
    pub fn append(&mut self, hard: &HardState, entries: &[Entry]) -> Result<(), Error> {
        let plain = encode_batch(hard, entries);
        let room = self.segment_bytes as u64;
        if self.current.offset + Segment::frame_bytes(plain.len()) > room && self.current.offset > room / 2 {
            self.roll(false, self.last)?;
        }
        self.current.append(self.next_place, &plain, &self.current_file.path)?;
        self.next_place += 1;
        self.hard = hard.clone();
        if let Some(entry) = entries.last() {
            self.last = Position { index: entry.index, term: entry.term };
            self.current_file.high = self.current_file.high.max(entry.index);
        }
        Ok(())
    }

    /// Starts the log again behind `base`; what was before is gone when this returns.
    pub fn reset(&mut self, hard: &HardState, base: Position) -> Result<(), Error> {
        self.hard = hard.clone();
        self.roll(true, base)?;
        self.last = base;
        for file in self.finished.drain(..) {
            remove(&file.path)?;
        }
        Ok(())
    }

    /// Removes segments that hold nothing above `index`.
    pub fn compact(&mut self, index: u64) -> Result<(), Error> {
        while let Some(file) = self.finished.pop_front_if(|file| file.high <= index) {
            remove(&file.path)?;
        }
        Ok(())
    }

    /// Returns whether the next segment has its room on the disk already.
    pub fn has_room(&mut self) -> bool {
        self.spare.is_promising()
    }

    fn roll(&mut self, reset: bool, last: Position) -> Result<(), Error> {
        self.current.finish(&self.current_file.path)?;
        let file = self.spare.take()?;
        let base = Base { raft_id: self.raft_id, hard: self.hard.clone(), last, reset };
        let laid = Laid { file, path: self.spare.path() };
        let number = self.current_file.number + 1;
        let (segment, file) = start(&self.dir, &self.key, laid, number, self.next_place, &base)?;
        self.next_place += 1;
        self.current = segment;
        self.finished.push_back(std::mem::replace(&mut self.current_file, file));
        self.spare.renew();
        Ok(())
    }
}

/// A file of zeros under its passing name.
struct Laid<'a> {
    file: fs::File,
    path: &'a Path,
}

/// Turns a file of zeros into a segment: base frame first, name last, so that a segment with a
/// name is always whole.
fn start(
    dir: &Path,
    key: &DataKey,
    laid: Laid<'_>,
    number: u64,
    place: u64,
    base: &Base,
) -> Result<(Segment, File), Error> {
    let mut segment = Segment::start(laid.file, key, laid.path)?;
    segment.append(place, &encode_base(base), laid.path)?;
    let path = folder::path(dir, PREFIX, number);
    fs::rename(laid.path, &path).map_err(Error::io("rename", laid.path))?;
    sync_folder(dir)?;
    Ok((segment, File { number, path, high: base.last.index }))
}

fn replay(dir: &Path, raft_id: u64, key: &DataKey) -> Result<Replay, Error> {
    let files = folder::numbered(dir, PREFIX)?;
    let newest = files.last().map(|(number, _)| *number);
    let mut replay = Replay {
        log: Log::new(Position::default()),
        hard: HardState::default(),
        finished: VecDeque::new(),
        next_place: 0,
    };
    for (number, path) in files {
        if let Some(before) = replay.finished.back()
            && number != before.number + 1
        {
            return Err(Error::damaged(&path, format!("the file before it, number {}, is gone", number - 1)));
        }
        let content = read(&path, key, newest == Some(number))?;
        let high = replay_segment(&mut replay, &content, raft_id, &path)?;
        replay.finished.push_back(File { number, path, high });
    }
    Ok(replay)
}

fn read(path: &Path, key: &DataKey, is_newest: bool) -> Result<Content, Error> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let content = segment::read(&bytes, key).map_err(|what| Error::damaged(path, what))?;
    match (&content.tail, is_newest) {
        (Tail::None, _) => return Ok(content),
        (Tail::Zeros, true) => {}
        (Tail::Torn, true) => tracing::warn!(
            path = %path.display(), at = content.end,
            "the log ends in the middle of a write; the unfinished part is cut off"
        ),
        (Tail::Zeros | Tail::Torn, false) => {
            return Err(Error::damaged(path, format!("byte {} should start a frame", content.end)));
        }
        (Tail::Damaged(what), _) => return Err(Error::damaged(path, what.clone())),
    }
    let file = OpenOptions::new().write(true).open(path).map_err(Error::io("open", path))?;
    segment::cut(&file, content.end, path)?;
    Ok(content)
}

/// Returns the highest index the segment speaks of.
fn replay_segment(replay: &mut Replay, content: &Content, raft_id: u64, path: &Path) -> Result<u64, Error> {
    let damaged = |what: &str| Error::damaged(path, what);
    let mut high = 0;
    for (count, (place, plain)) in content.frames.iter().enumerate() {
        if replay.next_place != 0 && *place != replay.next_place {
            return Err(damaged("its frames do not follow those of the file before it"));
        }
        replay.next_place = place + 1;
        let mut from = Reader(plain);
        match (from.number(), count) {
            (Some(FRAME_BASE), 0) => {
                let base = decode_base(&mut from).ok_or_else(|| damaged("its base frame is malformed"))?;
                high = base.last.index;
                replay_base(replay, base, raft_id, path)?;
            }
            (Some(FRAME_BATCH), 1..) => {
                let (hard, entries) =
                    decode_batch(&mut from).ok_or_else(|| damaged("a batch is malformed"))?;
                if !replay_entries(&mut replay.log, &entries) {
                    return Err(damaged("its entries do not connect"));
                }
                replay.hard = hard;
                high = high.max(replay.log.last().index);
            }
            _ => return Err(damaged("a frame is of an unknown kind")),
        }
    }
    Ok(high)
}

/// Entries may replace some that were in files removed since. Those removed were within the
/// snapshot, so the replacements are too: the last of them is what the log starts behind.
fn replay_entries(log: &mut Log, entries: &[Entry]) -> bool {
    let base = log.base().index;
    let replacing = entries.partition_point(|entry| entry.index <= base);
    if let Some(last) = entries[..replacing].last() {
        log.reset(Position { index: last.index, term: last.term });
    }
    log.append(&entries[replacing..])
}

fn replay_base(replay: &mut Replay, base: Base, raft_id: u64, path: &Path) -> Result<(), Error> {
    if base.raft_id != raft_id {
        return Err(Error::Unsuitable {
            path: path.to_path_buf(),
            what: format!("belongs to manager {:x}, not to {raft_id:x}", base.raft_id),
        });
    }
    if base.reset || replay.finished.is_empty() {
        replay.log.reset(base.last);
    } else if replay.log.last() != base.last {
        return Err(Error::damaged(path, "it does not continue the file before it"));
    }
    replay.hard = base.hard;
    Ok(())
}

fn encode_hard(out: &mut Writer, hard: &HardState) {
    out.number(hard.term);
    out.number(hard.vote);
    out.number(hard.commit);
}

fn decode_hard(from: &mut Reader<'_>) -> Option<HardState> {
    let (term, vote, commit) = (from.number()?, from.number()?, from.number()?);
    Some(HardState { term, vote, commit, ..HardState::default() })
}

fn encode_base(base: &Base) -> Vec<u8> {
    let mut out = Writer::default();
    out.number(FRAME_BASE);
    out.number(base.raft_id);
    encode_hard(&mut out, &base.hard);
    out.number(base.last.index);
    out.number(base.last.term);
    out.number(u64::from(base.reset));
    out.0
}

fn decode_base(from: &mut Reader<'_>) -> Option<Base> {
    Some(Base {
        raft_id: from.number()?,
        hard: decode_hard(from)?,
        last: Position { index: from.number()?, term: from.number()? },
        reset: from.number()? == 1,
    })
}

fn encode_batch(hard: &HardState, entries: &[Entry]) -> Vec<u8> {
    let mut out = Writer::default();
    out.number(FRAME_BATCH);
    encode_hard(&mut out, hard);
    out.number(entries.len() as u64);
    for entry in entries {
        out.number(entry.index);
        out.number(entry.term);
        out.number(match entry.entry_type {
            EntryType::EntryNormal => 0,
            EntryType::EntryConfChange => 1,
            EntryType::EntryConfChangeV2 => 2,
        });
        out.bytes(&entry.data);
        out.bytes(&entry.context);
    }
    out.0
}

fn decode_batch(from: &mut Reader<'_>) -> Option<(HardState, Vec<Entry>)> {
    let hard = decode_hard(from)?;
    let count = from.count()?;
    let entries = (0..count).map(|_| decode_entry(from)).collect::<Option<_>>()?;
    Some((hard, entries))
}

fn decode_entry(from: &mut Reader<'_>) -> Option<Entry> {
    let (index, term) = (from.number()?, from.number()?);
    let entry_type = match from.number()? {
        0 => EntryType::EntryNormal,
        1 => EntryType::EntryConfChange,
        2 => EntryType::EntryConfChangeV2,
        _ => return None,
    };
    let (data, context) = (from.bytes()?.to_vec().into(), from.bytes()?.to_vec().into());
    Some(Entry { entry_type, index, term, data, context, ..Entry::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEGMENT: usize = 4096;

    struct Fixture {
        dir: tempfile::TempDir,
        key: DataKey,
    }

    impl Fixture {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let key = DataKey::open(dir.path(), false).unwrap();
            Self { dir, key }
        }

        fn create(&self) -> Wal {
            let hard = HardState::default();
            Wal::create(self.dir.path(), 1, &self.key, SEGMENT, &hard, Position::default()).unwrap()
        }

        fn open(&self) -> Result<(Wal, Log, HardState), Error> {
            Wal::open(self.dir.path(), 1, &self.key, SEGMENT)
        }

        fn files(&self) -> Vec<PathBuf> {
            folder::numbered(self.dir.path(), PREFIX).unwrap().into_iter().map(|(_, path)| path).collect()
        }

        fn fails(&self) -> String {
            self.open().err().expect("the damage is noticed").to_string()
        }
    }

    fn entry(index: u64, term: u64, bytes: usize) -> Entry {
        Entry { index, term, data: vec![index as u8; bytes].into(), ..Entry::default() }
    }

    fn hard(term: u64, commit: u64) -> HardState {
        HardState { term, commit, ..HardState::default() }
    }

    fn entries(log: &Log) -> Vec<Entry> {
        log.after(log.base().index).cloned().collect()
    }

    #[test]
    fn every_cut_in_the_last_write_loses_that_write_only() {
        let fixture = Fixture::new();
        let mut wal = fixture.create();
        for index in 1..=3 {
            wal.append(&hard(1, 0), &[entry(index, 1, 40)]).unwrap();
        }
        let before = wal.current.offset as usize;
        wal.append(&hard(1, 0), &[entry(4, 1, 40)]).unwrap();
        let after = wal.current.offset as usize;
        drop(wal);
        let path = fixture.files().pop().unwrap();
        let whole = fs::read(&path).unwrap();

        for end in before..after {
            for is_laid_out in [false, true] {
                let mut torn = whole[..end].to_vec();
                torn.resize(if is_laid_out { whole.len() } else { end }, 0);
                fixture.files().iter().skip(1).for_each(|later| fs::remove_file(later).unwrap());
                fs::write(&path, &torn).unwrap();

                let (_, log, _) = fixture.open().unwrap();

                assert_eq!(log.last().index, 3, "cut at {end}");
            }
        }
    }

    #[test]
    fn a_changed_byte_before_the_last_write_is_damage() {
        let fixture = Fixture::new();
        let mut wal = fixture.create();
        for index in 1..=3 {
            wal.append(&hard(1, 0), &[entry(index, 1, 40)]).unwrap();
        }
        let before = wal.current.offset as usize;
        wal.append(&hard(1, 0), &[entry(4, 1, 40)]).unwrap();
        drop(wal);
        let path = fixture.files().pop().unwrap();
        let whole = fs::read(&path).unwrap();

        for at in 0..before {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            fs::write(&path, &changed).unwrap();

            let refused = fixture.fails();

            assert!(
                refused.contains("damaged") && refused.contains(path.to_str().unwrap()),
                "{at}: {refused}"
            );
        }
    }

    #[test]
    fn a_file_missing_in_the_middle_is_damage() {
        let fixture = Fixture::new();
        let mut wal = fixture.create();
        for index in 1..=60 {
            wal.append(&hard(1, 0), &[entry(index, 1, 200)]).unwrap();
        }
        drop(wal);
        let files = fixture.files();
        assert!(files.len() > 3);
        fs::remove_file(&files[1]).unwrap();

        assert!(fixture.fails().contains("is gone"), "{}", fixture.fails());
    }

    #[test]
    fn the_folder_of_another_manager_is_refused() {
        let fixture = Fixture::new();
        drop(fixture.create());

        let refused = Wal::open(fixture.dir.path(), 2, &fixture.key, SEGMENT).err().unwrap().to_string();

        assert!(refused.contains("belongs to manager 1, not to 2"), "{refused}");
    }

    #[test]
    fn a_reset_leaves_only_what_comes_behind_it() {
        let fixture = Fixture::new();
        let mut wal = fixture.create();
        wal.append(&hard(1, 0), &[entry(1, 1, 10), entry(2, 1, 10)]).unwrap();
        wal.reset(&hard(3, 50), Position { index: 50, term: 3 }).unwrap();
        wal.append(&hard(3, 50), &[entry(51, 3, 10)]).unwrap();
        drop(wal);

        let (_, log, hard) = fixture.open().unwrap();

        assert_eq!(log.base(), Position { index: 50, term: 3 });
        assert_eq!((log.last().index, hard.term, hard.commit), (51, 3, 50));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Append { back: u64, count: u64, bytes: usize },
        Compact { behind: u64 },
        Reopen,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..4_u64, 1..5_u64, 0..900_usize)
                .prop_map(|(back, count, bytes)| Step::Append { back, count, bytes }),
            1 => (0..10_u64).prop_map(|behind| Step::Compact { behind }),
            1 => Just(Step::Reopen),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        /// Appends that replace a tail, compaction and restarts give what a plain list gives.
        #[test]
        fn a_reopened_log_holds_what_was_appended(steps in prop::collection::vec(step(), 1..60)) {
            let fixture = Fixture::new();
            let mut wal = fixture.create();
            let mut model = Log::new(Position::default());
            let mut committed = 0;
            for (term, step) in steps.into_iter().enumerate() {
                let term = term as u64 + 1;
                match step {
                    Step::Append { back, count, bytes } => {
                        let first = (model.last().index + 1).saturating_sub(back).max(committed + 1);
                        let batch: Vec<Entry> =
                            (first..first + count).map(|index| entry(index, term, bytes)).collect();
                        wal.append(&hard(term, committed), &batch).unwrap();
                        prop_assert!(model.append(&batch));
                    }
                    Step::Compact { behind } => {
                        committed = committed.max(model.last().index.saturating_sub(behind));
                        wal.compact(committed).unwrap();
                    }
                    Step::Reopen => {
                        drop(wal);
                        let (reopened, log, _) = fixture.open().unwrap();
                        wal = reopened;
                        prop_assert!(log.base().index <= committed);
                        model.compact(log.base().index);
                        prop_assert_eq!(entries(&log), entries(&model));
                    }
                }
            }
        }
    }
}
