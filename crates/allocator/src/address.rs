//! The free addresses of networks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use model::{Network, NetworkId, ServiceId, Subnet, Task, TaskState, Timestamp};
use store::View;

use crate::attachment;

/// How many addresses of one network are given out: more than there will be tasks, and few enough for a small book.
const ADDRESSES_MAX: u64 = 1 << 24;

/// The books of the networks from which addresses are taken in one pass, opened on first use.
#[derive(Debug, Default)]
pub(crate) struct Books {
    books: BTreeMap<NetworkId, Book>,
    users: Option<BTreeMap<NetworkId, BTreeSet<ServiceId>>>,
}

/// The addresses of one network.
///
/// The search for a free address begins behind the one that was given out last and goes round, so that freed addresses
/// are used again last. Which one was last follows from the tasks and services that had addresses, the ended ones
/// included: it is the highest of the youngest. Only what was removed altogether is forgotten.
#[derive(Debug)]
struct Book {
    subnet: Subnet,
    first: u64,
    last: u64,
    gateway: u64,
    taken: Vec<u64>,
    taken_count: u64,
    latest: (Timestamp, u64),
}

impl Books {
    /// Takes a free address of the network.
    pub(crate) fn take(&mut self, view: &View, network: &Network) -> Result<Ipv4Addr, String> {
        let name = &network.spec.name;
        let book = self.open(view, network).ok_or_else(|| format!("network {name} has no subnet"))?;
        book.take().ok_or_else(|| {
            let (count, subnet) = (book.capacity(), book.subnet);
            format!("network {name} has no free address: the {count} addresses of {subnet} are used up")
        })
    }

    /// Returns an address. A book that is not open yet will find it free in the view.
    pub(crate) fn give_back(&mut self, network: NetworkId, address: Ipv4Addr) {
        if let Some(book) = self.books.get_mut(&network) {
            book.free(address);
        }
    }

    fn open(&mut self, view: &View, network: &Network) -> Option<&mut Book> {
        if !self.books.contains_key(&network.id) {
            let mut book = Book::new(network)?;
            let users = self.users.get_or_insert_with(|| users(view));
            book.read(view, network.id, users.get(&network.id));
            self.books.insert(network.id, book);
        }
        self.books.get_mut(&network.id)
    }
}

/// Returns the services whose tasks may have addresses on each network. Every task has a spec, that of a removed
/// service too.
fn users(view: &View) -> BTreeMap<NetworkId, BTreeSet<ServiceId>> {
    let mut users: BTreeMap<NetworkId, BTreeSet<ServiceId>> = BTreeMap::new();
    for spec in view.specs() {
        for network in attachment::possible(view, &spec.task, &spec.endpoint) {
            users.entry(network).or_default().insert(spec.id.service);
        }
    }
    users
}

/// Claims that the task's addresses cannot be given to another: it may run or come to run.
fn holds(task: &Task) -> bool {
    let never_runs = task.node.is_none() && task.desired > TaskState::Running;
    !task.status.state.is_terminal() && !never_runs
}

impl Book {
    fn new(network: &Network) -> Option<Self> {
        let subnet = network.subnet?;
        let pool = network.spec.ipam.pools.first();
        let range =
            pool.and_then(|pool| pool.range).filter(|range| subnet.contains(range.base)).unwrap_or(subnet);
        let offset = |address: Ipv4Addr| u64::from(address.to_bits()) - u64::from(subnet.base.to_bits());
        let gateway = pool.and_then(|pool| pool.gateway).filter(|gateway| subnet.contains(*gateway));
        // The first address names the subnet and the last is its broadcast.
        let first = offset(range.base).max(1);
        let end = (offset(range.base) + range.size()).min(subnet.size() - 1);
        let last = end.min(first.saturating_add(ADDRESSES_MAX)).saturating_sub(1);
        let words = usize::try_from((last + 1).saturating_sub(first / 64 * 64).div_ceil(64)).ok()?;
        Some(Self {
            subnet,
            first,
            last,
            gateway: gateway.map_or(1, offset),
            taken: vec![0; words],
            taken_count: 0,
            latest: (Timestamp(i64::MIN), first.saturating_sub(1)),
        })
    }

    /// Marks what is held according to the view.
    fn read(&mut self, view: &View, network: NetworkId, users: Option<&BTreeSet<ServiceId>>) {
        for service in view.services() {
            for vip in service.endpoint.virtual_ips.iter().filter(|vip| vip.network == network) {
                self.mark(vip.address, service.meta.created_at, true);
            }
        }
        for task in users.into_iter().flatten().flat_map(|service| view.tasks_of_service(*service)) {
            for held in task.addresses.iter().filter(|held| held.network == network) {
                self.mark(held.address, task.meta.created_at, holds(task));
            }
        }
    }

    fn capacity(&self) -> u64 {
        let addresses = (self.last + 1).saturating_sub(self.first);
        addresses - u64::from((self.first..=self.last).contains(&self.gateway))
    }

    fn mark(&mut self, address: Ipv4Addr, since: Timestamp, is_held: bool) {
        let Some(offset) = self.offset(address) else { return };
        self.latest = self.latest.max((since, offset));
        if is_held {
            self.set(offset);
        }
    }

    fn take(&mut self) -> Option<Ipv4Addr> {
        if self.taken_count >= self.capacity() {
            return None;
        }
        let after = (self.latest.1 + 1).clamp(self.first, self.last + 1);
        let offset = self.next_free(after, self.last).or_else(|| self.next_free(self.first, after - 1))?;
        self.set(offset);
        self.latest.1 = offset;
        self.subnet.nth(offset)
    }

    /// Returns the first free offset from `from` to `to`, skipping 64 taken ones at a time.
    fn next_free(&self, from: u64, to: u64) -> Option<u64> {
        let mut offset = from;
        while offset <= to {
            if offset.is_multiple_of(64) && self.taken[self.word(offset)] == u64::MAX {
                offset += 64;
            } else if self.is_taken(offset) || offset == self.gateway {
                offset += 1;
            } else {
                return Some(offset);
            }
        }
        None
    }

    fn free(&mut self, address: Ipv4Addr) {
        let Some(offset) = self.offset(address).filter(|offset| self.is_taken(*offset)) else { return };
        let word = self.word(offset);
        self.taken[word] &= !(1 << (offset % 64));
        self.taken_count -= 1;
    }

    fn set(&mut self, offset: u64) {
        if !self.is_taken(offset) {
            let word = self.word(offset);
            self.taken[word] |= 1 << (offset % 64);
            self.taken_count += 1;
        }
    }

    /// Returns which word has the bit of an offset; the first word has that of the first.
    fn word(&self, offset: u64) -> usize {
        (offset / 64 - self.first / 64) as usize
    }

    fn is_taken(&self, offset: u64) -> bool {
        self.taken[self.word(offset)] & (1 << (offset % 64)) != 0
    }

    /// Returns the place of an address that can be given out.
    fn offset(&self, address: Ipv4Addr) -> Option<u64> {
        let offset = u64::from(address.to_bits()).checked_sub(self.subnet.base.to_bits().into())?;
        ((self.first..=self.last).contains(&offset) && offset != self.gateway).then_some(offset)
    }
}
