//! Just enough of the kernel's nftables protocol to drop frames between two ports of a bridge.

use std::collections::BTreeSet;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

const TABLE: &str = "lab";
const CHAIN: &str = "forward";

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;

const FLAG_REQUEST: u16 = 0x1;
const FLAG_ACK: u16 = 0x4;
const FLAG_CREATE: u16 = 0x400;
const FLAG_APPEND: u16 = 0x800;
const FAMILY_BRIDGE: u8 = 7;
const NESTED: u16 = 0x8000;

const HOOK_FORWARD: u32 = 2;
const POLICY_ACCEPT: u32 = 1;
const META_PROTOCOL: u32 = 1;
const META_IN_NAME: u32 = 6;
const META_OUT_NAME: u32 = 7;
const REGISTER: u32 = 1;
const REGISTER_VERDICT: u32 = 0;
const COMPARE_EQUAL: u32 = 0;
const VERDICT_DROP: u32 = 0;
const VERDICT_ACCEPT: u32 = 1;
const PROTOCOL_ARP: u16 = 0x0806;
/// An interface name's size in the kernel, which compares all of it.
const NAME_BYTES: usize = 16;

/// Makes the bridges of the calling thread's network namespace drop what comes in by the first port
/// of a pair to go out by the second, for exactly these pairs, in one transaction.
pub(crate) fn drop_between(pairs: &BTreeSet<(String, String)>) -> nix::Result<()> {
    let mut batch = Batch::default();
    batch.control(BATCH_BEGIN);
    // Deleting needs the table to exist, creating it once more does no harm.
    batch.message(NEW_TABLE, FLAG_CREATE, &text(1, TABLE));
    batch.message(DELETE_TABLE, 0, &text(1, TABLE));
    batch.message(NEW_TABLE, FLAG_CREATE, &text(1, TABLE));
    batch.message(NEW_CHAIN, FLAG_CREATE, &chain());
    batch.message(NEW_RULE, FLAG_CREATE | FLAG_APPEND, &pass_arp());
    for (from, to) in pairs {
        batch.message(NEW_RULE, FLAG_CREATE | FLAG_APPEND, &drop_pair(from, to));
    }
    batch.control(BATCH_END);
    batch.send()
}

fn chain() -> Vec<u8> {
    let hook = [number(1, HOOK_FORWARD), number(2, 0)].concat();
    [
        text(1, TABLE),
        text(3, CHAIN),
        attribute(4 | NESTED, &hook),
        number(5, POLICY_ACCEPT),
        text(7, "filter"),
    ]
    .concat()
}

/// A cut of one direction would cut both, if the answers to address requests were lost in it.
fn pass_arp() -> Vec<u8> {
    rule(&[load(META_PROTOCOL), compare(&PROTOCOL_ARP.to_be_bytes()), end(VERDICT_ACCEPT)])
}

fn drop_pair(from: &str, to: &str) -> Vec<u8> {
    rule(&[
        load(META_IN_NAME),
        compare(&interface(from)),
        load(META_OUT_NAME),
        compare(&interface(to)),
        end(VERDICT_DROP),
    ])
}

fn rule(expressions: &[Vec<u8>]) -> Vec<u8> {
    [text(1, TABLE), text(2, CHAIN), attribute(4 | NESTED, &expressions.concat())].concat()
}

fn end(verdict: u32) -> Vec<u8> {
    let verdict = attribute(2 | NESTED, &number(1, verdict));
    expression("immediate", &[number(1, REGISTER_VERDICT), attribute(2 | NESTED, &verdict)].concat())
}

fn load(key: u32) -> Vec<u8> {
    expression("meta", &[number(1, REGISTER), number(2, key)].concat())
}

fn interface(name: &str) -> [u8; NAME_BYTES] {
    let mut value = [0u8; NAME_BYTES];
    value[..name.len()].copy_from_slice(name.as_bytes());
    value
}

fn compare(value: &[u8]) -> Vec<u8> {
    let data = attribute(3 | NESTED, &attribute(1, value));
    expression("cmp", &[number(1, REGISTER), number(2, COMPARE_EQUAL), data].concat())
}

fn expression(name: &str, data: &[u8]) -> Vec<u8> {
    attribute(1 | NESTED, &[text(1, name), attribute(2 | NESTED, data)].concat())
}

fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), b"\0"].concat())
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).expect("an attribute is a few hundred bytes at most");
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Messages that the kernel applies together or not at all.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    acknowledged: u32,
    sequence: u32,
}

impl Batch {
    fn control(&mut self, kind: u16) {
        self.push(kind, FLAG_REQUEST, 0, SUBSYSTEM, &[]);
    }

    fn message(&mut self, kind: u16, flags: u16, attributes: &[u8]) {
        self.acknowledged += 1;
        self.push(SUBSYSTEM << 8 | kind, FLAG_REQUEST | FLAG_ACK | flags, FAMILY_BRIDGE, 0, attributes);
    }

    fn push(&mut self, kind: u16, flags: u16, family: u8, resource: u16, attributes: &[u8]) {
        self.sequence += 1;
        let length = u32::try_from(20 + attributes.len()).expect("a message is a few hundred bytes at most");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&0u32.to_ne_bytes());
        self.bytes.extend_from_slice(&[family, 0]);
        self.bytes.extend_from_slice(&resource.to_be_bytes());
        self.bytes.extend_from_slice(attributes);
    }

    fn send(self) -> nix::Result<()> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkNetFilter,
        )?;
        let kernel = NetlinkAddr::new(0, 0);
        sendto(socket.as_raw_fd(), &self.bytes, &kernel, MsgFlags::empty())?;
        let mut answers = 0;
        let mut buffer = vec![0u8; 64 * 1024];
        while answers < self.acknowledged {
            let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            answers += acknowledged(&buffer[..length])?;
        }
        Ok(())
    }
}

/// Counts the acknowledgements in a datagram; the first refusal is the result.
fn acknowledged(mut bytes: &[u8]) -> nix::Result<u32> {
    let mut count = 0;
    while let (Some(length), Some(code)) = (bytes.get(..4), bytes.get(16..20)) {
        let length = u32::from_ne_bytes(length.try_into().expect("four bytes were taken")) as usize;
        let code = i32::from_ne_bytes(code.try_into().expect("four bytes were taken"));
        if code != 0 {
            return Err(Errno::from_raw(-code));
        }
        count += 1;
        bytes = bytes.get(length.next_multiple_of(4).max(4)..).unwrap_or_default();
    }
    Ok(count)
}
