//! The host's table `drover`: egress of the node's bridge, published ports, and what guards them.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::encoder::{Hook, Map, Transaction};
use super::expression::Expression::{Accept, Drop, Equal, Jump, Load, Look, Mask, Masquerade, Redirect};
use super::expression::{Field, Register, link_name, mask};
use crate::host_port::Protocol;
use crate::netlink::Socket;
use crate::{Error, Ipv4Net};

const TABLE: &str = "drover";
const PUBLISHED: &str = "published";
/// The number the kernel's routing gives to destinations that are this host itself.
const RTN_LOCAL: u32 = 2;
/// The bit of connections whose destination was rewritten.
const IPS_DST_NAT: u32 = 1 << 5;

const TYPE_ADDRESS: u32 = 7;
const TYPE_PROTOCOL: u32 = 12;
const TYPE_PORT: u32 = 13;
/// Types of a concatenation are packed into one number, six bits each.
const ENDPOINT_TYPE: u32 = TYPE_ADDRESS << 6 | TYPE_PORT;

/// Published on every address: protocol and port give a container's address and port.
const PORTS: Map = Map {
    name: "ports",
    id: 1,
    key_type: TYPE_PROTOCOL << 6 | TYPE_PORT,
    key_bytes: 8,
    value_type: ENDPOINT_TYPE,
    value_bytes: 8,
};
/// Published on one address: that address, protocol and port give a container's address and port.
const PORTS_AT: Map = Map {
    name: "ports_at",
    id: 2,
    key_type: TYPE_ADDRESS << 12 | TYPE_PROTOCOL << 6 | TYPE_PORT,
    key_bytes: 12,
    value_type: ENDPOINT_TYPE,
    value_bytes: 8,
};

const GUARD: Hook = Hook { kind: "filter", number: 0, priority: -300 };
const PREROUTING: Hook = Hook { kind: "nat", number: 0, priority: -100 };
const FORWARD: Hook = Hook { kind: "filter", number: 2, priority: 0 };
const OUTPUT: Hook = Hook { kind: "nat", number: 3, priority: -100 };
const POSTROUTING: Hook = Hook { kind: "nat", number: 4, priority: 100 };

/// Is where a published port is reached on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Published {
    /// One address of the host; `None` is every one.
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
}

/// Is the container's side of a published port.
pub(crate) type Endpoint = SocketAddrV4;

/// Is the table `drover` of one host.
#[derive(Debug)]
pub(crate) struct Table {
    socket: Socket,
}

impl Table {
    pub(crate) fn new(socket: Socket) -> Table {
        Table { socket }
    }

    /// Puts the whole table in place of whatever it was, in one transaction.
    pub(crate) fn replace(
        &self,
        bridge: &str,
        subnet: Ipv4Net,
        ports: &[(Published, Endpoint)],
    ) -> Result<(), Error> {
        let mut transaction = Transaction::new(TABLE);
        // A table can only be removed if it is there, and adding one that is there is fine.
        transaction.add_table();
        transaction.remove_table();
        transaction.add_table();
        transaction.add_map(&PORTS);
        transaction.add_map(&PORTS_AT);
        add_published(&mut transaction);
        add_egress(&mut transaction, bridge, subnet);
        add_guards(&mut transaction, bridge);
        put_elements(&mut transaction, ports);
        transaction.commit(&self.socket, "set up the nftables table drover")
    }

    /// Publishes ports.
    pub(crate) fn publish(&self, ports: &[(Published, Endpoint)]) -> Result<(), Error> {
        if ports.is_empty() {
            return Ok(());
        }
        let mut transaction = Transaction::new(TABLE);
        put_elements(&mut transaction, ports);
        transaction.commit(&self.socket, "publish ports in the nftables table drover")
    }

    /// Takes published ports back.
    pub(crate) fn withdraw(&self, ports: &[Published]) -> Result<(), Error> {
        if ports.is_empty() {
            return Ok(());
        }
        let mut transaction = Transaction::new(TABLE);
        for map in [&PORTS, &PORTS_AT] {
            let keys: Vec<_> =
                ports.iter().filter(|port| port.map().id == map.id).map(Published::key).collect();
            transaction.remove_elements(map, &keys);
        }
        transaction.commit(&self.socket, "withdraw ports from the nftables table drover")
    }

    /// Removes the table.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        let mut transaction = Transaction::new(TABLE);
        transaction.add_table();
        transaction.remove_table();
        transaction.commit(&self.socket, "remove the nftables table drover")
    }
}

impl Published {
    fn map(&self) -> &'static Map {
        if self.address.is_some() { &PORTS_AT } else { &PORTS }
    }

    fn key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(12);
        key.extend(self.address.map(|address| address.octets()).into_iter().flatten());
        key.extend([self.protocol.number(), 0, 0, 0]);
        key.extend(self.port.to_be_bytes());
        key.extend([0, 0]);
        key
    }
}

