//! Hands out addresses of the node's own bridge.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::{Error, Ipv4Net};

/// Remembers which addresses of a range are taken; a freed address comes back last.
#[derive(Debug)]
pub(crate) struct Pool {
    subnet: Ipv4Net,
    taken: BTreeSet<Ipv4Addr>,
    last: u32,
}

impl Pool {
    /// Starts with the gateway (the first address) taken.
    pub(crate) fn new(subnet: Ipv4Net) -> Pool {
        let first = u32::from(subnet.network().address()) + 1;
        Pool { subnet: subnet.network(), taken: BTreeSet::from([Ipv4Addr::from(first)]), last: first }
    }

    pub(crate) fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.subnet.address()) + 1)
    }

    pub(crate) fn subnet(&self) -> Ipv4Net {
        self.subnet
    }

    /// Marks an address as taken that is found in use.
    pub(crate) fn adopt(&mut self, address: Ipv4Addr) {
        self.taken.insert(address);
        self.last = self.last.max(u32::from(address));
    }

    /// Takes the next free address after the one taken last.
    pub(crate) fn take(&mut self) -> Result<Ipv4Addr, Error> {
        let first = u32::from(self.subnet.address()) + 1;
        let end = (u32::from(self.subnet.address()) | !self.subnet.mask()).max(first);
        let after = (self.last.saturating_add(1)..end).chain(first..end);
        let free = after.map(Ipv4Addr::from).find(|address| !self.taken.contains(address));
        let address = free.ok_or(Error::NoFreeAddress { subnet: self.subnet })?;
        self.adopt_at(address);
        Ok(address)
    }

    /// Gives an address back.
    pub(crate) fn free(&mut self, address: Ipv4Addr) {
        if address != self.gateway() {
            self.taken.remove(&address);
        }
    }

    fn adopt_at(&mut self, address: Ipv4Addr) {
        self.taken.insert(address);
        self.last = u32::from(address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_address_comes_back_last() {
        let mut pool = Pool::new("10.1.0.0/29".parse().unwrap());

        let all: Vec<_> = (0..5).map(|_| pool.take().unwrap().octets()[3]).collect();
        let full = pool.take();
        pool.free(Ipv4Addr::new(10, 1, 0, 3));
        pool.free(Ipv4Addr::new(10, 1, 0, 5));
        pool.free(Ipv4Addr::new(10, 1, 0, 1));

        assert_eq!(all, [2, 3, 4, 5, 6]);
        assert!(matches!(full, Err(Error::NoFreeAddress { .. })));
        assert_eq!(pool.take().unwrap().octets()[3], 3);
        assert_eq!(pool.take().unwrap().octets()[3], 5);
        assert!(pool.take().is_err());
    }

    #[test]
    fn adopted_address_is_not_handed_out() {
        let mut pool = Pool::new("10.1.0.0/29".parse().unwrap());

        pool.adopt(Ipv4Addr::new(10, 1, 0, 6));

        assert_eq!(pool.take().unwrap().octets()[3], 2);
    }

    #[test]
    fn tiny_ranges_do_not_overflow() {
        assert!(Pool::new("10.1.0.0/30".parse().unwrap()).take().is_ok());
        assert!(Pool::new("10.1.0.0/31".parse().unwrap()).take().is_err());
        assert!(Pool::new("10.1.0.0/32".parse().unwrap()).take().is_err());
    }
}
