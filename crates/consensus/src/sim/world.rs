//! The group, its clock and network, the faults, and the rules that must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;
use std::sync::Arc;

use raft::eraftpb::{Message, MessageType};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::disk::{Crash, Honesty, SimDisk};
use crate::config::Config;
use crate::log::Position;
use crate::machine::StateMachine;
use crate::member::{Membership, Peer};
use crate::replica::{Applied, Capture, Lost, Outbox, Replica, Token};
use crate::snapshot::Meta;

const TICK_MS: u64 = 100;
/// Faults come in this first part of a run.
const CHAOS_MS: u64 = 20_000;
/// In the second part the group must recover.
const CALM_MS: u64 = 20_000;

/// Which faults a run has.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    pub crashes: bool,
    pub network: bool,
    pub members: bool,
}

/// What happened in a run.
#[derive(Debug, Default, PartialEq)]
pub struct Story {
    pub leaders: usize,
    pub proposed: usize,
    pub acknowledged: usize,
    pub replaced: usize,
    pub reads: usize,
    pub crashes: usize,
    pub snapshots_sent: usize,
    pub members_changed: usize,
    pub last_index: u64,
}

impl AddAssign for Story {
    fn add_assign(&mut self, other: Self) {
        self.leaders += other.leaders;
        self.proposed += other.proposed;
        self.acknowledged += other.acknowledged;
        self.replaced += other.replaced;
        self.reads += other.reads;
        self.crashes += other.crashes;
        self.snapshots_sent += other.snapshots_sent;
        self.members_changed += other.members_changed;
        self.last_index += other.last_index;
    }
}

/// Every entry that was applied, with its index.
#[derive(Default)]
struct Journal(Arc<Vec<(u64, u64)>>);

impl StateMachine for Journal {
    type View = Arc<Vec<(u64, u64)>>;

    fn apply(&mut self, index: u64, entry: &[u8]) -> Vec<u8> {
        let entry = u64::from_le_bytes(entry.try_into().expect("the world proposes numbers"));
        Arc::make_mut(&mut self.0).push((index, entry));
        Vec::new()
    }

    fn view(&self) -> Self::View {
        self.0.clone()
    }

    fn snapshot(&self) -> Box<dyn FnOnce() -> Vec<u8> + Send> {
        let held = self.0.clone();
        Box::new(move || {
            held.iter()
                .flat_map(|(index, entry)| [index.to_le_bytes(), entry.to_le_bytes()].concat())
                .collect()
        })
    }

    fn restore(&mut self, data: &[u8]) -> Result<(), String> {
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let held = data.chunks(16).map(|pair| (number(&pair[..8]), number(&pair[8..])));
        self.0 = Arc::new(held.collect());
        Ok(())
    }
}

struct Node {
    disk: SimDisk,
    replica: Option<Replica<Journal>>,
    /// Counts starts, so that what a former start awaited does not reach the next.
    start: u64,
    view: Arc<Vec<(u64, u64)>>,
}

#[derive(Debug)]
enum Event {
    Tick(u64),
    Deliver(Message),
    SnapshotSent { from: u64, start: u64, to: u64, is_delivered: bool },
    SnapshotKept { at: u64, start: u64, meta: Meta, state: Vec<u8> },
    Restart(u64),
    Client,
    Fault,
    Heal,
}

pub struct World {
    now: u64,
    sequence: u64,
    events: BTreeMap<(u64, u64), Event>,
    nodes: BTreeMap<u64, Node>,
    cut: BTreeSet<(u64, u64)>,
    random: StdRng,
    seed: u64,
    faults: Faults,
    honesty: Honesty,
    rules: Rules,
    next_token: Token,
    next_id: u64,
    story: Story,
}

/// What the group has promised so far.
#[derive(Default)]
struct Rules {
    leaders: BTreeMap<u64, u64>,
    applied: BTreeMap<u64, u64>,
    proposals: BTreeMap<Token, u64>,
    acknowledged: BTreeMap<u64, u64>,
    replaced: BTreeSet<u64>,
    /// What a read must at least show: the highest index acknowledged when it was asked for.
    reads: BTreeMap<Token, u64>,
}

