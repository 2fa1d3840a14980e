//! The lab itself: made, found, and its hosts broken and mended.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use crate::cgroup::Hierarchies;
use crate::cut::{self, Direction};
use crate::down;
use crate::error::{Error, Result};
use crate::host::{self, Host, HostState, Status};
use crate::links;
use crate::namespace::Pins;
use crate::process::{DaemonCommand, Placer, Process, sweep};
use crate::spec::{Progress, Role, Spec};
use crate::state::{self, Lock, State};

/// What of a host is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Its daemon; containers go on.
    Daemon,
    /// Everything, as if its power had failed: processes, links, mounts; the data folder stays.
    Host,
}

/// A set of hosts on a private bridge.
#[derive(Debug)]
pub struct Lab {
    folder: PathBuf,
    name: String,
    hosts: Vec<Host>,
    placer: Placer,
}

impl Lab {
    /// Makes a lab with hosts but without daemons; on failure nothing of it stays.
    pub fn create(spec: &Spec, progress: &mut dyn FnMut(Progress)) -> Result<Self> {
        check_root()?;
        spec.check()?;
        let hierarchies = Hierarchies::find()?;
        let folder = &spec.folder;
        fs::create_dir_all(folder).map_err(Error::file("make folder", folder))?;
        let lock = Lock::take(folder)?;
        if folder.join(state::FILE).exists() {
            return Err(Error::Exists { name: spec.name.clone(), folder: folder.clone() });
        }
        let built = build(spec, hierarchies, progress);
        drop(lock);
        if built.is_err() {
            // The first error is what the caller has to know.
            let _ = down::down(&spec.name, folder, &mut |_| {});
        }
        built
    }

    /// Finds a lab by its folder.
    pub fn open(folder: &Path) -> Result<Self> {
        check_root()?;
        let state = State::load(folder)?;
        let placer = Placer { pins: Pins::of(folder), hierarchies: Hierarchies::find()? };
        Ok(Self { folder: folder.to_owned(), name: state.name, hosts: state.hosts, placer })
    }