fn put_elements(transaction: &mut Transaction, ports: &[(Published, Endpoint)]) {
    for map in [&PORTS, &PORTS_AT] {
        let of_map = ports.iter().filter(|(port, _)| port.map().id == map.id);
        let elements: Vec<_> = of_map.map(|(port, to)| (port.key(), endpoint_value(*to))).collect();
        transaction.add_elements(map, &elements);
    }
}

fn endpoint_value(to: Endpoint) -> Vec<u8> {
    let mut value = to.ip().octets().to_vec();
    value.extend(to.port().to_be_bytes());
    value.extend([0, 0]);
    value
}

/// Redirects connections to this host's own addresses whose port is published; clients on the host included.
fn add_published(transaction: &mut Transaction) {
    let [first, second, third] = [Register::FIRST, Register::FIRST.next(1), Register::FIRST.next(2)];
    transaction.add_chain(PUBLISHED, None);
    transaction.add_rule(
        PUBLISHED,
        &[
            Load(Field::Destination, first),
            Load(Field::Protocol, second),
            Load(Field::DestinationPort, third),
            Look(PORTS_AT.name, first),
            Redirect(first),
        ],
    );
    transaction.add_rule(
        PUBLISHED,
        &[
            Load(Field::Protocol, first),
            Load(Field::DestinationPort, second),
            Look(PORTS.name, first),
            Redirect(first),
        ],
    );
    for (chain, hook) in [("prerouting", PREROUTING), ("output", OUTPUT)] {
        transaction.add_chain(chain, Some(hook));
        let local = RTN_LOCAL.to_ne_bytes();
        transaction
            .add_rule(chain, &[Load(Field::DestinationKind, first), Equal(first, &local), Jump(PUBLISHED)]);
    }
}

/// Gives containers the host's address outside, and makes answers come back the way the question went.
fn add_egress(transaction: &mut Transaction, bridge: &str, subnet: Ipv4Net) {
    let register = Register::FIRST;
    let bridge = link_name(bridge);
    let subnet = subnet.network();
    transaction.add_chain("postrouting", Some(POSTROUTING));
    transaction.add_rule(
        "postrouting",
        &[
            Load(Field::Source, register),
            Mask(register, mask(subnet)),
            Equal(register, &subnet.address().octets()),
            Masquerade,
        ],
    );
    // A client on the host that used 127.0.0.1 could not be answered by the container.
    transaction.add_rule(
        "postrouting",
        &[
            Load(Field::OutputName, register),
            Equal(register, &bridge),
            Load(Field::Source, register),
            Mask(register, [255, 0, 0, 0]),
            Equal(register, &[127, 0, 0, 0]),
            Masquerade,
        ],
    );
}

/// Keeps containers from each other and from the host's loopback.
fn add_guards(transaction: &mut Transaction, bridge: &str) {
    let register = Register::FIRST;
    let bridge = link_name(bridge);
    let from_and_to = [
        Load(Field::InputName, register),
        Equal(register, &bridge),
        Load(Field::OutputName, register),
        Equal(register, &bridge),
    ];
    transaction.add_chain("forward", Some(FORWARD));
    let redirected = IPS_DST_NAT.to_ne_bytes();
    let published = [
        Load(Field::ConnectionStatus, register),
        Mask(register, redirected),
        Equal(register, &redirected),
        Accept,
    ];
    transaction.add_rule("forward", &[&from_and_to[..], &published].concat());
    transaction.add_rule("forward", &[&from_and_to[..], &[Drop]].concat());
    // Routing 127.0.0.0/8 to the bridge is on for the host's own clients; the other direction stays shut.
    transaction.add_chain("guard", Some(GUARD));
    transaction.add_rule(
        "guard",
        &[
            Load(Field::InputName, register),
            Equal(register, &bridge),
            Load(Field::Destination, register),
            Mask(register, [255, 0, 0, 0]),
            Equal(register, &[127, 0, 0, 0]),
            Drop,
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_filled_up_to_whole_registers() {
        let everywhere = Published { address: None, protocol: Protocol::Tcp, port: 8080 };
        let at_one =
            Published { address: Some(Ipv4Addr::new(10, 1, 2, 3)), protocol: Protocol::Udp, port: 53 };

        assert_eq!(everywhere.key(), [6, 0, 0, 0, 0x1f, 0x90, 0, 0]);
        assert_eq!(at_one.key(), [10, 1, 2, 3, 17, 0, 0, 0, 0, 53, 0, 0]);
        assert_eq!(everywhere.key().len(), PORTS.key_bytes as usize);
        assert_eq!(at_one.key().len(), PORTS_AT.key_bytes as usize);
    }
}
