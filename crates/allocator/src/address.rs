//! The free addresses of networks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use model::{Network, NetworkId, ServiceId, Subnet, Task, TaskState};
use store::{Draft, View};

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
/// are used again last. The network remembers which one that was.
#[derive(Debug)]
struct Book {
    subnet: Subnet,
    first: u64,
    last: u64,
    taken: Vec<u64>,
    taken_count: u64,
    /// How many are taken that are nobody's: the gateway's and those the user set aside.
    reserved_count: u64,
    /// Where the search goes on.
    latest: u64,
    /// What was given out last of what was kept.
    kept: Option<Ipv4Addr>,
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

    /// Notes that an address stays given out.
    pub(crate) fn keep(&mut self, network: NetworkId, address: Ipv4Addr) {
        if let Some(book) = self.books.get_mut(&network) {
            book.kept = Some(address);
        }
    }

    /// Writes into networks which address was given out last.
    pub(crate) fn close(self, draft: &mut Draft) {
        for (network, book) in self.books {
            let (Some(last), Some(network)) = (book.kept, draft.view().network(network)) else { continue };
            let network = Network { last_address: Some(last), ..(**network).clone() };
            draft.put(network);
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
        // The first address names the subnet and the last is its broadcast.
        let first = offset(range.base).max(1);
        let end = (offset(range.base) + range.size()).min(subnet.size() - 1);
        let last = end.min(first.saturating_add(ADDRESSES_MAX)).saturating_sub(1);
        let words = usize::try_from((last + 1).saturating_sub(first / 64 * 64).div_ceil(64)).ok()?;
        let given = network.last_address.filter(|address| subnet.contains(*address)).map(offset);
        let mut book = Self {
            subnet,
            first,
            last,
            taken: vec![0; words],
            taken_count: 0,
            reserved_count: 0,
            latest: given.unwrap_or(0),
            kept: None,
        };
        let auxiliary = pool.into_iter().flat_map(|pool| pool.auxiliary.values().copied());
        network.gateway().into_iter().chain(auxiliary).for_each(|address| book.take_out(address));
        book.reserved_count = book.taken_count;
        Some(book)
    }

    /// Takes out what is held according to the view.
    fn read(&mut self, view: &View, network: NetworkId, users: Option<&BTreeSet<ServiceId>>) {
        for service in view.services() {
            for vip in service.endpoint.virtual_ips.iter().filter(|vip| vip.network == network) {
                self.take_out(vip.address);
            }
        }
        let tasks = users.into_iter().flatten().flat_map(|service| view.tasks_of_service(*service));
        for task in tasks.filter(|task| holds(task)) {
            for held in task.addresses.iter().filter(|held| held.network == network) {
                self.take_out(held.address);
            }
        }
    }

    /// Returns how many addresses there are to give out.
    fn capacity(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first) - self.reserved_count
    }

    fn take(&mut self) -> Option<Ipv4Addr> {
        if self.taken_count >= (self.last + 1).saturating_sub(self.first) {
            return None;
        }
        let after = (self.latest + 1).clamp(self.first, self.last + 1);
        let offset = self.next_free(after, self.last).or_else(|| self.next_free(self.first, after - 1))?;
        self.set(offset);
        self.latest = offset;
        self.subnet.nth(offset)
    }

    /// Returns the first free offset from `from` to `to`, skipping 64 taken ones at a time.
    fn next_free(&self, from: u64, to: u64) -> Option<u64> {
        let mut offset = from;
        while offset <= to {
            if offset.is_multiple_of(64) && self.taken[self.word(offset)] == u64::MAX {
                offset += 64;
            } else if self.is_taken(offset) {
                offset += 1;
            } else {
                return Some(offset);
            }
        }
        None
    }

    fn take_out(&mut self, address: Ipv4Addr) {
        if let Some(offset) = self.offset(address) {
            self.set(offset);
        }
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
        (self.first..=self.last).contains(&offset).then_some(offset)
    }
}
