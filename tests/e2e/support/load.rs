//! Requests to published ports: one at a time, and as a steady stream that counts what fails.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longer than a lost packet takes to be sent again, shorter than a person's patience.
const TIMEOUT: Duration = Duration::from_secs(3);
/// About a hundred requests a second to each host.
const PAUSE: Duration = Duration::from_millis(10);
/// Enough that a replica of ten which is never chosen is a fault, not bad luck: 0.9^200 is below one in a billion.
const ASKED_MAX: usize = 200;

/// Asks a host's port, and returns the fields of the answer.
pub fn ask(host: Ipv4Addr, port: u16) -> Result<BTreeMap<String, String>, String> {
    let text = request(host, port).map_err(|error| format!("ask {host}:{port}: {error}"))?;
    let Some(body) = text.strip_prefix("HTTP/1.1 200 OK\r\n") else {
        return Err(format!("{host}:{port} answered {text:?}"));
    };
    let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(body.lines().filter_map(field).collect())
}

/// Asks a host's port until so many different tasks have answered, and returns their nodes by slot.
pub fn answers(host: Ipv4Addr, port: u16, count: usize) -> Result<BTreeMap<String, String>, String> {
    let mut seen = BTreeMap::new();
    let mut tasks = BTreeSet::new();
    for _ in 0..ASKED_MAX {
        let fields = ask(host, port)?;
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        tasks.insert(field("task"));
        seen.insert(field("slot"), field("node"));
        if tasks.len() == count {
            return Ok(seen);
        }
    }
    Err(format!("only {} of {count} replicas answered through {host}: {seen:?}", tasks.len()))
}

fn request(host: Ipv4Addr, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((host, port)), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// A steady stream of requests to several hosts at once.
pub struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Tally>>,
}

/// How the requests went.
#[derive(Debug, Default)]
pub struct Tally {
    pub asked: usize,
    pub failed: usize,
    /// The longest time without an answer through one host.
    pub gap: Duration,
    pub first_error: Option<String>,
}

impl Load {
    /// Starts asking.
    pub fn start(hosts: &[Ipv4Addr], port: u16) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let pour = |host: &Ipv4Addr| {
            let (host, stop, asked) = (*host, Arc::clone(&stop), Arc::clone(&asked));
            thread::spawn(move || pour(host, port, &stop, &asked))
        };
        let threads = hosts.iter().map(pour).collect();
        Self { stop, asked, threads }
    }

    /// Returns how many requests were made up to now.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Stops asking, and tells how it went.
    pub fn stop(mut self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Tally::default();
        for thread in self.threads.drain(..) {
            let Tally { asked, failed, gap, first_error } = thread.join().unwrap();
            sum.asked += asked;
            sum.failed += failed;
            sum.gap = sum.gap.max(gap);
            sum.first_error = sum.first_error.or(first_error);
        }
        sum
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Tally {
    /// Demands that requests were made and none failed.
    #[track_caller]
    pub fn all_answered(self) -> Self {
        assert!(self.asked > 0 && self.failed == 0, "{self}");
        self
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { asked, failed, gap, first_error } = self;
        write!(f, "{asked} requests, {failed} failed, longest wait {} ms", gap.as_millis())?;
        first_error.iter().try_for_each(|error| write!(f, " (first: {error})"))
    }
}

fn pour(host: Ipv4Addr, port: u16, stop: &AtomicBool, asked: &AtomicUsize) -> Tally {
    let mut tally = Tally::default();
    let mut answered = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        tally.asked += 1;
        asked.fetch_add(1, Ordering::Relaxed);
        match ask(host, port) {
            Ok(_) => {
                tally.gap = tally.gap.max(answered.elapsed());
                answered = Instant::now();
            }
            Err(error) => {
                tally.failed += 1;
                tally.first_error.get_or_insert(error);
            }
        }
        thread::sleep(PAUSE);
    }
    tally.gap = tally.gap.max(answered.elapsed());
    tally
}
