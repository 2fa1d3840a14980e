//! The steps a rule is made of.

use super::encoder::{Attributes, NFT_JUMP};
use crate::Ipv4Net;

/// The numbers by which user space knows how to print keys and values.
pub(super) const TYPE_NUMBER: u32 = 4;
pub(super) const TYPE_ADDRESS: u32 = 7;
pub(super) const TYPE_PROTOCOL: u32 = 12;
pub(super) const TYPE_PORT: u32 = 13;

/// The attribute in which a rule carries a value or verdict.
const NFTA_IMMEDIATE_DATA: u16 = 2;

/// Is one of the sixteen 4-byte registers a rule computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Register(pub(super) u32);

impl Register {
    /// The first register; longer values take the following ones too.
    pub(super) const FIRST: Register = Register(8);
    const VERDICT: Register = Register(0);

    pub(super) const fn next(self, count: u32) -> Register {
        Register(self.0 + count)
    }
}

/// Says which property of a packet or connection is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// The transport protocol's number.
    Protocol,
    /// The IPv4 source address.
    Source,
    /// The IPv4 destination address.
    Destination,
    /// The transport protocol's destination port.
    DestinationPort,
    /// The name of the link the packet came in by.
    InputName,
    /// The name of the link the packet leaves by.
    OutputName,
    /// What kind of address the destination is to this host.
    DestinationKind,
    /// The connection's status bits.
    ConnectionStatus,
    /// What the packet is to its connection.
    ConnectionState,
}

