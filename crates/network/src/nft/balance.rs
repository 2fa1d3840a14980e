//! A container's table `drover_balance`: each connection to a virtual address goes to one of the addresses it stands
//! for.
//!
//! A virtual address leads to the chain for as many addresses as it stands for. That chain picks a number below, and
//! the pair of both leads to an address. So a change of one address changes a few elements, however many there are.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::encoder::{Holds, Hook, Map, OUTPUT, Transaction};
use super::expression::Expression::{Among, Follow, Load, Look, Random, RedirectAddress, Refuse};
use super::expression::{Field, Register, TYPE_ADDRESS, TYPE_NUMBER};
use crate::Error;
use crate::netlink::Socket;
use crate::virtual_ip::{Change, Slots, changes};

const TABLE: &str = "drover_balance";
const BALANCE: &str = "balance";
const REFUSE: &str = "refuse";
/// After destinations were rewritten: what still goes to a virtual address has nowhere to go.
const FILTER: Hook = Hook { kind: "filter", number: 3, priority: 0 };

/// Every virtual address.
const VIRTUAL: Map = Map { name: "virtual", id: 1, key_type: TYPE_ADDRESS, key_bytes: 4, holds: Holds::Keys };
/// A virtual address that stands for any, and the chain for as many.
const COUNTS: Map = Map { name: "counts", id: 2, key_type: TYPE_ADDRESS, key_bytes: 4, holds: Holds::Jumps };
/// A virtual address and a number below its count give an address.
const BACKENDS: Map = Map {
    name: "backends",
    id: 3,
    key_type: TYPE_ADDRESS << 6 | TYPE_NUMBER,
    key_bytes: 8,
    holds: Holds::Values { kind: TYPE_ADDRESS, bytes: 4 },
};

/// Puts the whole table in place of whatever it was, in one transaction.
pub(crate) fn replace(socket: &Socket, wanted: &Slots) -> Result<(), Error> {
    let register = Register::FIRST;
    let mut transaction = Transaction::new(TABLE);
    transaction.add_table();
    transaction.remove_table();
    transaction.add_table();
    for map in [&VIRTUAL, &COUNTS, &BACKENDS] {
        transaction.add_map(map);
    }
    transaction.add_chain(BALANCE, Some(OUTPUT));
    transaction.add_rule(BALANCE, &[Load(Field::Destination, register), Follow(COUNTS.name, register)]);
    transaction.add_chain(REFUSE, Some(FILTER));
    // The kernel tracks connections only as long as a rule asks for it. That on the state is there for this alone: those
    // that redirect come and go with backends, and connections to former ones must be known on.
    let refuse = [
        Load(Field::ConnectionState, register),
        Load(Field::Destination, register),
        Among(VIRTUAL.name, register),
        Refuse,
    ];
    transaction.add_rule(REFUSE, &refuse);
    put(&mut transaction, &changes(&Slots::new(), wanted));
    transaction.commit(socket, "set up the balancing of a container's connections")
}

/// Changes the table from what it holds to what is wanted, in one transaction.
pub(crate) fn update(socket: &Socket, present: &Slots, wanted: &Slots) -> Result<(), Error> {
    let change = changes(present, wanted);
    if change.is_empty() {
        return Ok(());
    }
    let mut transaction = Transaction::new(TABLE);
    put(&mut transaction, &change);
    transaction.commit(socket, "change the balancing of a container's connections")
}

fn put(transaction: &mut Transaction, change: &Change) {
    let Change {
        add_counts,
        remove_counts,
        remove_virtual,
        add_virtual,
        uncount,
        count,
        remove_backends,
        add_backends,
    } = change;
    for count in add_counts {
        add_count(transaction, *count);
    }
    let keys = |addresses: &BTreeSet<Ipv4Addr>| {
        addresses.iter().map(|address| address.octets().to_vec()).collect::<Vec<_>>()
    };
    transaction.remove_elements(&COUNTS, &keys(uncount));
    let jumps: Vec<_> = count.iter().map(|(at, count)| (at.octets().to_vec(), chain_for(*count))).collect();
    transaction.add_jumps(&COUNTS, &jumps);
    let slots: Vec<_> = remove_backends.iter().map(|(at, slot)| slot_key(*at, *slot)).collect();
    transaction.remove_elements(&BACKENDS, &slots);
    let backends: Vec<_> =
        add_backends.iter().map(|(at, slot, to)| (slot_key(*at, *slot), to.octets().to_vec())).collect();
    transaction.add_elements(&BACKENDS, &backends);
    transaction.remove_elements(&VIRTUAL, &keys(remove_virtual));
    transaction.add_keys(&VIRTUAL, &keys(add_virtual));
    for count in remove_counts {
        transaction.remove_chain(&chain_for(*count));
    }
}

fn chain_for(count: u32) -> String {
    format!("of_{count}")
}

fn add_count(transaction: &mut Transaction, count: u32) {
    let [first, second] = [Register::FIRST, Register::FIRST.next(1)];
    let chain = chain_for(count);
    transaction.add_chain(&chain, None);
    let rule = [
        Load(Field::Destination, first),
        Random(count, second),
        Look(BACKENDS.name, first),
        RedirectAddress(first),
    ];
    transaction.add_rule(&chain, &rule);
}

/// The kernel computes numbers in its own order of bytes.
fn slot_key(address: Ipv4Addr, slot: u32) -> Vec<u8> {
    [address.octets(), slot.to_ne_bytes()].concat()
}
