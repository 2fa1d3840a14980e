//! Measures the proxy beside HAProxy and nginx on the loopback: `compare [SECONDS] [ROUNDS] [LOAD]`.
//!
//! Needs Debian's `wrk`, `haproxy` and `nginx`. The backend is nginx; every proxy has two threads or processes, and
//! all take turns within a round, so that what else the machine does meets them alike. Printed are the medians of
//! requests per second, of the 99th percentile, and of the processor's time a request cost the proxy, and their ratio
//! to the best other proxy of the same kind. The last is what others on the machine disturb least.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ingress::{AppProtocol, Backend, Config, Ingress, Published, Table, Tcp};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const LARGE_BYTES: usize = 1024 * 1024;
const IDLE_CONNECTIONS: usize = 4000;

/// What is asked: a name, the path, further arguments of `wrk`, and how many connections.
const LOADS: [(&str, &str, &[&str], usize); 3] = [
    ("keep-alive", "/small", &[], 64),
    ("connection per request", "/small", &["-H", "Connection: close"], 64),
    ("1 MiB bodies", "/large", &[], 16),
];

/// Every proxy, and whether it balances requests and not connections.
const PROXIES: [(&str, bool); 5] = [
    ("drover bytes", false),
    ("haproxy tcp", false),
    ("drover http", true),
    ("haproxy http", true),
    ("nginx http", true),
];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, port, carries, backends @ ..] = words.as_slice()
        && word == "serve"
    {
        return serve(port.parse()?, carries, backends);
    }
    let seconds: u64 = words.first().map_or(Ok(4), |word| word.parse())?;
    let rounds: usize = words.get(1).map_or(Ok(3), |word| word.parse())?;
    let only = words.get(2).map(String::as_str).unwrap_or_default();
    let bench = Bench::start()?;
    let mut results: BTreeMap<(usize, &str), Vec<Measured>> = BTreeMap::new();
    for _ in 0..rounds {
        for (index, load) in LOADS.iter().enumerate().filter(|(_, load)| load.0.contains(only)) {
            for (name, port) in &bench.ports {
                let process = bench.children.iter().find(|(other, _)| other == name);
                let spent = || process.map_or(Ok(0), |(_, child)| processor_ns(child.id()));
                let before = spent()?;
                let mut measured = wrk(*port, load, seconds)?;
                let requests = measured.requests * seconds as f64;
                measured.cost_us = (spent()? - before) as f64 / 1000.0 / requests;
                results.entry((index, name)).or_default().push(measured);
            }
        }
    }
    for (index, load) in LOADS.iter().enumerate() {
        let medians: Vec<(&str, Measured)> = bench
            .ports
            .iter()
            .filter_map(|(name, _)| Some((*name, median(results.get(&(index, name))?))))
            .collect();
        print(load.0, &medians);
    }
    if only.is_empty() {
        bench.measure_idle()?;
    }
    Ok(())
}

/// Is the proxy itself, in a process of its own.
fn serve(port: u16, carries: &str, backends: &[String]) -> Result<()> {
    let carries = if carries == "http" { AppProtocol::Http } else { AppProtocol::Bytes };
    let backend = |address: &String| Ok(Backend { address: address.parse()?, task: address.clone() });
    let backends = backends.iter().map(backend).collect::<Result<_>>()?;
    let ingress = Ingress::start(Config { threads: 2, ..Config::default() })?;
    let tcp = Some(Tcp { carries, backends });
    let mut problems = ingress.apply(Table { ports: [(port, Published { tcp, udp: None })].into() });
    if let Some(problem) = problems.pop() {
        return Err(problem.into());
    }
    loop {
        std::thread::park();
    }
}

/// Is what was seen of one proxy under one load.
#[derive(Clone, Copy, Default)]
struct Measured {
    requests: f64,
    p99_ms: f64,
    /// The processor's time per request.
    cost_us: f64,
    errors: u64,
}

