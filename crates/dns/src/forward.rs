//! Asks other servers: one after the other, each question from a port and with a number of its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

const HEADER_BYTES: usize = 12;
/// As often is each server asked; a datagram may be lost.
const ROUNDS: usize = 2;

/// How long other servers are waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For one answer of one server.
    pub(crate) once: Duration,
    /// For all of them together.
    pub(crate) whole: Duration,
}

/// Asks servers until one knows; the best there is otherwise, or nothing. The number in the answer is any.
pub(crate) async fn ask(servers: &[SocketAddr], query: &[u8], patience: Patience) -> Option<Vec<u8>> {
    let end = Instant::now() + patience.whole;
    let mut poor: Option<(SocketAddr, Vec<u8>)> = None;
    let mut left: Vec<SocketAddr> = servers.to_vec();
    for _ in 0..ROUNDS {
        for server in std::mem::take(&mut left) {
            let until = end.min(Instant::now() + patience.once);
            match timeout_at(until, ask_one(server, query)).await {
                Ok(Ok(answer)) if is_good(&answer) => return Some(answer),
                // It would say so again.
                Ok(Ok(answer)) => poor = Some((server, answer)),
                Ok(Err(_)) | Err(_) => left.push(server),
            }
            if Instant::now() >= end {
                left.clear();
                break;
            }
        }
    }
    poor.map(|(_, answer)| answer)
}

async fn ask_one(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        SocketAddr::V6(_) => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    };
    let query = numbered(query);
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(&query).await?;
    loop {
        socket.readable().await?;
        match receive(&socket) {
            Ok(answer) if answers(&answer, &query) => {
                if !is_truncated(&answer) {
                    return Ok(answer);
                }
                // What there is of it is better than nothing.
                return Ok(ask_over_tcp(server, &query).await.unwrap_or(answer));
            }
            // Somebody else's, or made up.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes a datagram that is there. The room for the longest is on the stack, and not kept by everyone who waits.
pub(crate) fn receive(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut room = [0; 65_535];
    let length = socket.try_recv(&mut room)?;
    Ok(room[..length].to_vec())
}

async fn ask_over_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let patience = Duration::from_secs(2);
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        write_framed(&mut stream, query).await?;
        let answer = read_framed(&mut stream).await?;
        if answers(&answer, query) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
    };
    timeout(patience, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Reads one message of a stream, behind its length.
pub(crate) async fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// Writes one message to a stream, behind its length.
pub(crate) async fn write_framed(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut bytes = Vec::with_capacity(message.len() + 2);
    bytes.extend(length.to_be_bytes());
    bytes.extend(message);
    stream.write_all(&bytes).await
}

/// Gives a question a number that nobody can guess.
fn numbered(query: &[u8]) -> Vec<u8> {
    let mut query = query.to_vec();
    let number: u16 = rand::random();
    for (to, from) in query.iter_mut().zip(number.to_be_bytes()) {
        *to = from;
    }
    query
}

/// Claims that a message answers the question, and no other.
fn answers(answer: &[u8], query: &[u8]) -> bool {
    let (Some(asked), Some(answered)) = (question(query), question(answer)) else { return false };
    let ((name, rest), (answered_name, answered_rest)) =
        (asked.split_at(asked.len() - 4), answered.split_at(answered.len() - 4));
    answer[..2] == query[..2]
        && answer[2] & 0x80 != 0
        && name.eq_ignore_ascii_case(answered_name)
        && rest == answered_rest
}

/// Returns the one question of a message: its name, type and class.
fn question(message: &[u8]) -> Option<&[u8]> {
    const LABEL_BYTES_MAX: u8 = 63;
    if message.get(4..6)? != [0, 1] {
        return None;
    }
    let mut at = HEADER_BYTES;
    loop {
        match *message.get(at)? {
            0 => return message.get(HEADER_BYTES..at + 5),
            length if length <= LABEL_BYTES_MAX => at += usize::from(length) + 1,
            _ => return None,
        }
    }
}

fn is_truncated(answer: &[u8]) -> bool {
    answer.get(2).is_some_and(|flags| flags & 0x02 != 0)
}

/// Claims that the server knew: what is asked about, or that there is no such name.
fn is_good(answer: &[u8]) -> bool {
    const NO_ERROR: u8 = 0;
    const NO_SUCH_NAME: u8 = 3;
    answer.get(3).is_some_and(|flags| matches!(flags & 0x0f, NO_ERROR | NO_SUCH_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number 1, a question for `ab`, type and class as given.
    fn message(number: u8, flags: u8, name: &[u8], kind: u8) -> Vec<u8> {
        let header = [0, number, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0, name.len() as u8];
        [&header[..], name, &[0, 0, kind, 0, 1]].concat()
    }

    #[test]
    fn only_an_answer_to_the_question_is_one() {
        let query = message(1, 1, b"ab", 65);
        for (answer, is_answer) in [
            (message(1, 0x81, b"ab", 65), true),
            (message(1, 0x81, b"aB", 65), true),
            (message(1, 0x81, b"ab", 97), false),
            (message(1, 0x81, b"ac", 65), false),
            (message(2, 0x81, b"ab", 65), false),
            (message(1, 0x01, b"ab", 65), false),
            (message(1, 0x81, b"ab", 65)[..15].to_vec(), false),
            (Vec::new(), false),
        ] {
            assert_eq!(answers(&answer, &query), is_answer, "{answer:?}");
        }
    }
}
