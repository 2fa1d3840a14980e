//! Runs the proxy alone, to be measured: `proxy PORT THREADS BACKEND…`.

use std::net::SocketAddr;

use ingress::{Backend, Config, Ingress, Table};

fn main() {
    let usage = "usage: proxy PORT THREADS BACKEND…";
    let mut words = std::env::args().skip(1);
    let port: u16 = words.next().and_then(|word| word.parse().ok()).expect(usage);
    let threads = words.next().and_then(|word| word.parse().ok()).expect(usage);
    let addresses = words.map(|word| word.parse::<SocketAddr>().expect(usage));
    let backends = addresses.map(|address| Backend { address, task: address.to_string() }).collect();

    let ingress = Ingress::start(Config { threads, ..Config::default() }).expect("threads can be started");
    for problem in ingress.apply(Table { ports: [(port, backends)].into() }) {
        eprintln!("{problem}: {}", problem.error);
    }
    loop {
        std::thread::park();
    }
}