/// Is all that runs, and what it listens on.
struct Bench {
    folder: PathBuf,
    children: Vec<(&'static str, Child)>,
    ports: Vec<(&'static str, u16)>,
}

impl Bench {
    fn start() -> Result<Bench> {
        let folder = std::env::temp_dir().join(format!("ingress-compare-{}", std::process::id()));
        fs::create_dir_all(folder.join("www"))?;
        fs::write(folder.join("www/small"), "hello\n".repeat(20))?;
        fs::write(folder.join("www/large"), vec![b'x'; LARGE_BYTES])?;
        let mut bench = Bench { folder, children: Vec::new(), ports: Vec::new() };
        let (one, two) = (free_port()?, free_port()?);
        let backends = [one, two].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        bench.nginx("backend", &backend_rules(&bench.folder, &backends))?;
        bench.ports.push(("direct", one));
        for (name, _) in PROXIES {
            let port = free_port()?;
            match name.split_once(' ') {
                Some(("drover", carries)) => bench.drover(name, port, carries, &backends)?,
                Some(("haproxy", mode)) => bench.haproxy(name, port, mode, &backends)?,
                _ => bench.nginx(name, &proxy_rules(port, &backends))?,
            }
            bench.ports.push((name, port));
        }
        for (name, port) in &bench.ports {
            wait_for(*port).map_err(|error| format!("{name} does not listen: {error}"))?;
        }
        Ok(bench)
    }

    fn run(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        let child = command.stdin(Stdio::null()).spawn().map_err(|error| format!("{name}: {error}"))?;
        self.children.push((name, child));
        Ok(())
    }

    fn drover(
        &mut self,
        name: &'static str,
        port: u16,
        carries: &str,
        backends: &[SocketAddr],
    ) -> Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", &port.to_string(), carries]).args(backends.iter().map(ToString::to_string));
        self.run(name, &mut command)
    }

    fn haproxy(&mut self, name: &'static str, port: u16, mode: &str, backends: &[SocketAddr]) -> Result<()> {
        let option = if mode == "http" { "option forwardfor" } else { "" };
        let mut rules = format!(
            "global\n nbthread 2\n maxconn 7000\ndefaults\n mode {mode}\n timeout connect 5s\n timeout client 60s\n \
             timeout server 60s\n option splice-auto\n {option}\nfrontend f\n bind 127.0.0.1:{port}\n \
             default_backend b\nbackend b\n balance random\n"
        );
        for (number, backend) in backends.iter().enumerate() {
            rules += &format!(" server s{number} {backend}\n");
        }
        let path = self.folder.join(format!("haproxy-{mode}.cfg"));
        fs::write(&path, rules)?;
        self.run(name, Command::new("haproxy").arg("-f").arg(path))
    }

    fn nginx(&mut self, name: &'static str, rules: &str) -> Result<()> {
        let folder = self.folder.join(name.replace(' ', "-"));
        fs::create_dir_all(&folder)?;
        let text = format!(
            "daemon off; worker_processes 2; pid {0}/pid; error_log stderr crit;\n\
             events {{ worker_connections 8000; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 75s;\n\
             client_body_temp_path {0}/a; proxy_temp_path {0}/b; fastcgi_temp_path {0}/c; uwsgi_temp_path {0}/d; \
             scgi_temp_path {0}/e;\n{rules}\n}}\n",
            folder.display()
        );
        let path = folder.join("nginx.conf");
        fs::write(&path, text)?;
        self.run(name, Command::new("nginx").arg("-c").arg(path).arg("-p").arg(&folder))
    }

    /// Prints what a connection costs that waits for its next request.
    fn measure_idle(&self) -> Result<()> {
        println!("\nmemory per idle connection of {IDLE_CONNECTIONS}, after one request on each");
        for (name, child) in &self.children {
            let Some((_, port)) = self.ports.iter().find(|(other, _)| other == name) else { continue };
            // What is allocated once should not count.
            drop(open(*port, 200)?);
            let before = memory_bytes(child.id())?;
            let held = open(*port, IDLE_CONNECTIONS)?;
            let used = memory_bytes(child.id())?.saturating_sub(before);
            println!("  {name:<14} {:>7} bytes", used / held.len() as u64);
        }
        Ok(())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            // Asked to, nginx ends its workers too.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn backend_rules(folder: &Path, backends: &[SocketAddr]) -> String {
    let listen: String = backends.iter().map(|backend| format!("listen {backend} backlog=4096; ")).collect();
    format!("open_file_cache max=10; server {{ {listen} root {}/www; }}", folder.display())
}

fn proxy_rules(port: u16, backends: &[SocketAddr]) -> String {
    let servers: String = backends.iter().map(|backend| format!("server {backend}; ")).collect();
    format!(
        "upstream u {{ {servers} keepalive 256; keepalive_requests 1000000000; }}\n\
         server {{ listen 127.0.0.1:{port} backlog=4096 reuseport; location / {{ proxy_pass http://u; \
         proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host; \
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }}"
    )
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn wait_for(port: u16) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match open(port, 1) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Opens connections and asks for something on each.
fn open(port: u16, count: usize) -> Result<Vec<TcpStream>> {
    let one = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        ask(&mut stream)?;
        Ok(stream)
    };
    (0..count).map(|_| one()).collect()
}

fn ask(stream: &mut TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /small HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let (mut all, mut buffer) = (Vec::new(), [0; 1024]);
    while !all.ends_with(b"hello\n") {
        let bytes = stream.read(&mut buffer)?;
        if bytes == 0 {
            return Err("closed".into());
        }
        all.extend(&buffer[..bytes]);
    }
    Ok(())
}

/// Returns what a process and its children hold alone, and their share of what they share.
fn memory_bytes(process: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap_or_default();
    let own: u64 = line.split_whitespace().nth(1).unwrap_or("0").parse()?;
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    let children = children.split_whitespace().map(|child| memory_bytes(child.parse()?));
    Ok(own * 1024 + children.sum::<Result<u64>>()?)
}

/// Returns how long a process and its children have run, all threads together.
fn processor_ns(process: u32) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let figures = fs::read_to_string(task?.path().join("schedstat"))?;
        sum += figures.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
    }
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    let children = children.split_whitespace().map(|child| processor_ns(child.parse()?));
    Ok(sum + children.sum::<Result<u64>>()?)
}