/// Collects the effects of one replica's round.
#[derive(Default)]
struct Round {
    messages: Vec<Message>,
    view: Option<Arc<Vec<(u64, u64)>>>,
    completed: Vec<(Token, Result<Applied, Lost>)>,
    readable: Vec<Token>,
    captures: Vec<Capture>,
}

impl Outbox<Arc<Vec<(u64, u64)>>> for Round {
    fn send(&mut self, message: Message) {
        self.messages.push(message);
    }

    fn publish(&mut self, view: Arc<Vec<(u64, u64)>>) {
        self.view = Some(view);
    }

    fn complete(&mut self, token: Token, result: Result<Applied, Lost>) {
        self.completed.push((token, result));
    }

    fn readable(&mut self, tokens: Vec<Token>) {
        self.readable.extend(tokens);
    }

    fn capture(&mut self, capture: Capture) {
        self.captures.push(capture);
    }
}

fn peer(id: u64) -> Peer {
    Peer { node_id: format!("node-{id}"), address: format!("host-{id}:2377") }
}

impl World {
    pub fn new(seed: u64, faults: Faults, honesty: Honesty) -> Self {
        let mut world = Self {
            now: 0,
            sequence: 0,
            events: BTreeMap::new(),
            nodes: BTreeMap::new(),
            cut: BTreeSet::new(),
            random: StdRng::seed_from_u64(seed),
            seed,
            faults,
            honesty,
            rules: Rules::default(),
            next_token: 0,
            next_id: 4,
            story: Story::default(),
        };
        let meta =
            Meta { position: Position { index: 1, term: 1 }, membership: Membership::alone(1, peer(1)) };
        world.place(1, SimDisk::with_snapshot(&meta, Vec::new()));
        world.place(2, SimDisk::default());
        world.place(3, SimDisk::default());
        world.at(10, Event::Client);
        // Early enough, now and then, to catch a group of one that is about to grow.
        let first_fault = world.random.random_range(50..2_000);
        world.at(first_fault, Event::Fault);
        world.at(CHAOS_MS, Event::Heal);
        world
    }

    fn place(&mut self, id: u64, disk: SimDisk) {
        self.nodes.insert(id, Node { disk, replica: None, start: 0, view: Arc::default() });
        self.at(0, Event::Restart(id));
        let phase = self.random.random_range(0..TICK_MS);
        self.at(phase, Event::Tick(id));
    }

