//! Measures how long a proposal takes on one manager with its log on disk: one at a time, and
//! with 64 in flight. The folder is the first argument, or a temporary one under the current folder.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use consensus::{Config, Raft, Start, StateMachine};
use identity::{NodeIdentity, RootCa, SigningRequest, Subject, Tls, VALIDITY_DEFAULT};

const ENTRY_BYTES: usize = 256;
const ALONE: usize = 3_000;
const TOGETHER: usize = 64;
const EACH: usize = 300;

/// Counts entries: what is measured is the log, not the state.
struct Counter(u64);

impl StateMachine for Counter {
    type View = u64;

    fn apply(&mut self, _index: u64, _entry: &[u8]) -> Vec<u8> {
        self.0 += 1;
        Vec::new()
    }

    fn view(&self) -> u64 {
        self.0
    }

    fn snapshot(&self) -> Box<dyn FnOnce() -> Vec<u8> + Send> {
        let count = self.0;
        Box::new(move || count.to_le_bytes().to_vec())
    }

    fn restore(&mut self, data: &[u8]) -> Result<(), String> {
        self.0 = u64::from_le_bytes(data.try_into().map_err(|_| "not eight bytes")?);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = std::env::current_dir()?;
    let temporary = tempfile::tempdir_in(here)?;
    let dir = std::env::args().nth(1).map_or(temporary.path().join("raft"), PathBuf::from);
    let config =
        Config { dir, raft_id: 1, node_id: "n1".into(), address: "127.0.0.1:0".into(), ..Config::default() };
    let raft = Raft::start(config, Counter(0), Start::Bootstrap, tls()?).await?;
    raft.status().wait_for(|status| status.is_leader()).await?;

    // The bare write is measured in between, so that both see the same disk.
    let mut bare = Bare::lay_out(&temporary.path().join("bare"))?;
    let (mut times, mut writes) = (Vec::with_capacity(ALONE), Vec::with_capacity(ALONE));
    for _ in 0..ALONE {
        let since = Instant::now();
        raft.propose(vec![7; ENTRY_BYTES]).await?;
        times.push(since.elapsed());
        let since = Instant::now();
        bare.append()?;
        writes.push(since.elapsed());
    }
    report("bare write", writes, None);
    report("one at a time", times, None);

    let began = Instant::now();
    let workers: Vec<_> = (0..TOGETHER).map(|_| tokio::spawn(worker(raft.clone()))).collect();
    let mut times = Vec::new();
    for worker in workers {
        times.extend(worker.await??);
    }
    report("64 in flight", times, Some(began.elapsed()));
    raft.shutdown().await;
    Ok(())
}

/// The least that a durable write can cost: bytes into a file laid out in advance, and a sync.
struct Bare {
    file: File,
    offset: u64,
}

impl Bare {
    fn lay_out(path: &Path) -> std::io::Result<Self> {
        let file = File::create(path)?;
        file.write_all_at(&vec![0; ALONE * 2 * ENTRY_BYTES], 0)?;
        file.sync_all()?;
        Ok(Self { file, offset: 0 })
    }

    fn append(&mut self) -> std::io::Result<()> {
        self.file.write_all_at(&[7; ENTRY_BYTES], self.offset)?;
        self.offset += ENTRY_BYTES as u64;
        self.file.sync_data()
    }
}

async fn worker(raft: Raft<u64>) -> Result<Vec<Duration>, consensus::ProposeError> {
    let mut times = Vec::with_capacity(EACH);
    for _ in 0..EACH {
        let since = Instant::now();
        raft.propose(vec![7; ENTRY_BYTES]).await?;
        times.push(since.elapsed());
    }
    Ok(times)
}

fn report(what: &str, mut times: Vec<Duration>, wall: Option<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    let total = wall.unwrap_or_else(|| times.iter().sum());
    println!(
        "{what:<14} p50 {:>8.1?}  p99 {:>8.1?}  max {:>8.1?}  {:>7.0} writes/s",
        at(50),
        at(99),
        at(100),
        times.len() as f64 / total.as_secs_f64()
    );
}

fn tls() -> Result<Tls, Box<dyn std::error::Error>> {
    let now = SystemTime::now();
    let root = RootCa::generate(now)?;
    let request = SigningRequest::generate()?;
    let subject = Subject { node_id: "n1", role: identity::Role::Manager, cluster_id: "c1" };
    let certificate = root.issue(&request.request_pem, subject, VALIDITY_DEFAULT, now)?;
    Ok(Tls::new(NodeIdentity::from_pem(&certificate, &request.key_pem, root.certificate_pem())?))
}
