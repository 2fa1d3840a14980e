//! The shim's life beside its container: streams, requests, further processes, the end.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, SystemTime};

use cgroup::{Cgroups, Joinable, Pidfd};
use libcontainer::container::Container;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::birth::Home;
use crate::children::Children;
use crate::client::Client;
use crate::entry::{clean_up, say};
use crate::exec::{Answer, Execs, Site};
use crate::flow::{Flow, InputEnds, Port};
use crate::hybrid::Cover;
use crate::kernel;
use crate::place::{self, Launch};
use crate::prepare::{Prepared, reported};
use crate::recorder::Recorder;
use crate::talk::{Failure, Message, Request, setup};
use crate::{Exit, PidSpace, Process, Size, Started, Streams};

/// How long processes that were killed with the container may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

struct Shim {
    launch: Launch,
    container: Container,
    cgroups: Cgroups,
    joinable: Joinable,
    cover: Option<Cover>,
    children: Children,
    pid: i32,
    process: Pidfd,
    started: Option<Started>,
    failed: Option<Failure>,
    report: Option<File>,
    /// It never came so far that anybody knew of this run.
    is_abandoned: bool,
    listener: UnixListener,
    clients: Vec<(u64, Client)>,
    clients_count: u64,
    flow: Flow,
    recorder: Recorder,
    execs: Execs,
}

/// Answers that the container is ready and serves it until its end.
pub(crate) fn serve(launch: Launch, prepared: Prepared, control: UnixStream) -> io::Result<()> {
    let Prepared { container, cgroups, cover, pid, process, listener, report, ends, joinable } = prepared;
    let recorder = Recorder::open(launch.place.log(), &launch.spec)?;
    let input_ends = if launch.spec.stdin_once { InputEnds::WithFirstWriter } else { InputEnds::Never };
    let mut shim = Shim {
        launch,
        container,
        cgroups,
        joinable,
        cover,
        children: Children::watch()?,
        pid,
        process,
        started: None,
        failed: None,
        report: Some(report),
        is_abandoned: false,
        listener,
        clients: Vec::new(),
        clients_count: 0,
        flow: Flow::new(ends, input_ends)?,
        recorder,
        execs: Execs::default(),
    };
    if shim.announce(control).is_err() {
        // Nobody waits for this container: whoever asked for it is gone.
        shim.is_abandoned = true;
        shim.process.signal(libc::SIGKILL)?;
    }
    shim.run()
}

/// Where something may happen.
#[derive(Clone, Copy, Debug)]
enum Source {
    Children,
    Listener,
    Client(usize),
    Flow(Port),
    Exec(u64, Site),
}

impl Shim {
    fn announce(&mut self, mut control: UnixStream) -> io::Result<()> {
        say(&mut control, &Message::Done)?;
        File::create(self.launch.place.created())?;
        self.adopt(control)
    }

    fn adopt(&mut self, stream: UnixStream) -> io::Result<()> {
        self.clients_count += 1;
        self.clients.push((self.clients_count, Client::new(stream)?));
        Ok(())
    }

    fn run(mut self) -> io::Result<()> {
        // A child may have ended before it was watched.
        let mut code = self.reap();
        while code.is_none() {
            for (source, happened) in self.wait()? {
                match source {
                    Source::Children => code = self.reap(),
                    Source::Listener => {
                        while let Ok((stream, _)) = self.listener.accept() {
                            self.adopt(stream)?;
                        }
                    }
                    Source::Client(index) => self.hear(index, happened),
                    Source::Flow(port) => self.copy(port, happened),
                    Source::Exec(number, site) => {
                        let answer = self.execs.handle(number, site, happened);
                        self.deliver(answer);
                    }
                }
            }
            self.clients.retain(|(_, client)| !client.is_gone);
            self.flow.sweep();
            self.execs.sweep();
        }
        self.end(code.unwrap_or_default())
    }

