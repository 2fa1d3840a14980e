//! A container's table `drover_names`: its questions for names go where they are answered.

use std::net::Ipv4Addr;

use super::encoder::{OUTPUT, Transaction};
use super::expression::Expression::{Constant, Equal, Load, Redirect};
use super::expression::{Field, Register};
use crate::Error;
use crate::host_port::Protocol;
use crate::netlink::Socket;

const TABLE: &str = "drover_names";
const CHAIN: &str = "questions";
/// The port at which containers ask for names.
const PORT: u16 = 53;

/// Leads what a container sends to the resolver's address to these ports there, in place of any former ones. Answers
/// come back from port 53, as the kernel knows of whose connections they are.
pub(crate) fn lead_questions(socket: &Socket, resolver: Ipv4Addr, udp: u16, tcp: u16) -> Result<(), Error> {
    let [first, second] = [Register::FIRST, Register::FIRST.next(1)];
    let mut transaction = Transaction::new(TABLE);
    transaction.add_table();
    transaction.remove_table();
    transaction.add_table();
    transaction.add_chain(CHAIN, Some(OUTPUT));
    for (protocol, port) in [(Protocol::Udp, udp), (Protocol::Tcp, tcp)] {
        let rule = [
            Load(Field::Destination, first),
            Equal(first, &resolver.octets()),
            Load(Field::Protocol, second),
            Equal(second, &[protocol.number()]),
            Load(Field::DestinationPort, second),
            Equal(second, &PORT.to_be_bytes()),
            Constant(&port.to_be_bytes(), second),
            Redirect(first),
        ];
        transaction.add_rule(CHAIN, &rule);
    }
    transaction.commit(socket, "lead a container's questions for names to their answers")
}