fn wrk(port: u16, load: &(&str, &str, &[&str], usize), seconds: u64) -> Result<Measured> {
    let (_, path, further, connections) = load;
    let output = Command::new("wrk")
        .args(["-t", "1", "-c", &connections.to_string(), "-d", &format!("{seconds}s"), "--latency"])
        .args(*further)
        .arg(format!("http://127.0.0.1:{port}{path}"))
        .output()
        .map_err(|error| format!("wrk: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let after = |word: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(word));
        line.map(|line| line.trim().to_owned()).unwrap_or_default()
    };
    let numbers = |text: String| -> u64 {
        text.split(|letter: char| !letter.is_ascii_digit()).filter_map(|word| word.parse::<u64>().ok()).sum()
    };
    Ok(Measured {
        requests: after("Requests/sec:").parse().unwrap_or(0.0),
        p99_ms: milliseconds(&after("99%")),
        cost_us: 0.0,
        errors: numbers(after("Socket errors:")) + numbers(after("Non-2xx or 3xx responses:")),
    })
}

fn milliseconds(text: &str) -> f64 {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)];
    let found =
        units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor));
    found.unwrap_or(f64::NAN)
}

fn median(measured: &[Measured]) -> Measured {
    let middle = |value: fn(&Measured) -> f64| {
        let mut values: Vec<f64> = measured.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let errors = measured.iter().map(|measured| measured.errors).sum();
    Measured {
        requests: middle(|seen| seen.requests),
        p99_ms: middle(|seen| seen.p99_ms),
        cost_us: middle(|seen| seen.cost_us),
        errors,
    }
}

fn print(load: &str, medians: &[(&str, Measured)]) {
    if medians.is_empty() {
        return;
    }
    println!("\n{load}");
    for (name, measured) in medians {
        let kind = PROXIES.iter().find(|(other, _)| other == name).map(|(_, kind)| *kind);
        let others = medians.iter().filter(|(other, _)| {
            !other.starts_with("drover")
                && PROXIES.iter().any(|(known, own)| known == other && Some(*own) == kind)
        });
        let best = others.clone().map(|(_, other)| other.requests).fold(0.0, f64::max);
        let least = others.clone().map(|(_, other)| other.p99_ms).fold(f64::INFINITY, f64::min);
        let cheapest = others.map(|(_, other)| other.cost_us).fold(f64::INFINITY, f64::min);
        let ratio = if name.starts_with("drover") {
            let Measured { requests, p99_ms, cost_us, .. } = measured;
            format!(
                "  {:.2} of the best, p99 {:.2}, cost {:.2}",
                requests / best,
                p99_ms / least,
                cost_us / cheapest
            )
        } else {
            String::new()
        };
        let Measured { requests, p99_ms, cost_us, errors } = measured;
        println!(
            "  {name:<14} {requests:>9.0}/s  p99 {p99_ms:>7.2} ms  {cost_us:>7.1} µs  {errors} errors{ratio}"
        );
    }
}
