//! The host's table `drover`: egress of the host's bridges, published ports, and what guards them.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::encoder::{Holds, Hook, Map, OUTPUT, Transaction};
use super::expression::Expression::{
    self, Accept, Differ, Drop, Equal, Jump, Load, Look, Mask, Masquerade, Redirect,
};
use super::expression::{Field, Register, TYPE_ADDRESS, TYPE_PORT, TYPE_PROTOCOL, link_name, mask};
use crate::host_port::Protocol;
use crate::netlink::Socket;
use crate::{Bridge, Error, Ipv4Net};

const TABLE: &str = "drover";
const PUBLISHED: &str = "published";
/// The number the kernel's routing gives to destinations that are this host itself.
const RTN_LOCAL: u32 = 2;
/// The bit of connections whose destination was rewritten.
const IPS_DST_NAT: [u8; 4] = (1_u32 << 5).to_ne_bytes();
/// The bit of packets that begin a connection.
const CT_STATE_NEW: [u8; 4] = (1_u32 << 3).to_ne_bytes();

/// Types of a concatenation are packed into one number, six bits each.
const ENDPOINT_TYPE: u32 = TYPE_ADDRESS << 6 | TYPE_PORT;

/// Published on every address: protocol and port give a container's address and port.
const PORTS: Map = Map {
    name: "ports",
    id: 1,
    key_type: TYPE_PROTOCOL << 6 | TYPE_PORT,
    key_bytes: 8,
    holds: Holds::Values { kind: ENDPOINT_TYPE, bytes: 8 },
};
/// Published on one address: that address, protocol and port give a container's address and port.
const PORTS_AT: Map = Map {
    name: "ports_at",
    id: 2,
    key_type: TYPE_ADDRESS << 12 | TYPE_PROTOCOL << 6 | TYPE_PORT,
    key_bytes: 12,
    holds: Holds::Values { kind: ENDPOINT_TYPE, bytes: 8 },
};

const GUARD: Hook = Hook { kind: "filter", number: 0, priority: -300 };
const PREROUTING: Hook = Hook { kind: "nat", number: 0, priority: -100 };
const FORWARD: Hook = Hook { kind: "filter", number: 2, priority: 0 };
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
        subnets: &[(Bridge, Ipv4Net)],
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
        add_egress(&mut transaction, subnets);
        add_guards(&mut transaction);
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
fn add_egress(transaction: &mut Transaction, subnets: &[(Bridge, Ipv4Net)]) {
    let register = Register::FIRST;
    transaction.add_chain("postrouting", Some(POSTROUTING));
    for (bridge, subnet) in subnets {
        let name = link_name(bridge.name());
        let (mask, base) = (mask(*subnet), subnet.network().address().octets());
        let from_container = [Load(Field::Source, register), Mask(register, mask), Equal(register, &base)];
        let outwards = [Load(Field::OutputName, register), Differ(register, &name)];
        transaction.add_rule("postrouting", &[&from_container[..], &outwards, &[Masquerade]].concat());
        // To its neighbour a container is itself, unless the neighbour's answer would miss the host that redirected.
        let back = [Load(Field::OutputName, register), Equal(register, &name)];
        let neighbourly = [&from_container[..], &back, &REDIRECTED, &[Masquerade]].concat();
        transaction.add_rule("postrouting", &neighbourly);
        // A client on the host that used 127.0.0.1 could not be answered by the container.
        let from_loopback = [
            Load(Field::Source, register),
            Mask(register, [255, 0, 0, 0]),
            Equal(register, &[127, 0, 0, 0]),
            Masquerade,
        ];
        transaction.add_rule("postrouting", &[&back[..], &from_loopback].concat());
    }
}

/// Holds for connections to a published port.
const REDIRECTED: [Expression<'static>; 3] = [
    Load(Field::ConnectionStatus, Register::FIRST),
    Mask(Register::FIRST, IPS_DST_NAT),
    Equal(Register::FIRST, &IPS_DST_NAT),
];

/// Keeps containers from each other, unless both are on the open bridge, others from ports that are not published, and
/// containers from the host's loopback.
fn add_guards(transaction: &mut Transaction) {
    let register = Register::FIRST;
    transaction.add_chain("forward", Some(FORWARD));
    transaction.add_rule("forward", &[&REDIRECTED[..], &[Accept]].concat());
    for (from, to) in
        [(Bridge::Closed, Bridge::Closed), (Bridge::Closed, Bridge::Open), (Bridge::Open, Bridge::Closed)]
    {
        let (from, to) = (link_name(from.name()), link_name(to.name()));
        let between = [
            Load(Field::InputName, register),
            Equal(register, &from),
            Load(Field::OutputName, register),
            Equal(register, &to),
            Drop,
        ];
        transaction.add_rule("forward", &between);
    }
    transaction.add_chain("guard", Some(GUARD));
    for bridge in Bridge::ALL {
        let name = link_name(bridge.name());
        let begun_outside = [
            Load(Field::OutputName, register),
            Equal(register, &name),
            Load(Field::InputName, register),
            Differ(register, &name),
            Load(Field::ConnectionState, register),
            Mask(register, CT_STATE_NEW),
            Equal(register, &CT_STATE_NEW),
            Drop,
        ];
        transaction.add_rule("forward", &begun_outside);
        // Routing 127.0.0.0/8 to the bridge is on for the host's own clients; the other direction stays shut.
        let to_loopback = [
            Load(Field::InputName, register),
            Equal(register, &name),
            Load(Field::Destination, register),
            Mask(register, [255, 0, 0, 0]),
            Equal(register, &[127, 0, 0, 0]),
            Drop,
        ];
        transaction.add_rule("guard", &to_loopback);
    }
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
