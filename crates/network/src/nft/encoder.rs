//! Encodes one nf_tables transaction: tables, chains, rules, maps and their elements.
//!
//! Either the kernel takes the whole transaction or nothing changes.

use std::io;

use super::expression::Expression;
use crate::Error;
use crate::netlink::Socket;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;
const NLA_F_NESTED: u16 = 0x8000;
const NFNL_MSG_BATCH_BEGIN: u16 = 16;
const NFNL_MSG_BATCH_END: u16 = 17;
const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFPROTO_IPV4: u8 = 2;
/// The verdict to go on with another chain and come back.
pub(super) const NFT_JUMP: i32 = -3;
const HEADER_BYTES: usize = 16;
/// An attribute's length is a 16-bit number; this many elements of any map we use stay well below it.
const ELEMENTS_PER_MESSAGE: usize = 500;

/// Is a request of the nf_tables subsystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    AddTable = 0,
    RemoveTable = 2,
    AddChain = 3,
    RemoveChain = 5,
    AddRule = 6,
    AddSet = 9,
    AddElements = 12,
    RemoveElements = 14,
}

/// Says where and when the kernel runs a chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hook {
    pub(super) kind: &'static str,
    pub(super) number: u32,
    pub(super) priority: i32,
}

/// Where the destinations of this namespace's own connections are rewritten.
pub(super) const OUTPUT: Hook = Hook { kind: "nat", number: 3, priority: -100 };

/// Describes a map: the layout of keys and values as user space prints them, and their sizes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Map {
    pub(super) name: &'static str,
    pub(super) id: u32,
    pub(super) key_type: u32,
    pub(super) key_bytes: u32,
    pub(super) holds: Holds,
}

/// Says what a map has for each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Nothing: it is a mere set.
    Keys,
    Values {
        kind: u32,
        bytes: u32,
    },
    /// The chain to go on with.
    Jumps,
}

/// Is what an element has beside its key.
enum Content<'e> {
    Nothing,
    Value(&'e [u8]),
    Jump(&'e str),
}

/// Appends attributes to a buffer.
pub(super) struct Attributes<'a> {
    buffer: &'a mut Vec<u8>,
}

impl Attributes<'_> {
    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.buffer.extend(((value.len() + 4) as u16).to_ne_bytes());
        self.buffer.extend(kind.to_ne_bytes());
        self.buffer.extend(value);
        pad(self.buffer);
    }

    /// Appends a number; all numbers of this subsystem travel most significant byte first.
    pub(super) fn number(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(super) fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes);
    }

    pub(super) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        let start = self.buffer.len();
        self.buffer.extend([0, 0]);
        self.buffer.extend((kind | NLA_F_NESTED).to_ne_bytes());
        fill(&mut Attributes { buffer: self.buffer });
        let length = (self.buffer.len() - start) as u16;
        self.buffer[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// Appends a value as rules and elements carry it.
    pub(super) fn value(&mut self, kind: u16, value: &[u8]) {
        const NFTA_DATA_VALUE: u16 = 1;
        self.nest(kind, |data| data.bytes(NFTA_DATA_VALUE, value));
    }

    /// Appends what becomes of a packet.
    pub(super) fn verdict(&mut self, code: i32, chain: Option<&str>) {
        const NFTA_DATA_VERDICT: u16 = 2;
        self.nest(NFTA_DATA_VERDICT, |verdict| {
            verdict.bytes(1, &code.to_be_bytes());
            if let Some(chain) = chain {
                verdict.text(2, chain);
            }
        });
    }
}

fn pad(buffer: &mut Vec<u8>) {
    buffer.resize(buffer.len().next_multiple_of(4), 0);
}

/// Collects the requests of one transaction on one table.
pub(super) struct Transaction {
    table: &'static str,
    buffer: Vec<u8>,
    requests: u32,
}

impl Transaction {
    pub(super) fn new(table: &'static str) -> Transaction {
        let mut transaction = Transaction { table, buffer: Vec::with_capacity(4096), requests: 0 };
        transaction.mark(NFNL_MSG_BATCH_BEGIN);
        transaction
    }

    pub(super) fn add_table(&mut self) {
        self.request(Request::AddTable, NLM_F_CREATE, |_| {});
    }

    pub(super) fn remove_table(&mut self) {
        self.request(Request::RemoveTable, 0, |_| {});
    }

