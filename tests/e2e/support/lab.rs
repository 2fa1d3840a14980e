//! A lab of its own for each story, taken down when the story ends, however it ends.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::said::Said;

const BASE: &str = "/var/lib/drover-lab";
/// The last lines of a daemon's log that a failed story shows.
const LOG_LINES: usize = 15;

/// Lets one story go on at a time: each measures times, and the machine may be small.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the static release binary under test.
fn drover() -> PathBuf {
    if let Some(named) = std::env::var_os("DROVER_BIN") {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "DROVER_BIN names {}, which is no file", named.display());
        return named;
    }
    let test = std::env::current_exe().unwrap();
    let usual = "x86_64-unknown-linux-gnu/release/drover";
    let found = test.ancestors().map(|folder| folder.join(usual)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("no {usual} beside {}: `cargo xtask dist` builds it", test.display()))
}

/// Hosts with daemons.
pub struct Lab {
    name: String,
    addresses: BTreeMap<String, Ipv4Addr>,
}

impl Lab {
    /// Brings up hosts, joined to one cluster.
    pub fn up(story: &str, managers: u8, workers: u8) -> Self {
        Self::up_with(story, managers, workers, &[])
    }

    /// Brings up hosts with further flags.
    pub fn up_with(story: &str, managers: u8, workers: u8, flags: &[&str]) -> Self {
        let mut lab =
            Self { name: format!("e2e-{story}-{}", std::process::id()), addresses: BTreeMap::new() };
        let (managers, workers) = (managers.to_string(), workers.to_string());
        let counts = ["--managers", &managers, "--workers", &workers];
        Said::by(lab.command("up").args(counts).args(flags)).ok();
        lab.addresses = Said::by(&mut lab.command("ps")).ok().lines().filter_map(address).collect();
        lab
    }

    /// Returns the lab's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a command about the lab, such as `lab ps`.
    pub fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(drover());
        command.args(["lab", verb, "--name", &self.name]);
        command
    }

    /// Runs a command about the lab with its arguments.
    pub fn lab(&self, verb: &str, args: &[&str]) -> Said {
        Said::by(self.command(verb).args(args))
    }

    /// Returns a command on a host.
    pub fn on(&self, host: &str, argv: &[&str]) -> Command {
        let mut command = self.command("exec");
        command.args([host, "--"]).args(argv);
        command
    }

    /// Runs a command on a host.
    pub fn run(&self, host: &str, argv: &[&str]) -> Said {
        Said::by(&mut self.on(host, argv))
    }

    /// Runs a line in a shell on a host.
    pub fn sh(&self, host: &str, line: &str) -> Said {
        self.run(host, &["sh", "-c", line])
    }

    /// Runs `drover` on a host; the words are split as a shell does, with single quotes.
    pub fn drover(&self, host: &str, words: &str) -> Said {
        self.program(host, "drover", words)
    }

    /// Runs the `docker` client on a host.
    pub fn docker(&self, host: &str, words: &str) -> Said {
        self.program(host, "docker", words)
    }

    /// Runs a program on a host; the words are split as a shell does, with single quotes.
    pub fn program(&self, host: &str, program: &str, words: &str) -> Said {
        let words = split(words);
        let argv: Vec<&str> = [program].into_iter().chain(words.iter().map(String::as_str)).collect();
        self.run(host, &argv)
    }

    /// Returns the names of all hosts.
    pub fn hosts(&self) -> Vec<&str> {
        self.addresses.keys().map(String::as_str).collect()
    }

    /// Returns the names of all hosts but some.
    pub fn hosts_without(&self, away: &[&str]) -> Vec<&str> {
        self.hosts().into_iter().filter(|host| !away.contains(host)).collect()
    }

    /// Returns the address of a host.
    pub fn address(&self, host: &str) -> Ipv4Addr {
        self.addresses[host]
    }

    /// Returns the addresses of hosts.
    pub fn addresses(&self, hosts: &[&str]) -> Vec<Ipv4Addr> {
        hosts.iter().map(|host| self.address(host)).collect()
    }

    /// Returns the process id of a host's daemon, if it runs.
    pub fn daemon(&self, host: &str) -> Option<i32> {
        let text = self.lab("ps", &[]).ok();
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(host))?;
        line.split_whitespace().skip(2).find_map(|word| word.parse().ok())
    }

    /// Returns a host's own folder.
    pub fn folder(&self, host: &str) -> PathBuf {
        Path::new(BASE).join(&self.name).join("hosts").join(host)
    }

    /// Returns the nodes by hostname with status and manager status, asked on `host`.
    pub fn nodes(&self, host: &str) -> Result<BTreeMap<String, (String, String)>, String> {
        let format = "{{.Hostname}}|{{.Status}}|{{.ManagerStatus}}";
        let text = self.run(host, &["drover", "node", "ls", "--format", format]).tried()?;
        let node = |line: &str| {
            let mut words = line.split('|').map(str::to_owned);
            Some((words.next()?, (words.next()?, words.next()?)))
        };
        Ok(text.lines().filter_map(node).collect())
    }

    /// Returns the leader's hostname, asked on `host`.
    pub fn leader(&self, host: &str) -> Result<String, String> {
        let nodes = self.nodes(host)?;
        let leader = nodes.iter().find(|(_, (_, manager))| manager == "Leader");
        leader.map(|(name, _)| name.clone()).ok_or_else(|| format!("no leader among {nodes:?}"))
    }

    /// Loads an image archive on every host.
    pub fn load_everywhere(&self, archive: &Path) {
        for host in self.hosts() {
            self.drover(host, &format!("image load -i {}", archive.display())).says(&["Loaded image"]);
        }
    }

    /// Takes the lab down and demands that this succeeds.
    pub fn down(&self) {
        Said::by(&mut self.command("down")).ok();
    }

    fn show_logs(&self) {
        for host in self.hosts() {
            let text = std::fs::read_to_string(self.folder(host).join("daemon.log")).unwrap_or_default();
            let lines: Vec<&str> = text.lines().filter(|line| !line.contains(" INFO ")).collect();
            let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
            eprintln!("--- {host} of {}:\n{}", self.name, last.join("\n"));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
        if !Path::new(BASE).join(&self.name).exists() {
            return;
        }
        let said = Said::by(&mut self.command("down"));
        if !said.is_ok() {
            eprintln!("left behind by a story: {}", said.err);
        }
    }
}

/// Reads a line of `lab ps`.
fn address(line: &str) -> Option<(String, Ipv4Addr)> {
    let mut words = line.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

/// Splits words at blanks, except between single quotes.
fn split(text: &str) -> Vec<String> {
    let mut words = vec![None::<String>];
    let mut is_quoted = false;
    for letter in text.chars() {
        match letter {
            '\'' => {
                is_quoted = !is_quoted;
                words.last_mut().unwrap().get_or_insert_default();
            }
            ' ' if !is_quoted => words.push(None),
            letter => words.last_mut().unwrap().get_or_insert_default().push(letter),
        }
    }
    words.into_iter().flatten().collect()
}