    /// Returns the lab's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the lab's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns all hosts, managers first.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Returns the host of a name.
    pub fn host(&self, name: &str) -> Result<&Host> {
        self.hosts.iter().find(|host| host.name == name).ok_or_else(|| Error::NoHost {
            lab: self.name.clone(),
            host: name.to_owned(),
            hosts: self.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Returns how every host is.
    pub fn status(&self) -> Result<Vec<Status>> {
        let cuts = State::load(&self.folder)?.cuts;
        let of = |host: &Host| {
            let cut_from = cuts.iter().filter(|(from, _)| *from == host.name).map(|(_, to)| to.clone());
            let daemon = Process::of_daemon(host);
            Status {
                state: self.state_of(host, daemon),
                pid: daemon.map(Process::pid),
                cut_from: cut_from.collect(),
                host: host.clone(),
            }
        };
        Ok(self.hosts.iter().map(of).collect())
    }

    /// Starts a host's daemon and returns its process id; [`Lab::start`] starts the same again.
    pub fn spawn(&self, host: &str, daemon: &DaemonCommand) -> Result<i32> {
        let _lock = Lock::take(&self.folder)?;
        let pid = self.spawn_locked(self.host(host)?, daemon)?;
        self.change(|state| drop(state.commands.insert(host.to_owned(), daemon.clone())))?;
        Ok(pid)
    }

    /// Runs a command inside a host, with the caller's terminal, until it ends.
    pub fn exec<S: AsRef<OsStr>>(
        &self,
        host: &str,
        argv: &[S],
        env: &[(OsString, OsString)],
    ) -> Result<ExitStatus> {
        let (host, command) = (self.up_host(host)?, command(argv)?);
        let mut child = self.placer.client(host, command, env)?;
        child.wait().map_err(Error::file("wait for", Path::new(argv[0].as_ref())))
    }

    /// Runs a command inside a host until it ends, and returns what it printed.
    pub fn output<S: AsRef<OsStr>>(&self, host: &str, argv: &[S]) -> Result<Output> {
        let (host, mut command) = (self.up_host(host)?, command(argv)?);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.placer.client(host, command, &[])?;
        child.wait_with_output().map_err(Error::file("wait for", Path::new(argv[0].as_ref())))
    }

    /// Kills a host, or only its daemon, without a warning.
    pub fn kill(&self, host: &str, what: What) -> Result<()> {
        let _lock = Lock::take(&self.folder)?;
        let host = self.host(host)?;
        match what {
            What::Daemon => {
                let daemon = Process::of_daemon(host).ok_or_else(|| Error::NotRunning(host.name.clone()))?;
                daemon.kill()
            }
            What::Host => {
                let errors = power_off(&self.placer, host);
                if errors.is_empty() { Ok(()) } else { Err(Error::Leftovers(errors)) }
            }
        }
    }

    /// Brings a host up if it is down, and starts its daemon as it was started last.
    pub fn start(&self, host: &str) -> Result<i32> {
        let _lock = Lock::take(&self.folder)?;
        let host = self.host(host)?;
        let state = State::load(&self.folder)?;
        let daemon = state.commands.get(&host.name).ok_or_else(|| Error::NoCommand(host.name.clone()))?;
        if !self.placer.pins.has(&host.name) {
            power_on(&self.placer, host)?;
        }
        self.spawn_locked(host, daemon)
    }

    /// Freezes all processes of a host: it keeps its connections and answers nothing.
    pub fn pause(&self, host: &str) -> Result<()> {
        let _lock = Lock::take(&self.folder)?;
        self.placer.hierarchies.set_frozen(&self.placed(host)?.cgroup, true)
    }

    /// Lets a paused host go on.
    pub fn resume(&self, host: &str) -> Result<()> {
        let _lock = Lock::take(&self.folder)?;
        self.placer.hierarchies.set_frozen(&self.placed(host)?.cgroup, false)
    }

    /// Cuts two groups of hosts off from each other, in addition to what is cut already.
    pub fn partition(&self, first: &[&str], second: &[&str], direction: Direction) -> Result<()> {
        for name in first.iter().chain(second) {
            self.host(name)?;
        }
        let cuts = cut::pairs(first, second, direction);
        if cuts.is_empty() {
            return Err(Error::Spec("a partition needs two groups of different hosts".to_owned()));
        }
        self.cut(|state| state.cuts.extend(cuts))
    }

    /// Lets all hosts send to each other.
    pub fn heal(&self) -> Result<()> {
        self.cut(|state| state.cuts.clear())
    }

    /// Takes the lab down; whatever could not be removed is in the error.
    pub fn down(self, progress: &mut dyn FnMut(Progress)) -> Result<()> {
        down::down(&self.name, &self.folder, progress)
    }

    fn cut(&self, change: impl FnOnce(&mut State)) -> Result<()> {
        let _lock = Lock::take(&self.folder)?;
        let mut state = State::load(&self.folder)?;
        change(&mut state);
        cut::apply(&self.placer.pins, &state.cuts)?;
        state.save(&self.folder)
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Result<()> {
        let mut state = State::load(&self.folder)?;
        change(&mut state);
        state.save(&self.folder)
    }

    fn spawn_locked(&self, host: &Host, daemon: &DaemonCommand) -> Result<i32> {
        let running = Process::of_daemon(host);
        match self.state_of(host, running) {
            HostState::Down => Err(Error::HostDown(host.name.clone())),
            HostState::Paused => Err(Error::HostPaused(host.name.clone())),
            HostState::Running | HostState::NoDaemon => match running {
                Some(running) => Err(Error::Running { host: host.name.clone(), pid: running.pid() }),
                None => self.placer.daemon(host, daemon),
            },
        }
    }

    fn state_of(&self, host: &Host, daemon: Option<Process>) -> HostState {
        if !self.placer.pins.has(&host.name) {
            return HostState::Down;
        }
        if self.placer.hierarchies.is_frozen(&host.cgroup) {
            return HostState::Paused;
        }
        if daemon.is_some() { HostState::Running } else { HostState::NoDaemon }
    }

    fn placed(&self, host: &str) -> Result<&Host> {
        let host = self.host(host)?;
        if self.placer.pins.has(&host.name) { Ok(host) } else { Err(Error::HostDown(host.name.clone())) }
    }

    fn up_host(&self, host: &str) -> Result<&Host> {
        let host = self.placed(host)?;
        if self.placer.hierarchies.is_frozen(&host.cgroup) {
            return Err(Error::HostPaused(host.name.clone()));
        }
        Ok(host)
    }
}

/// Ends everything of a host but its data; returns what could not be ended.
pub(crate) fn power_off(placer: &Placer, host: &Host) -> Vec<Error> {
    let Placer { pins, hierarchies } = placer;
    let mut errors = Vec::new();
    // Its peers must not see it say goodbye.
    errors.extend(links::disconnect_host(pins, &host.name).err());
    errors.extend(hierarchies.kill(&host.cgroup).err());
    sweep(pins, &host.name);
    errors.extend(pins.drop_host(&host.name));
    errors.extend(hierarchies.remove(&host.cgroup));
    errors
}

fn power_on(placer: &Placer, host: &Host) -> Result<()> {
    let result = furnish(placer, host);
    if result.is_err() {
        // The first error is what the caller has to know.
        let _ = power_off(placer, host);
    }
    result
}

fn furnish(placer: &Placer, host: &Host) -> Result<()> {
    // What an earlier life left behind would be taken for the next one's.
    for stale in [host.socket(), host.pid_file()] {
        let _ = fs::remove_file(stale);
    }
    placer.hierarchies.make(&host.cgroup)?;
    placer.pins.make_host(host)?;
    links::connect_host(&placer.pins, host)
}

fn build(spec: &Spec, hierarchies: Hierarchies, progress: &mut dyn FnMut(Progress)) -> Result<Lab> {
    let Spec { name, managers: _, workers: _, folder } = spec;
    let placer = Placer { pins: Pins::of(folder), hierarchies };
    let mut state = State {
        name: name.clone(),
        subnet: None,
        hosts: Vec::new(),
        commands: BTreeMap::new(),
        cuts: BTreeSet::new(),
    };
    state.save(folder)?;
    placer.pins.prepare()?;
    placer.pins.make_net(links::SWITCH)?;
    links::make_switch(&placer.pins)?;
    let subnet = claim_subnet(&placer.pins, folder, &mut state)?;
    progress(Progress::Subnet(links::address(subnet, 0)));
    let hosts = hosts(spec, subnet);
    // Before they are noted: what is noted is killed when the lab is taken down.
    hosts.iter().try_for_each(|host| placer.hierarchies.check_free(&host.cgroup))?;
    state.hosts = hosts;
    state.save(folder)?;
    let names: String = state.hosts.iter().map(|host| format!("{} {}\n", host.address, host.name)).collect();
    for host in &state.hosts {
        make_folders(host, &names)?;
        power_on(&placer, host)?;
        progress(Progress::HostUp { host: host.name.clone(), address: host.address });
    }
    Ok(Lab { folder: folder.clone(), name: name.clone(), hosts: state.hosts, placer })
}

/// The link's name is unique on the machine, so that making it claims the subnet for good.
fn claim_subnet(pins: &Pins, folder: &Path, state: &mut State) -> Result<u8> {
    for subnet in links::free_subnets()? {
        // Noted first, so that a crash in between leaves nothing that nobody knows of.
        state.subnet = Some(subnet);
        state.save(folder)?;
        if links::connect_machine(pins, subnet, &owner(folder))? {
            return Ok(subnet);
        }
    }
    state.subnet = None;
    Err(Error::NoSubnet)
}

/// Returns the mark that a lab's link on the machine carries.
pub(crate) fn owner(folder: &Path) -> String {
    format!("drover lab {}", folder.display())
}

fn hosts(spec: &Spec, subnet: u8) -> Vec<Host> {
    let place = |(name, role, byte)| host(&spec.name, &spec.folder, name, role, links::address(subnet, byte));
    spec.hosts().into_iter().map(place).collect()
}

/// Returns a host with everything that follows from its name.
pub(crate) fn host(lab: &str, folder: &Path, name: String, role: Role, address: Ipv4Addr) -> Host {
    Host { folder: host::folder(folder, &name), cgroup: format!("drover-{lab}-{name}"), address, name, role }
}

fn make_folders(host: &Host, names: &str) -> Result<()> {
    let data = host.data();
    fs::create_dir_all(&data).map_err(Error::file("make folder", &data))?;
    let path = host.folder.join("hosts");
    fs::write(&path, format!("127.0.0.1 localhost\n::1 localhost\n{names}"))
        .map_err(Error::file("write", &path))
}

fn command<S: AsRef<OsStr>>(argv: &[S]) -> Result<Command> {
    let (program, args) =
        argv.split_first().ok_or_else(|| Error::Spec("there is no command to run".to_owned()))?;
    let mut command = Command::new(program);
    command.args(args);
    // Entering another mount namespace moves a process to its root, and `/run` is another one there.
    let here = std::env::current_dir().ok().filter(|here| !here.starts_with("/run"));
    command.current_dir(here.unwrap_or_else(|| PathBuf::from("/")));
    Ok(command)
}

fn check_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err(Error::NotRoot) }
}
