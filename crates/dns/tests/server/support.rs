//! Containers without namespaces, and other servers.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dns::{Client, Member, Server, Service, Upstream, Zone};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, Record, RecordType};

const DEADLINE: Duration = Duration::from_secs(10);

/// The zone `back`: `web` without an address of its own, and `idle` that nothing serves.
pub fn back(tasks: u32) -> Zone {
    let addresses: Vec<Ipv4Addr> =
        (1..=tasks).map(|task| Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 1, 0).to_bits() + task)).collect();
    let members: Vec<Member> = addresses
        .iter()
        .enumerate()
        .map(|(at, address)| Member { names: vec![format!("web.{}", at + 1)], address: *address })
        .collect();
    let web = Service { names: vec!["web".into()], virtual_ip: None, tasks: addresses };
    let idle =
        Service { names: vec!["idle".into()], virtual_ip: Some(Ipv4Addr::new(10, 0, 9, 9)), tasks: vec![] };
    Zone::new("back", &[web, idle], &members)
}

pub fn member(name: &str, last: u8) -> Member {
    Member { names: vec![name.into()], address: Ipv4Addr::new(10, 0, 2, last) }
}

pub fn question(number: u16, name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(number, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

/// What a container was told.
pub struct Told(Message);

impl Told {
    pub fn code(&self) -> ResponseCode {
        self.0.metadata.response_code
    }

    pub fn is_truncated(&self) -> bool {
        self.0.metadata.truncation
    }

    pub fn ttls(&self) -> Vec<u32> {
        self.0.answers.iter().map(|record| record.ttl).collect()
    }

    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        let addresses = self.0.answers.iter().filter_map(|record| match &record.data {
            RData::A(A(address)) => Some(*address),
            _ => None,
        });
        addresses.collect()
    }

    pub fn names(&self) -> Vec<String> {
        let names = self.0.answers.iter().filter_map(|record| match &record.data {
            RData::PTR(name) => Some(name.0.to_ascii()),
            _ => None,
        });
        names.collect()
    }
}

/// A container whose sockets are on this host's loopback.
pub struct Container {
    pub udp: SocketAddr,
    pub tcp: SocketAddr,
}

impl Container {
    pub fn serve(server: &Server, id: &str, networks: &[&str], upstream: Upstream) -> Self {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let container = Self { udp: udp.local_addr().unwrap(), tcp: tcp.local_addr().unwrap() };
        let networks = networks.iter().map(|network| (*network).to_owned()).collect();
        server.serve(id, Client { networks, upstream }, udp, tcp).unwrap();
        container
    }

    pub fn client(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    }

    pub fn ask_udp(&self, name: &str, kind: RecordType) -> Option<Told> {
        let socket = self.client();
        socket.connect(self.udp).unwrap();
        socket.send(&question(77, name, kind)).ok()?;
        let mut room = [0; 4096];
        let length = socket.recv(&mut room).ok()?;
        read(&room[..length])
    }

    pub fn ask_tcp(&self, name: &str, kind: RecordType) -> Option<Told> {
        let mut stream = TcpStream::connect(self.tcp).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write_framed(&mut stream, &question(77, name, kind)).ok()?;
        read(&read_framed(&mut stream).ok()?)
    }
}

fn read(bytes: &[u8]) -> Option<Told> {
    let message = Message::from_vec(bytes).ok()?;
    assert_eq!(message.metadata.id, 77);
    Some(Told(message))
}

pub fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn write_framed(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    stream.write_all(&[&(message.len() as u16).to_be_bytes()[..], message].concat())
}

/// How another server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Knows every name.
    Answers,
    /// Says that there is no such name.
    KnowsNothing,
    /// Says that it failed.
    Fails,
    /// Says nothing.
    Silent,
    /// Has no socket.
    Closed,
    /// Answers with another number, another name, and garbage.
    Lies,
    /// Misses the first question of each kind.
    Forgets,
    /// Cuts datagrams off, and is complete over connections.
    CutsOff,
}

/// Another server, on this host's loopback.
pub struct Foreign {
    pub address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Foreign {
    pub fn start(behaviour: Behaviour) -> Self {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
                break (tcp, udp);
            }
        };
        let foreign = Self { address: udp.local_addr().unwrap(), ended: Arc::default() };
        if behaviour == Behaviour::Closed {
            return foreign;
        }
        udp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        tcp.set_nonblocking(true).unwrap();
        let ended = foreign.ended.clone();
        std::thread::spawn(move || serve(behaviour, &udp, &tcp, &ended));
        foreign
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn serve(behaviour: Behaviour, udp: &UdpSocket, tcp: &TcpListener, ended: &AtomicBool) {
    let seen = AtomicUsize::new(0);
    let mut room = [0; 4096];
    while !ended.load(Ordering::Relaxed) {
        if let Ok((length, from)) = udp.recv_from(&mut room) {
            let number = seen.fetch_add(1, Ordering::Relaxed);
            for answer in answers(behaviour, &room[..length], number) {
                let _ = udp.send_to(&answer, from);
            }
        }
        if let Ok((mut stream, _)) = tcp.accept() {
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            if let Ok(query) = read_framed(&mut stream) {
                let _ = write_framed(&mut stream, &answer(&query, 100, ResponseCode::NoError));
            }
        }
    }
}

fn answers(behaviour: Behaviour, query: &[u8], number: usize) -> Vec<Vec<u8>> {
    let whole = answer(query, 1, ResponseCode::NoError);
    match behaviour {
        Behaviour::Answers => vec![whole],
        Behaviour::KnowsNothing => vec![answer(query, 0, ResponseCode::NXDomain)],
        Behaviour::Fails => vec![answer(query, 0, ResponseCode::ServFail)],
        Behaviour::Silent | Behaviour::Closed => vec![],
        Behaviour::Lies => {
            let mut other_number = whole.clone();
            other_number[0] ^= 1;
            let mut other_name = whole;
            other_name[14] ^= 1;
            vec![other_number, other_name, vec![1, 2, 3], Vec::new()]
        }
        // Both ways of asking send a first question that is missed.
        Behaviour::Forgets => {
            if number.is_multiple_of(2) {
                vec![]
            } else {
                vec![whole]
            }
        }
        Behaviour::CutsOff => {
            let mut cut = answer(query, 0, ResponseCode::NoError);
            cut[2] |= 0x02;
            vec![cut]
        }
    }
}

fn answer(query: &[u8], count: u8, code: ResponseCode) -> Vec<u8> {
    let query = Message::from_vec(query).unwrap();
    let mut message = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    message.metadata.response_code = code;
    message.queries.clone_from(&query.queries);
    let name = query.queries[0].name().clone();
    let record = |last| Record::from_rdata(name.clone(), 5, RData::A(A(Ipv4Addr::new(192, 0, 2, last))));
    message.answers = (1..=count).map(record).collect();
    message.to_vec().unwrap()
}

/// Waits until a condition holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not become true");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns how much memory this process has.
pub fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
