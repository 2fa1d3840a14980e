//! Requests to the published port of hosts, once or as a steady stream.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http::{Body, Connection};

/// The port that the demo publishes.
pub const PORT: u16 = 8080;
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Up to a hundred requests a second to each host: enough to see a gap, little beside the machine's means.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks a host's published port, and returns the fields of the answer.
pub fn ask(host: Ipv4Addr) -> Result<BTreeMap<String, String>> {
    let address = SocketAddr::from((host, PORT));
    let answer = Connection::to_port(address, TIMEOUT)
        .and_then(|mut connection| connection.ask("GET", "/", &Body::Nothing))
        .with_context(|| format!("ask http://{address}/"))?;
    if answer.status != 200 {
        bail!("http://{address}/ answered {}: {}", answer.status, answer.text());
    }
    let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(answer.text().lines().filter_map(field).collect())
}

/// A steady stream of requests to several hosts at once.
pub struct Stream {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
}

/// How the requests went.
#[derive(Debug, Default)]
pub struct Tally {
    pub asked: usize,
    pub failed: usize,
    /// The longest time without an answer from one host.
    pub gap: Duration,
    pub first_error: Option<String>,
}

impl Stream {
    /// Starts asking.
    pub fn start(hosts: &[Ipv4Addr]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |host: &Ipv4Addr| {
            let (host, stop) = (*host, Arc::clone(&stop));
            thread::spawn(move || pour(host, &stop))
        };
        let threads = hosts.iter().map(start).collect();
        Self { stop, threads }
    }

    /// Stops asking, and tells how it went.
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Tally::default();
        for thread in self.threads {
            let Tally { asked, failed, gap, first_error } = thread.join().expect("asking does not panic");
            sum.asked += asked;
            sum.failed += failed;
            sum.gap = sum.gap.max(gap);
            sum.first_error = sum.first_error.or(first_error);
        }
        sum
    }
}

fn pour(host: Ipv4Addr, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let mut answered = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        tally.asked += 1;
        match ask(host) {
            Ok(_) => {
                tally.gap = tally.gap.max(answered.elapsed());
                answered = Instant::now();
            }
            Err(error) => {
                tally.failed += 1;
                tally.first_error.get_or_insert(format!("{error:#}"));
            }
        }
        thread::sleep(PAUSE);
    }
    tally.gap = tally.gap.max(answered.elapsed());
    tally
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { asked, failed, gap, first_error } = self;
        write!(f, "{asked} requests meanwhile, {failed} failed, longest wait {} ms", gap.as_millis())?;
        match first_error {
            Some(error) => write!(f, " (first: {error})"),
            None => Ok(()),
        }
    }
}