    fn at(&mut self, delay: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + delay, self.sequence), event);
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn is_calm(&self) -> bool {
        self.now >= CHAOS_MS
    }

    pub fn run(mut self) -> Result<Story, String> {
        while let Some(((now, _), event)) = self.events.pop_first() {
            self.now = now;
            if now > CHAOS_MS + CALM_MS {
                break;
            }
            self.handle(event).map_err(|broken| format!("at {now} ms: {broken}"))?;
        }
        self.check_end()?;
        self.story.leaders = self.rules.leaders.len();
        Ok(self.story)
    }

    fn handle(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Tick(id) => {
                self.at(TICK_MS, Event::Tick(id));
                self.with(id, |replica, _| replica.tick())
            }
            Event::Deliver(message) => {
                if !self.cut.contains(&(message.from, message.to)) {
                    return self.with(message.to, |replica, _| replica.step(message));
                }
                Ok(())
            }
            Event::SnapshotSent { from, start, to, is_delivered } => {
                self.with_start(from, start, |replica, _| replica.snapshot_sent(to, is_delivered))
            }
            Event::SnapshotKept { at, start, meta, state } => self.with_start(at, start, |replica, disk| {
                disk.keep_snapshot(meta.clone(), state);
                replica.snapshot_kept(meta, disk);
            }),
            Event::Restart(id) => self.restart(id),
            Event::Client => self.client(),
            Event::Fault => self.fault(),
            Event::Heal => self.heal(),
        }
    }

    fn with_start(
        &mut self,
        id: u64,
        start: u64,
        act: impl FnOnce(&mut Replica<Journal>, &mut SimDisk),
    ) -> Result<(), String> {
        if self.nodes.get(&id).is_none_or(|node| node.start != start) {
            return Ok(());
        }
        self.with(id, act)
    }

    /// Acts on a live replica, then lets it do what is due.
    fn with(&mut self, id: u64, act: impl FnOnce(&mut Replica<Journal>, &mut SimDisk)) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(&id) else { return Ok(()) };
        let Some(replica) = node.replica.as_mut() else { return Ok(()) };
        let group = replica.membership().clone();
        act(replica, &mut node.disk);
        let mut round = Round::default();
        let ended = replica.pump(&mut node.disk, &mut round);
        if replica.membership().removed.len() != group.removed.len()
            || replica.membership().peers != group.peers
        {
            let durable = node.disk.durable_membership();
            if durable.peers != replica.membership().peers {
                return Err(format!("node {id} would forget a change of the group that it acts on"));
            }
        }
        let start = node.start;
        if let Some(view) = &round.view {
            self.rules.applied_by(id, &node.view, view)?;
            node.view = view.clone();
        }
        if replica.leads() {
            let before = self.rules.leaders.insert(replica.term(), id);
            if before.is_some_and(|other| other != id) {
                return Err(format!("{before:?} and {id} both lead term {}", replica.term()));
            }
        }
        let applied = replica.applied();
        self.finish(id, start, applied, round)?;
        match ended {
            Ok(()) => Ok(()),
            Err(crate::Failure::Disk(crate::DiskError::Crashed)) => {
                self.crash(id);
                Ok(())
            }
            Err(failure) => Err(format!("node {id}: {failure}")),
        }
    }

    fn finish(&mut self, id: u64, start: u64, applied: u64, round: Round) -> Result<(), String> {
        for message in round.messages {
            self.send(id, start, message);
        }
        for (token, result) in round.completed {
            self.rules.complete(token, result, &mut self.story)?;
        }
        for token in round.readable {
            if let Some(least) = self.rules.reads.remove(&token) {
                self.story.reads += 1;
                if applied < least {
                    return Err(format!(
                        "node {id} read at {applied} although {least} was acknowledged before"
                    ));
                }
            }
        }
        for Capture { meta, encode } in round.captures {
            let delay = self.random.random_range(1..200);
            self.at(delay, Event::SnapshotKept { at: id, start, meta, state: encode() });
        }
        Ok(())
    }

    fn send(&mut self, id: u64, start: u64, mut message: Message) {
        let is_bad = self.faults.network && !self.is_calm();
        let is_lost = is_bad && self.chance(5) || self.cut.contains(&(message.from, message.to));
        let delay = match is_bad && self.chance(5) {
            true => self.random.random_range(50..1500),
            false => self.random.random_range(1..15),
        };
        if message.msg_type == MessageType::MsgSnapshot {
            self.story.snapshots_sent += 1;
            let newest = self.nodes[&id].disk.newest_snapshot();
            let (meta, state) = newest.expect("a leader that sends a snapshot has one");
            let mut snapshot = meta.to_raft();
            snapshot.data = meta.envelope(&state).into();
            message.set_snapshot(snapshot);
            let to = message.to;
            self.at(delay + 5, Event::SnapshotSent { from: id, start, to, is_delivered: !is_lost });
        }
        if is_lost {
            return;
        }
        if is_bad && self.chance(3) {
            let again = self.random.random_range(1..400);
            self.at(again, Event::Deliver(message.clone()));
        }
        self.at(delay, Event::Deliver(message));
    }

    fn crash(&mut self, id: u64) {
        let delay = self.random.random_range(10..4_000);
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.replica.take().is_none() {
            return;
        }
        self.story.crashes += 1;
        node.disk.crash(self.honesty);
        self.at(delay, Event::Restart(id));
    }

    fn restart(&mut self, id: u64) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(&id) else { return Ok(()) };
        if node.replica.is_some() {
            return Ok(());
        }
        node.start += 1;
        let (log, state) = node.disk.open().map_err(|what| format!("node {id}: {what}"))?;
        let mut machine = Journal::default();
        if let Some(state) = &state {
            machine.restore(state)?;
        }
        node.view = machine.view();
        let config =
            Config { raft_id: id, snapshot_every: 25, keep_for_slow_followers: 8, ..Config::default() };
        let seed = self.seed.wrapping_mul(10_007).wrapping_add(node.start);
        let replica = Replica::new(config, machine, log, seed).map_err(|failure| failure.to_string())?;
        node.replica = Some(replica);
        self.with(id, |_, _| ())
    }

    fn any_node(&mut self) -> u64 {
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        ids[self.random.random_range(0..ids.len())]
    }

    fn leader(&self) -> Option<u64> {
        let leads = |node: &Node| node.replica.as_ref().is_some_and(Replica::leads_ready);
        self.nodes.iter().find(|(_, node)| leads(node)).map(|(id, _)| *id)
    }

    /// Writes, reads, and asks for the members that should be there.
    fn client(&mut self) -> Result<(), String> {
        let delay = self.random.random_range(10..60);
        self.at(delay, Event::Client);
        let id = self.any_node();
        self.next_token += 2;
        let (write, read) = (self.next_token, self.next_token + 1);
        let mut is_taken = false;
        self.rules.proposals.insert(write, write);
        self.with(id, |replica, _| is_taken = replica.propose(write, write.to_le_bytes().to_vec()).is_ok())?;
        if is_taken {
            self.story.proposed += 1;
        } else {
            self.rules.proposals.remove(&write);
        }
        let id = self.any_node();
        let least = self.rules.acknowledged.values().copied().max().unwrap_or(0);
        self.rules.reads.insert(read, least);
        self.with(id, |replica, _| replica.read(read))?;
        self.invite()
    }

    /// Lets every node that is not a member ask to become one.
    fn invite(&mut self) -> Result<(), String> {
        let Some(leader) = self.leader() else { return Ok(()) };
        let group = self.nodes[&leader].replica.as_ref().map(|replica| replica.membership().clone());
        let Some(group) = group else { return Ok(()) };
        let missing = self
            .nodes
            .keys()
            .copied()
            .find(|id| !group.peers.contains_key(id) && !group.removed.contains(id));
        let Some(id) = missing else { return Ok(()) };
        self.next_token += 1;
        let token = self.next_token;
        self.story.members_changed += 1;
        self.with(leader, |replica, _| drop(replica.add(token, id, peer(id))))
    }

    fn fault(&mut self) -> Result<(), String> {
        if self.is_calm() {
            return Ok(());
        }
        let delay = self.random.random_range(100..1_500);
        self.at(delay, Event::Fault);
        match self.random.random_range(0..8) {
            0 | 1 if self.faults.crashes => {
                let id = self.any_node();
                self.crash(id);
            }
            2 | 3 if self.faults.crashes => {
                let id = self.any_node();
                let after = self.random.random_range(0..4);
                let crash = if self.chance(50) { Crash::BeforeSync(after) } else { Crash::AfterSync(after) };
                self.nodes[&id].disk.arm(crash);
            }
            4 if self.faults.crashes && self.chance(30) => {
                let all: Vec<u64> = self.nodes.keys().copied().collect();
                all.into_iter().for_each(|id| self.crash(id));
            }
            5 if self.faults.network => self.partition(),
            6 if self.faults.network => self.cut.clear(),
            7 if self.faults.members => return self.change_members(),
            _ => {}
        }
        Ok(())
    }

    fn partition(&mut self) {
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        let here: BTreeSet<u64> = ids.iter().copied().filter(|_| self.random.random_bool(0.5)).collect();
        for from in &ids {
            for to in &ids {
                if here.contains(from) != here.contains(to) {
                    self.cut.insert((*from, *to));
                }
            }
        }
    }

    fn change_members(&mut self) -> Result<(), String> {
        if self.next_id < 8 && self.chance(50) {
            let id = self.next_id;
            self.next_id += 1;
            self.place(id, SimDisk::default());
            return Ok(());
        }
        let Some(leader) = self.leader() else { return Ok(()) };
        let victim = self.any_node();
        self.next_token += 1;
        let token = self.next_token;
        self.story.members_changed += 1;
        self.with(leader, |replica, _| {
            if replica.membership().peers.len() > 2 && replica.remove(token, victim).is_err() {
                let _ = replica.transfer(None);
            }
        })
    }

    fn heal(&mut self) -> Result<(), String> {
        self.cut.clear();
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        for id in ids {
            self.nodes[&id].disk.arm(Crash::AfterSync(u32::MAX));
            self.at(1, Event::Restart(id));
        }
        Ok(())
    }

    /// After the calm every member has everything that was acknowledged, and nothing that was refused.
    fn check_end(&mut self) -> Result<(), String> {
        let leader = self.leader().ok_or("no one leads in the end")?;
        let Some(replica) = self.nodes[&leader].replica.as_ref() else { return Err("unreachable".into()) };
        self.story.last_index = replica.applied();
        let group = replica.membership().clone();
        let recent = self.rules.acknowledged.values().copied().max().unwrap_or(0);
        if recent + 200 < replica.applied() || self.story.acknowledged == 0 {
            return Err(format!("no write was acknowledged after entry {recent} of {}", replica.applied()));
        }
        for id in group.peers.keys() {
            let node = &self.nodes[id];
            let held: BTreeMap<u64, u64> = node.view.iter().map(|(index, entry)| (*entry, *index)).collect();
            if held.len() != node.view.len() {
                return Err(format!("node {id} applied an entry twice"));
            }
            let end = node.replica.as_ref().map_or(0, Replica::applied);
            if end + 20 < replica.applied() {
                return Err(format!("node {id} is at {end}, the leader at {}", replica.applied()));
            }
            let due = self.rules.acknowledged.iter().filter(|(_, index)| **index <= end);
            for (entry, index) in due {
                if held.get(entry) != Some(index) {
                    return Err(format!("node {id} lost entry {entry}, acknowledged at {index}"));
                }
            }
            if let Some(entry) = self.rules.replaced.iter().find(|entry| held.contains_key(entry)) {
                return Err(format!("node {id} holds entry {entry}, which was reported as replaced"));
            }
        }
        Ok(())
    }
}