    /// Sleeps until something happens.
    fn wait(&self) -> io::Result<Vec<(Source, PollFlags)>> {
        let watched = [(Source::Children, self.children.as_fd()), (Source::Listener, self.listener.as_fd())];
        let watched = watched.map(|(source, fd)| (source, PollFd::new(fd, PollFlags::POLLIN)));
        let clients = self.clients.iter().enumerate();
        let clients = clients
            .map(|(n, (_, client))| (Source::Client(n), PollFd::new(client.as_fd(), client.interest())));
        let ports = self.flow.ports().map(|(port, fd)| (Source::Flow(port), fd));
        let execs = self.execs.sites().map(|((number, site), fd)| (Source::Exec(number, site), fd));
        let (sources, mut fds): (Vec<Source>, Vec<PollFd<'_>>) =
            watched.into_iter().chain(clients).chain(ports).chain(execs).unzip();
        loop {
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
                Ok(_) => break,
            }
        }
        let happened = sources.into_iter().zip(&fds).map(|(source, fd)| (source, fd.revents()));
        let happened = happened.map(|(source, flags)| (source, flags.unwrap_or(PollFlags::POLLIN)));
        Ok(happened.filter(|(_, flags)| !flags.is_empty()).collect())
    }

    /// Reaps children; returns the exit code of the container's first process if it is among them.
    fn reap(&mut self) -> Option<i32> {
        let mut own = None;
        for (pid, code) in self.children.reap() {
            if pid == self.pid {
                own = Some(code);
            } else if self.execs.reaped(pid, code) {
                self.tell_all(&Message::ExecsChanged);
            }
        }
        own
    }

    /// Serves one of the streams; what comes out goes into the log as well.
    fn copy(&mut self, port: Port, happened: PollFlags) {
        let mut has_grown = false;
        let recorder = &mut self.recorder;
        self.flow.handle(port, happened, &mut |kind, bytes| has_grown |= recorder.record(kind, bytes));
        if has_grown {
            for (_, client) in self.clients.iter_mut().filter(|(_, client)| client.watches_log) {
                client.tell_growth();
            }
        }
    }

    /// Reads a client's requests and answers them.
    fn hear(&mut self, index: usize, happened: PollFlags) {
        let (_, client) = &mut self.clients[index];
        if happened.contains(PollFlags::POLLOUT) {
            client.push();
        }
        for request in client.hear() {
            let answer = match request {
                Ok(request) => self.answer(index, request),
                Err(error) => Some(Message::Failed(setup(format!("request not understood: {error}")))),
            };
            if let Some(answer) = answer {
                self.clients[index].1.tell(&answer);
            }
        }
    }

    /// Carries a request out; the answer to one that takes long comes later.
    fn answer(&mut self, index: usize, request: Request) -> Option<Message> {
        let done = |outcome: Result<(), Failure>| outcome.map_or_else(Message::Failed, |()| Message::Done);
        Some(match request {
            Request::Hello => self.started.map_or(Message::Done, Message::Started),
            Request::Start => self.start(),
            Request::Signal(signal) => {
                done(self.process.signal(signal.number()).map_err(|_| Failure::NotRunning))
            }
            Request::WatchLog(watch) => {
                self.clients[index].1.watches_log = watch;
                Message::Done
            }
            Request::Attach(streams) => done(self.attach(index, streams)),
            Request::Resize(size) => done(self.resize(size)),
            Request::Exec { id, process } => match self.exec(index, id, &process) {
                Ok(()) => return None,
                Err(failure) => Message::Failed(failure),
            },
            Request::ExecResize { id, size } => done(self.execs.resize(&id, size)),
            Request::ExecSignal { id, signal } => done(self.execs.signal(&id, signal.number())),
            Request::Execs => Message::Execs(self.execs.list()),
        })
    }

