//! From what a folder holds to a replica that can run.

use std::path::Path;

use protobuf::Message as _;
use raft::eraftpb::{ConfChange, EntryType};

use crate::config::{Config, Start};
use crate::disk::Disk;
use crate::disk::store::{Opened, Store};
use crate::disk::wal::Wal;
use crate::error::StartError;
use crate::log::{Log, Position};
use crate::machine::StateMachine;
use crate::member::{Membership, Peer};
use crate::replica::Failure;
use crate::snapshot::Meta;

/// Where the log of every cluster begins: behind a first snapshot, so that whoever joins gets one.
const FIRST: Position = Position { index: 1, term: 1 };

/// Opens the folder as `start` demands and brings the machine to its newest snapshot.
pub(crate) fn open<S: StateMachine>(
    config: &Config,
    start: &Start,
    machine: &mut S,
) -> Result<(Store, Log), StartError> {
    check(config)?;
    match start {
        Start::Bootstrap => {
            let me = Peer { node_id: config.node_id.clone(), address: config.address.clone() };
            let meta = Meta { position: FIRST, membership: Membership::alone(config.raft_id, me) };
            let state = machine.snapshot()();
            Store::create(&config.dir, config.raft_id, config.segment_bytes, Some((&meta, &state)))?;
        }
        Start::Join { .. } => {
            if !has_log(&config.dir)? {
                Store::create(&config.dir, config.raft_id, config.segment_bytes, None)?;
            }
        }
        Start::Resume | Start::ForceNewCluster => {}
    }
    let Opened { mut store, mut log, state } =
        Store::open(&config.dir, config.raft_id, config.segment_bytes)?;
    if let Some(state) = &state {
        restore(machine, &log, state)?;
    }
    match start {
        Start::Bootstrap | Start::Join { .. } => {}
        Start::Resume => check_joined(config, &log)?,
        Start::ForceNewCluster => {
            check_joined(config, &log)?;
            log = stand_alone(config, machine, &mut store, &log)?;
        }
    }
    Ok((store, log))
}

fn check(config: &Config) -> Result<(), StartError> {
    let refuse = |what: &str| Err(StartError::Config(what.to_owned()));
    if config.raft_id == 0 {
        return refuse("the raft id must not be zero");
    }
    if config.node_id.is_empty() || config.address.is_empty() {
        return refuse("a manager needs a node id and an address");
    }
    if config.heartbeat_ticks == 0 || config.election_ticks <= config.heartbeat_ticks {
        return refuse(
            "an election timeout must be longer than a heartbeat, and a heartbeat a tick at least",
        );
    }
    if config.election_ticks_max <= config.election_ticks {
        return refuse("the upper end of the election timeout must be above its lower end");
    }
    Ok(())
}

fn has_log(dir: &Path) -> Result<bool, StartError> {
    Ok(dir.exists() && Wal::exists(dir)?)
}

fn check_joined(config: &Config, log: &Log) -> Result<(), StartError> {
    if log.snapshot.is_some() {
        return Ok(());
    }
    let what = format!(
        "{} belongs to a manager that never finished joining: join the cluster again",
        config.dir.display()
    );
    Err(StartError::Config(what))
}

fn restore<S: StateMachine>(machine: &mut S, log: &Log, state: &[u8]) -> Result<(), Failure> {
    let index = log.snapshot.as_ref().map_or(0, |meta| meta.position.index);
    machine.restore(state).map_err(|reason| Failure::Restore { index, reason })
}

/// Applies all there is and makes this manager the only member. An entry that was acknowledged by
/// a quorum this manager belonged to is in its log, known to be committed or not.
fn stand_alone<S: StateMachine>(
    config: &Config,
    machine: &mut S,
    store: &mut Store,
    log: &Log,
) -> Result<Log, StartError> {
    let snapshot = log.snapshot.as_ref();
    let mut membership = snapshot.map(|meta| meta.membership.clone()).unwrap_or_default();
    for entry in log.after(snapshot.map_or(0, |meta| meta.position.index)) {
        match entry.entry_type {
            EntryType::EntryNormal if entry.data.is_empty() => {}
            EntryType::EntryNormal => drop(machine.apply(entry.index, &entry.data)),
            EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => {
                let mut change = ConfChange::default();
                if change.merge_from_bytes(&entry.data).is_ok() {
                    membership.record(&change);
                }
            }
        }
    }
    let me = Peer { node_id: config.node_id.clone(), address: config.address.clone() };
    let mut alone = Membership::alone(config.raft_id, me);
    alone.removed = membership.removed;
    alone.removed.extend(membership.peers.into_keys());
    alone.removed.remove(&config.raft_id);
    let position = log.last();
    let mut hard = log.hard.clone();
    hard.term += 1;
    hard.vote = 0;
    hard.commit = position.index;
    let meta = Meta { position, membership: alone };
    store.install(&hard, &meta, &machine.snapshot()())?;
    tracing::warn!(
        entries = position.index,
        dropped = meta.membership.removed.len(),
        "this manager is now the only one; every other must join anew"
    );
    let mut log = Log::new(position);
    log.hard = hard;
    log.conf = meta.membership.conf.clone();
    log.snapshot = Some(meta);
    Ok(log)
}