    pub(super) fn add_chain(&mut self, name: &str, hook: Option<Hook>) {
        const NFTA_CHAIN_NAME: u16 = 3;
        const NFTA_CHAIN_HOOK: u16 = 4;
        const NFTA_CHAIN_TYPE: u16 = 7;
        self.request(Request::AddChain, NLM_F_CREATE, |chain| {
            chain.text(NFTA_CHAIN_NAME, name);
            if let Some(hook) = hook {
                chain.nest(NFTA_CHAIN_HOOK, |nest| {
                    nest.number(1, hook.number);
                    nest.bytes(2, &hook.priority.to_be_bytes());
                });
                chain.text(NFTA_CHAIN_TYPE, hook.kind);
            }
        });
    }

    pub(super) fn add_rule(&mut self, chain: &str, expressions: &[Expression<'_>]) {
        const NFTA_RULE_CHAIN: u16 = 2;
        const NFTA_RULE_EXPRESSIONS: u16 = 4;
        const NFTA_LIST_ELEM: u16 = 1;
        self.request(Request::AddRule, NLM_F_CREATE | NLM_F_APPEND, |rule| {
            rule.text(NFTA_RULE_CHAIN, chain);
            rule.nest(NFTA_RULE_EXPRESSIONS, |list| {
                for expression in expressions {
                    list.nest(NFTA_LIST_ELEM, |element| expression.encode(element));
                }
            });
        });
    }

    pub(super) fn remove_chain(&mut self, name: &str) {
        const NFTA_CHAIN_NAME: u16 = 3;
        self.request(Request::RemoveChain, 0, |chain| chain.text(NFTA_CHAIN_NAME, name));
    }

    pub(super) fn add_map(&mut self, map: &Map) {
        const NFT_SET_MAP: u32 = 0x8;
        const NFT_DATA_VERDICT: u32 = 0xffff_ff00;
        let value = match map.holds {
            Holds::Keys => None,
            Holds::Values { kind, bytes } => Some((kind, bytes)),
            // The kernel knows the size of its verdicts.
            Holds::Jumps => Some((NFT_DATA_VERDICT, 0)),
        };
        self.request(Request::AddSet, NLM_F_CREATE, |set| {
            set.text(2, map.name);
            set.number(3, if value.is_some() { NFT_SET_MAP } else { 0 });
            set.number(4, map.key_type);
            set.number(5, map.key_bytes);
            if let Some((kind, bytes)) = value {
                set.number(6, kind);
                set.number(7, bytes);
            }
            set.number(10, map.id);
        });
    }

    pub(super) fn add_elements(&mut self, map: &Map, elements: &[(Vec<u8>, Vec<u8>)]) {
        for part in elements.chunks(ELEMENTS_PER_MESSAGE) {
            let part = part.iter().map(|(key, value)| (key.as_slice(), Content::Value(value)));
            self.elements(Request::AddElements, NLM_F_CREATE, map, part);
        }
    }

    pub(super) fn add_keys(&mut self, set: &Map, keys: &[Vec<u8>]) {
        for part in keys.chunks(ELEMENTS_PER_MESSAGE) {
            let part = part.iter().map(|key| (key.as_slice(), Content::Nothing));
            self.elements(Request::AddElements, NLM_F_CREATE, set, part);
        }
    }

    pub(super) fn add_jumps(&mut self, map: &Map, jumps: &[(Vec<u8>, String)]) {
        for part in jumps.chunks(ELEMENTS_PER_MESSAGE) {
            let part = part.iter().map(|(key, chain)| (key.as_slice(), Content::Jump(chain)));
            self.elements(Request::AddElements, NLM_F_CREATE, map, part);
        }
    }

    pub(super) fn remove_elements(&mut self, map: &Map, keys: &[Vec<u8>]) {
        for part in keys.chunks(ELEMENTS_PER_MESSAGE) {
            let part = part.iter().map(|key| (key.as_slice(), Content::Nothing));
            self.elements(Request::RemoveElements, 0, map, part);
        }
    }

    fn elements<'e>(
        &mut self,
        request: Request,
        flags: u16,
        map: &Map,
        elements: impl Iterator<Item = (&'e [u8], Content<'e>)>,
    ) {
        const NFTA_SET_ELEM_LIST_SET: u16 = 2;
        const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
        const NFTA_LIST_ELEM: u16 = 1;
        const NFTA_SET_ELEM_KEY: u16 = 1;
        const NFTA_SET_ELEM_DATA: u16 = 2;
        self.request(request, flags, |message| {
            message.text(NFTA_SET_ELEM_LIST_SET, map.name);
            message.nest(NFTA_SET_ELEM_LIST_ELEMENTS, |list| {
                for (key, content) in elements {
                    list.nest(NFTA_LIST_ELEM, |element| {
                        element.value(NFTA_SET_ELEM_KEY, key);
                        match content {
                            Content::Nothing => {}
                            Content::Value(value) => element.value(NFTA_SET_ELEM_DATA, value),
                            Content::Jump(chain) => {
                                element.nest(NFTA_SET_ELEM_DATA, |data| data.verdict(NFT_JUMP, Some(chain)));
                            }
                        }
                    });
                }
            });
        });
    }