    /// Lets the parked process execute the program, and waits until it has.
    fn start(&mut self) -> Message {
        let Some(mut report) = self.report.take() else {
            let before = || Message::Failed(setup("it was started before"));
            return self.started.map_or_else(before, Message::Started);
        };
        if let Err(error) = self.container.start() {
            return Message::Failed(setup(error.to_string()));
        }
        if let Some(failure) = reported(&mut report) {
            self.failed = Some(failure.clone());
            return Message::Failed(failure);
        }
        let started = Started { pid: self.pid, at: SystemTime::now() };
        if let Err(error) = self.launch.place.write_started(&started) {
            eprintln!("write down the start: {error}");
        }
        self.started = Some(started);
        kernel::trim_memory();
        Message::Started(started)
    }

    fn attach(&mut self, index: usize, streams: Streams) -> Result<(), Failure> {
        let stream = self.passed(index)?;
        self.flow.attach(stream, streams).map_err(|error| setup(format!("attach: {error}")))
    }

    fn resize(&self, size: Size) -> Result<(), Failure> {
        self.flow.resize(size).map(drop).map_err(|error| setup(format!("resize the terminal: {error}")))
    }

    fn exec(&mut self, index: usize, id: String, process: &Process) -> Result<(), Failure> {
        let stream = self.passed(index)?;
        if self.started.is_none() {
            return Err(Failure::NotRunning);
        }
        let home = Home { launch: &self.launch, pid: self.pid, joinable: &mut self.joinable };
        self.execs.begin(home, id, process, self.clients[index].0, stream)
    }

    fn passed(&mut self, index: usize) -> Result<UnixStream, Failure> {
        self.clients[index].1.take_passed().ok_or_else(|| setup("no stream came with the request"))
    }

    fn deliver(&mut self, answer: Option<Answer>) {
        let Some((asker, message)) = answer else { return };
        if let Some((_, client)) = self.clients.iter_mut().find(|(number, _)| *number == asker) {
            client.tell(&message);
        }
        self.tell_all(&Message::ExecsChanged);
        // Making a process takes memory that is not needed again soon.
        kernel::trim_memory();
    }

    fn tell_all(&mut self, message: &Message) {
        self.clients.iter_mut().for_each(|(_, client)| client.tell(message));
    }

    /// Writes down how the container ended, tells everybody and takes everything away.
    fn end(mut self, code: i32) -> io::Result<()> {
        drop(self.cover.take());
        self.end_others();
        // Its processes are gone: what the pipes hold is all there will be.
        let recorder = &mut self.recorder;
        self.flow.finish(&mut |kind, bytes| _ = recorder.record(kind, bytes));
        self.recorder.finish();
        let exit = self.exit(code);
        if !self.is_abandoned {
            place::write(&self.launch.place.exit(), &exit)?;
        }
        self.tell_all(&Message::Exited(exit));
        clean_up(&self.launch, &self.cgroups);
        fs::remove_file(&self.launch.place.socket)
    }

    /// Ends the further processes with the first one, and writes down how each has ended.
    fn end_others(&mut self) {
        // Without processes of its own to number, the end of the first one is not that of the others.
        if self.execs.are_alive() || self.launch.spec.pid != PidSpace::Private {
            for answer in self.execs.kill() {
                self.deliver(Some(answer));
            }
            if let Err(error) = self.cgroups.kill(KILL_DEADLINE) {
                eprintln!("kill what is left of {}: {error}", self.launch.spec.id);
            }
            for (pid, code) in self.children.reap() {
                self.execs.reaped(pid, code);
            }
            self.execs.end_all();
        }
        let execs = self.execs.list();
        if !execs.is_empty()
            && let Err(error) = place::write(&self.launch.place.execs(), &execs)
        {
            eprintln!("write down how further processes ended: {error}");
        }
    }

    fn exit(&self, code: i32) -> Exit {
        let oom_killed = self.cgroups.oom_killed();
        let (code, error) = match &self.failed {
            Some(Failure::Command { message, code }) => (*code, Some(message.clone())),
            Some(Failure::User { message: reason } | Failure::Setup { reason }) => {
                (code, Some(reason.clone()))
            }
            Some(Failure::NotRunning | Failure::NoExec | Failure::ExecExists) | None => (code, None),
        };
        Exit { code, oom_killed, finished_at: SystemTime::now(), error }
    }
}
