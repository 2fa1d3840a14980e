//! Backends and clients with real sockets on the loopback.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingress::{AppProtocol, Backend, Config, Ingress, PortCounters, Published, Table, Tcp};

pub const DEADLINE: Duration = Duration::from_secs(10);

pub fn start() -> Ingress {
    Ingress::start(Config { threads: 2, ..Config::default() }).unwrap()
}

pub fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Returns a port nobody listens on; tests run side by side, so it is taken at once.
pub fn free_port() -> u16 {
    TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port()
}

/// Names the task of a backend.
pub fn task(address: SocketAddr) -> String {
    format!("task {address}")
}

pub fn members(backends: &[SocketAddr]) -> Vec<Backend> {
    backends.iter().map(|address| Backend { address: *address, task: task(*address) }).collect()
}

/// Publishes one TCP port.
pub fn table(port: u16, carries: AppProtocol, backends: &[SocketAddr]) -> Table {
    let tcp = Some(Tcp { carries, backends: members(backends) });
    Table { ports: [(port, Published { tcp, udp: None })].into() }
}

/// Publishes one UDP port.
pub fn datagrams(port: u16, backends: &[SocketAddr]) -> Table {
    Table { ports: [(port, Published { tcp: None, udp: Some(members(backends)) })].into() }
}

/// Opens a free port.
pub fn publish(ingress: &Ingress, table: impl Fn(u16) -> Table) -> u16 {
    loop {
        let port = free_port();
        if ingress.apply(table(port)).is_empty() {
            return port;
        }
    }
}

/// Runs a backend that hands each connection to `serve`.
pub fn backend(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (serve, stream) = (serve.clone(), stream.unwrap());
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Sends its name first, and then back what it gets.
pub fn echo(name: &'static str) -> SocketAddr {
    backend(move |mut stream| {
        let _ = writeln!(stream, "{name}");
        let mut reader = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut reader, &mut stream);
        let _ = stream.shutdown(Shutdown::Write);
    })
}

/// Returns an address that refuses connections.
pub fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

pub fn line(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

pub fn echoes(stream: &mut TcpStream, text: &str) -> bool {
    stream.write_all(text.as_bytes()).unwrap();
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).is_ok() && back == text.as_bytes()
}

pub fn counters(ingress: &Ingress, port: u16) -> PortCounters {
    ingress.counters().into_iter().find(|counters| counters.port == port).unwrap()
}

pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not become true");
        std::thread::sleep(Duration::from_millis(5));
    }
}