impl Rules {
    fn applied_by(&mut self, id: u64, before: &[(u64, u64)], after: &[(u64, u64)]) -> Result<(), String> {
        let from = before.len().min(after.len());
        if before[..from] != after[..from] {
            return Err(format!("node {id} changed what it had applied"));
        }
        for (index, entry) in &after[from..] {
            let known = *self.applied.entry(*index).or_insert(*entry);
            if known != *entry {
                return Err(format!("node {id} applied {entry} at {index}, where another applied {known}"));
            }
        }
        Ok(())
    }

    fn complete(
        &mut self,
        token: Token,
        result: Result<Applied, Lost>,
        story: &mut Story,
    ) -> Result<(), String> {
        let Some(entry) = self.proposals.remove(&token) else { return Ok(()) };
        match result {
            Ok(applied) => {
                story.acknowledged += 1;
                self.acknowledged.insert(entry, applied.index);
                if self.applied.get(&applied.index) != Some(&entry) {
                    return Err(format!(
                        "entry {entry} was acknowledged at {} but not applied there",
                        applied.index
                    ));
                }
            }
            Err(Lost::Replaced) => {
                story.replaced += 1;
                self.replaced.insert(entry);
            }
            Err(Lost::Unknown) => {}
        }
        Ok(())
    }
}
