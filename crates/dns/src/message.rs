//! DNS messages as they come from containers and go back to them.

use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::PTR;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::{Answer, Kind};

/// How long whoever asked may remember an answer, as in Docker.
const TTL_SECONDS: u32 = 600;
const HEADER_BYTES: usize = 12;
/// What every resolver takes in one datagram.
const DATAGRAM_BYTES_MIN: u16 = 512;
/// What we take in one datagram; it crosses every link whole.
const DATAGRAM_BYTES_OWN: u16 = 1232;
/// An address record whose name was written before.
const ADDRESS_BYTES: usize = 16;
/// What an answer needs beside its records: the header, the longest question, and the announcement of extensions.
const FRAME_BYTES_MAX: usize = HEADER_BYTES + 255 + 4 + 11;

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// What came from a container.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A question.
    Question(Box<Question>),
    /// What can only be answered with an error; the answer.
    Faulty(Vec<u8>),
    /// What must not be answered.
    Noise,
}

/// A question that came from a container.
#[derive(Debug)]
pub(crate) struct Question {
    message: Message,
    /// The name it asks about.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// How long an answer may be.
    limit: usize,
}

/// Reads what came from a container.
pub(crate) fn read(bytes: &[u8], transport: Transport) -> Incoming {
    const RESPONSE_BIT: u8 = 0x80;
    if bytes.len() < HEADER_BYTES || bytes[2] & RESPONSE_BIT != 0 {
        return Incoming::Noise;
    }
    let Ok(message) = Message::from_vec(bytes) else {
        return Incoming::Faulty(error_for(bytes, ResponseCode::FormErr));
    };
    if message.metadata.op_code != OpCode::Query {
        return Incoming::Faulty(error_for(bytes, ResponseCode::NotImp));
    }
    let [query] = &message.queries[..] else {
        return Incoming::Faulty(error_for(bytes, ResponseCode::FormErr));
    };
    if !matches!(query.query_class(), DNSClass::IN | DNSClass::ANY) {
        return Incoming::Faulty(error_for(bytes, ResponseCode::Refused));
    }
    let kind = match query.query_type() {
        RecordType::A | RecordType::ANY => Kind::Address,
        RecordType::PTR => Kind::Pointer,
        _ => Kind::Other,
    };
    let limit = match transport {
        Transport::Udp => message.max_payload().max(DATAGRAM_BYTES_MIN),
        Transport::Tcp => u16::MAX,
    };
    let name = query.name().to_ascii();
    Incoming::Question(Box::new(Question { name, kind, limit: limit.into(), message }))
}

/// Writes an error for what cannot be read or is not supported: its number, and that it is wrong.
fn error_for(bytes: &[u8], code: ResponseCode) -> Vec<u8> {
    const OPCODE_AND_RECURSION: u8 = 0x79;
    let mut answer = vec![0; HEADER_BYTES];
    answer[..2].copy_from_slice(&bytes[..2]);
    answer[2] = 0x80 | (bytes[2] & OPCODE_AND_RECURSION);
    answer[3] = code.low();
    answer
}

impl Question {
    /// Writes what we know ourselves.
    pub(crate) fn answer(&self, answer: &Answer) -> Option<Vec<u8>> {
        let mut message = self.frame();
        let name = self.message.queries.first()?.name();
        match answer {
            Answer::Addresses(addresses) => return self.address_answer(addresses),
            Answer::Name(target) => {
                // What has no form as a name is as good as unknown.
                let target = Name::from_ascii(format!("{target}.")).ok()?;
                message.answers =
                    vec![Record::from_rdata(name.clone(), TTL_SECONDS, RData::PTR(PTR(target)))];
            }
            Answer::Nothing => {}
            Answer::Absent => message.metadata.response_code = ResponseCode::NXDomain,
            Answer::Unknown => return None,
        }
        message.to_vec().ok()
    }

    /// Writes as many addresses as whoever asks can take. Done by hand, as hickory writes the name out again in all
    /// but the first hundred or so.
    fn address_answer(&self, addresses: &[Ipv4Addr]) -> Option<Vec<u8>> {
        let mut frame = self.frame();
        let edns = frame.edns.take();
        let extensions_at = frame.to_vec().ok()?.len();
        frame.edns = edns;
        let room = self.limit.saturating_sub(FRAME_BYTES_MAX) / ADDRESS_BYTES;
        frame.metadata.truncation = addresses.len() > room;
        let mut bytes = frame.to_vec().ok()?;
        let written = &addresses[..addresses.len().min(room)];
        let records: Vec<u8> = written.iter().flat_map(|address| address_record(*address)).collect();
        bytes.splice(extensions_at..extensions_at, records);
        bytes[6..8].copy_from_slice(&u16::try_from(written.len()).ok()?.to_be_bytes());
        Some(bytes)
    }

    /// Writes that nobody could be asked.
    pub(crate) fn failure(&self) -> Option<Vec<u8>> {
        let mut message = self.frame();
        message.metadata.response_code = ResponseCode::ServFail;
        message.to_vec().ok()
    }

    /// Passes another server's answer on, or that it is too long and has to be asked for over TCP.
    pub(crate) fn relay(&self, mut answer: Vec<u8>) -> Option<Vec<u8>> {
        if answer.len() <= self.limit {
            answer.get_mut(..2)?.copy_from_slice(&self.message.metadata.id.to_be_bytes());
            return Some(answer);
        }
        let mut message = self.frame();
        message.metadata.truncation = true;
        message.to_vec().ok()
    }

    fn frame(&self) -> Message {
        let Metadata { id, op_code, .. } = self.message.metadata;
        let mut message = Message::new(id, MessageType::Response, op_code);
        message.metadata = Metadata::response_from_request(&self.message.metadata);
        message.metadata.recursion_available = true;
        message.queries.clone_from(&self.message.queries);
        if let Some(asked) = &self.message.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(DATAGRAM_BYTES_OWN);
            edns.set_dnssec_ok(asked.flags().dnssec_ok);
            message.set_edns(edns);
        }
        message
    }
}

/// Writes an address of the name that the question is about.
fn address_record(address: Ipv4Addr) -> [u8; ADDRESS_BYTES] {
    const NAME_OF_QUESTION: [u8; 2] = [0xc0, HEADER_BYTES as u8];
    const TYPE_AND_CLASS: [u8; 4] = [0, 1, 0, 1];
    const ADDRESS_LENGTH: [u8; 2] = [0, 4];
    let mut record = [0; ADDRESS_BYTES];
    record[..2].copy_from_slice(&NAME_OF_QUESTION);
    record[2..6].copy_from_slice(&TYPE_AND_CLASS);
    record[6..10].copy_from_slice(&TTL_SECONDS.to_be_bytes());
    record[10..12].copy_from_slice(&ADDRESS_LENGTH);
    record[12..].copy_from_slice(&address.octets());
    record
}

#[cfg(test)]
mod tests;