    /// Sends the transaction and waits until the kernel took or refused it.
    pub(super) fn commit(mut self, socket: &Socket, action: &'static str) -> Result<(), Error> {
        self.mark(NFNL_MSG_BATCH_END);
        let requests = self.requests;
        // The marks at both ends are numbered too but not acknowledged.
        let (mut open, mut failure) = (requests, None);
        let exchanged = socket.exchange(
            requests as usize + 2,
            |first| {
                number(&mut self.buffer, first);
                self.buffer
            },
            |_, error| {
                open = open.saturating_sub(1);
                failure = error;
                failure.is_some() || open == 0
            },
        );
        exchanged.map_err(Error::kernel(action))?;
        failure.map_or(Ok(()), |source: io::Error| Err(Error::kernel(action)(source)))
    }

    fn request(&mut self, request: Request, flags: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        const NFTA_TABLE: u16 = 1;
        let kind = NFNL_SUBSYS_NFTABLES << 8 | request as u16;
        let start = self.header(kind, NLM_F_REQUEST | NLM_F_ACK | flags, NFPROTO_IPV4, 0);
        let table = self.table;
        let mut attributes = Attributes { buffer: &mut self.buffer };
        attributes.text(NFTA_TABLE, table);
        fill(&mut attributes);
        self.finish(start);
        self.requests += 1;
    }

    fn mark(&mut self, kind: u16) {
        let start = self.header(kind, NLM_F_REQUEST, 0, NFNL_SUBSYS_NFTABLES);
        self.finish(start);
    }

    fn header(&mut self, kind: u16, flags: u16, family: u8, resource: u16) -> usize {
        let start = self.buffer.len();
        self.buffer.extend([0; 4]);
        self.buffer.extend(kind.to_ne_bytes());
        self.buffer.extend(flags.to_ne_bytes());
        self.buffer.extend([0; 8]);
        self.buffer.extend([family, 0]);
        self.buffer.extend(resource.to_be_bytes());
        start
    }

    fn finish(&mut self, start: usize) {
        let length = (self.buffer.len() - start) as u32;
        self.buffer[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

/// Numbers the messages of a finished buffer.
fn number(buffer: &mut [u8], first: u32) {
    let (mut at, mut next) = (0, first);
    while at + HEADER_BYTES <= buffer.len() {
        let length =
            u32::from_ne_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]]) as usize;
        buffer[at + 8..at + 12].copy_from_slice(&next.to_ne_bytes());
        next = next.wrapping_add(1);
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_attributes_carry_their_padded_length() {
        let mut buffer = Vec::new();

        Attributes { buffer: &mut buffer }.nest(3, |nest| {
            nest.text(1, "ab");
            nest.number(2, 7);
        });

        let expected = [
            &20u16.to_ne_bytes()[..],
            &0x8003u16.to_ne_bytes(),
            &7u16.to_ne_bytes(),
            &1u16.to_ne_bytes(),
            b"ab\0\0",
            &8u16.to_ne_bytes(),
            &2u16.to_ne_bytes(),
            &[0, 0, 0, 7],
        ];
        assert_eq!(buffer, expected.concat());
    }

    #[test]
    fn messages_are_numbered_in_a_row() {
        let mut transaction = Transaction::new("t");
        transaction.add_table();
        transaction.remove_table();
        transaction.mark(NFNL_MSG_BATCH_END);

        number(&mut transaction.buffer, 41);

        let messages = crate::netlink::reader::Messages::new(&transaction.buffer);
        let numbers: Vec<_> = messages.map(|message| message.sequence).collect();
        assert_eq!(numbers, [41, 42, 43, 44]);
    }
}