/// Is one step of a rule; a comparison that fails ends the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expression<'a> {
    Load(Field, Register),
    /// Puts a value into the register.
    Constant(&'a [u8], Register),
    Mask(Register, [u8; 4]),
    Equal(Register, &'a [u8]),
    Differ(Register, &'a [u8]),
    /// Looks up the key that starts at the first register, ends the rule if it is absent, and puts the value there.
    Look(&'a str, Register),
    /// Looks up the key that starts at the register, ends the rule if it is absent.
    Among(&'a str, Register),
    /// Looks up the key that starts at the register, and goes on with the chain it leads to if there is one.
    Follow(&'a str, Register),
    /// Puts a random number below the given one into the register.
    Random(u32, Register),
    /// Sends the connection to the address and port that start at the register.
    Redirect(Register),
    /// Sends the connection to the address in the register, and leaves its port.
    RedirectAddress(Register),
    /// Tells the sender that nothing is at that port.
    Refuse,
    Masquerade,
    Jump(&'a str),
    Accept,
    Drop,
}

impl Expression<'_> {
    pub(super) fn encode(&self, element: &mut Attributes<'_>) {
        const NFTA_EXPR_NAME: u16 = 1;
        const NFTA_EXPR_DATA: u16 = 2;
        element.text(NFTA_EXPR_NAME, self.name());
        element.nest(NFTA_EXPR_DATA, |data| self.data(data));
    }

    fn name(&self) -> &'static str {
        match self {
            Expression::Load(field, _) => match field {
                Field::Protocol | Field::InputName | Field::OutputName => "meta",
                Field::Source | Field::Destination | Field::DestinationPort => "payload",
                Field::DestinationKind => "fib",
                Field::ConnectionStatus | Field::ConnectionState => "ct",
            },
            Expression::Mask(..) => "bitwise",
            Expression::Equal(..) | Expression::Differ(..) => "cmp",
            Expression::Look(..) | Expression::Among(..) | Expression::Follow(..) => "lookup",
            Expression::Random(..) => "numgen",
            Expression::Redirect(_) | Expression::RedirectAddress(_) => "nat",
            Expression::Refuse => "reject",
            Expression::Masquerade => "masq",
            Expression::Constant(..) | Expression::Jump(_) | Expression::Accept | Expression::Drop => {
                "immediate"
            }
        }
    }

    fn data(&self, data: &mut Attributes<'_>) {
        match *self {
            Expression::Load(field, to) => load(data, field, to),
            Expression::Constant(value, register) => {
                data.number(1, register.0);
                data.value(NFTA_IMMEDIATE_DATA, value);
            }
            Expression::Mask(register, mask) => {
                data.number(1, register.0);
                data.number(2, register.0);
                data.number(3, 4);
                data.value(4, &mask);
                data.value(5, &[0; 4]);
            }
            Expression::Equal(register, value) => {
                const NFT_CMP_EQ: u32 = 0;
                data.number(1, register.0);
                data.number(2, NFT_CMP_EQ);
                data.value(3, value);
            }
            Expression::Differ(register, value) => {
                const NFT_CMP_NEQ: u32 = 1;
                data.number(1, register.0);
                data.number(2, NFT_CMP_NEQ);
                data.value(3, value);
            }
            Expression::Look(map, register) => {
                data.text(1, map);
                data.number(2, register.0);
                data.number(3, register.0);
            }
            Expression::Among(set, register) => {
                data.text(1, set);
                data.number(2, register.0);
            }
            Expression::Follow(map, register) => {
                data.text(1, map);
                data.number(2, register.0);
                data.number(3, Register::VERDICT.0);
            }
            Expression::Random(below, register) => {
                const NFT_NG_RANDOM: u32 = 1;
                data.number(1, register.0);
                data.number(2, below);
                data.number(3, NFT_NG_RANDOM);
            }
            Expression::Redirect(register) => {
                redirect(data, register);
                data.number(5, register.next(1).0);
            }
            Expression::RedirectAddress(register) => redirect(data, register),
            Expression::Refuse => {
                const NFT_REJECT_ICMP_UNREACH: u32 = 0;
                const ICMP_PORT_UNREACH: u8 = 3;
                data.number(1, NFT_REJECT_ICMP_UNREACH);
                data.bytes(2, &[ICMP_PORT_UNREACH]);
            }
            Expression::Masquerade => {}
            Expression::Jump(chain) => {
                verdict(data, NFT_JUMP, Some(chain));
            }
            Expression::Accept => verdict(data, libc::NF_ACCEPT, None),
            Expression::Drop => verdict(data, libc::NF_DROP, None),
        }
    }
}

fn redirect(data: &mut Attributes<'_>, address: Register) {
    const NFT_NAT_DNAT: u32 = 1;
    const NFPROTO_IPV4: u32 = 2;
    data.number(1, NFT_NAT_DNAT);
    data.number(2, NFPROTO_IPV4);
    data.number(3, address.0);
}

fn load(data: &mut Attributes<'_>, field: Field, to: Register) {
    const NETWORK_HEADER: u32 = 1;
    const TRANSPORT_HEADER: u32 = 2;
    let mut meta = |key: u32| {
        data.number(1, to.0);
        data.number(2, key);
    };
    match field {
        Field::Protocol => meta(16),
        Field::InputName => meta(6),
        Field::OutputName => meta(7),
        // The key "status"; the attributes are laid out as those of "meta".
        Field::ConnectionStatus => meta(2),
        Field::ConnectionState => meta(0),
        Field::Source => payload(data, to, NETWORK_HEADER, 12, 4),
        Field::Destination => payload(data, to, NETWORK_HEADER, 16, 4),
        Field::DestinationPort => payload(data, to, TRANSPORT_HEADER, 2, 2),
        Field::DestinationKind => {
            const NFT_FIB_RESULT_ADDRTYPE: u32 = 3;
            const NFTA_FIB_F_DADDR: u32 = 2;
            data.number(1, to.0);
            data.number(2, NFT_FIB_RESULT_ADDRTYPE);
            data.number(3, NFTA_FIB_F_DADDR);
        }
    }
}

fn payload(data: &mut Attributes<'_>, to: Register, header: u32, offset: u32, length: u32) {
    data.number(1, to.0);
    data.number(2, header);
    data.number(3, offset);
    data.number(4, length);
}

fn verdict(data: &mut Attributes<'_>, code: i32, chain: Option<&str>) {
    data.number(1, Register::VERDICT.0);
    data.nest(NFTA_IMMEDIATE_DATA, |nest| nest.verdict(code, chain));
}

/// Returns a link's name as it is compared: filled up with zeros.
pub(super) fn link_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    // A link's name has at most 15 bytes, so that the last byte stays zero.
    for (to, from) in bytes[..15].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    bytes
}

/// Returns the mask of a prefix as it is laid over an address.
pub(super) fn mask(net: Ipv4Net) -> [u8; 4] {
    net.mask().to_be_bytes()
}
