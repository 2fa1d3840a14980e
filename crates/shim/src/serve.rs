//! The shim's life beside its container: streams into the log, requests, the end.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::SystemTime;

use libcontainer::container::Container;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::cgroup::Cgroups;
use crate::entry::{clean_up, say};
use crate::hybrid::Cover;
use crate::kernel;
use crate::log::writer::{Splitter, Writer};
use crate::pidfd::Pidfd;
use crate::place::{self, Launch};
use crate::prepare::{Prepared, reported};
use crate::talk::{Failure, Message, Request, setup};
use crate::{Exit, LogStream, Started};

/// The most taken from a stream before others get their turn.
const READ_BYTES: usize = 64 * 1024;

struct Shim {
    launch: Launch,
    container: Container,
    cgroups: Cgroups,
    cover: Option<Cover>,
    pid: i32,
    process: Pidfd,
    started: Option<Started>,
    failed: Option<Failure>,
    report: Option<File>,
    listener: UnixListener,
    clients: Vec<Client>,
    streams: Vec<Stream>,
    log: Writer,
    /// Open as long as the container's standard input shall be.
    _input: Option<OwnedFd>,
}

struct Client {
    stream: UnixStream,
    /// The beginning of a request whose end has not come yet.
    partial: Vec<u8>,
    watches_log: bool,
}

struct Stream {
    kind: LogStream,
    file: File,
    splitter: Splitter,
    ended: bool,
}

/// Answers that the container is ready and serves it until its end.
pub(crate) fn serve(launch: Launch, prepared: Prepared, control: UnixStream) -> io::Result<()> {
    let Prepared { container, cgroups, cover, pid, process, listener, report, output, errors, input } =
        prepared;
    let log = Writer::open(launch.place.log(), &launch.spec.log)?;
    let streams = [Some((LogStream::Stdout, output)), errors.map(|errors| (LogStream::Stderr, errors))]
        .into_iter()
        .flatten()
        .map(|(kind, fd)| Stream::new(kind, fd))
        .collect::<io::Result<Vec<_>>>()?;
    let mut shim = Shim {
        launch,
        container,
        cgroups,
        cover,
        pid,
        process,
        started: None,
        failed: None,
        report: Some(report),
        listener,
        clients: Vec::new(),
        streams,
        log,
        _input: input,
    };
    if shim.announce(control).is_err() {
        // Nobody waits for this container: whoever asked for it is gone.
        shim.process.signal(libc::SIGKILL)?;
    }
    shim.run()
}

enum Event {
    Ended,
    NewClient,
    Client(usize),
    Stream(usize),
}

impl Shim {
    fn announce(&mut self, mut control: UnixStream) -> io::Result<()> {
        say(&mut control, &Message::Done)?;
        File::create(self.launch.place.created())?;
        self.adopt(control)
    }

    fn adopt(&mut self, stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        self.clients.push(Client { stream, partial: Vec::new(), watches_log: false });
        Ok(())
    }

    fn run(mut self) -> io::Result<()> {
        loop {
            let mut events = self.wait()?;
            // From the back: a client that left moves those behind it.
            events.reverse();
            for event in events {
                match event {
                    Event::Ended => return self.end(),
                    Event::NewClient => {
                        while let Ok((stream, _)) = self.listener.accept() {
                            self.adopt(stream)?;
                        }
                    }
                    Event::Client(number) => self.hear(number),
                    Event::Stream(number) => self.copy(number),
                }
            }
        }
    }

    /// Sleeps until something happens.
    fn wait(&self) -> io::Result<Vec<Event>> {
        let listen = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut watched = VecDeque::from([
            (Event::Ended, listen(self.process.as_fd())),
            (Event::NewClient, listen(self.listener.as_fd())),
        ]);
        let clients = self.clients.iter().enumerate();
        watched.extend(clients.map(|(n, client)| (Event::Client(n), listen(client.stream.as_fd()))));
        let streams = self.streams.iter().enumerate().filter(|(_, stream)| !stream.ended);
        watched.extend(streams.map(|(n, stream)| (Event::Stream(n), listen(stream.file.as_fd()))));
        let (kinds, mut fds): (Vec<Event>, Vec<PollFd<'_>>) = watched.into_iter().unzip();
        loop {
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
                Ok(_) => break,
            }
        }
        let happened = kinds.into_iter().zip(&fds).filter(|(_, fd)| fd.any().unwrap_or(true));
        Ok(happened.map(|(kind, _)| kind).collect())
    }

    /// Copies what a stream holds into the log.
    fn copy(&mut self, number: usize) {
        if self.streams[number].copy(&mut self.log) {
            for client in self.clients.iter_mut().filter(|client| client.watches_log) {
                client.tell(&Message::LogGrew);
            }
        }
    }

    /// Reads a client's requests and answers them.
    fn hear(&mut self, number: usize) {
        let mut bytes = [0u8; 4096];
        loop {
            match self.clients[number].stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => self.clients[number].partial.extend_from_slice(&bytes[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            }
            while let Some(end) = self.clients[number].partial.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.clients[number].partial.drain(..=end).collect();
                let answer = match serde_json::from_slice(&line) {
                    Ok(request) => self.answer(number, request),
                    Err(error) => Message::Failed(setup(format!("request not understood: {error}"))),
                };
                self.clients[number].tell(&answer);
            }
        }
        self.clients.remove(number);
    }

    fn answer(&mut self, number: usize, request: Request) -> Message {
        match request {
            Request::Hello => self.started.map_or(Message::Done, Message::Started),
            Request::Start => self.start(),
            Request::Signal(signal) => match self.process.signal(signal.number()) {
                Ok(()) => Message::Done,
                Err(_) => Message::Failed(Failure::NotRunning),
            },
            Request::WatchLog(watch) => {
                self.clients[number].watches_log = watch;
                Message::Done
            }
        }
    }

    /// Lets the parked process execute the program, and waits until it has.
    fn start(&mut self) -> Message {
        let Some(mut report) = self.report.take() else {
            return Message::Failed(setup("it was started before"));
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

    /// Writes down how the container ended, tells everybody and takes everything away.
    fn end(mut self) -> io::Result<()> {
        for stream in &mut self.streams {
            // Its processes are gone: what the pipe holds is all there will be.
            while stream.copy(&mut self.log) {}
            stream.splitter.finish(&mut self.log, stream.kind);
        }
        drop(self.cover.take());
        let exit = self.exit();
        place::write(&self.launch.place.exit(), &exit)?;
        let message = Message::Exited(exit);
        for client in &mut self.clients {
            client.tell(&message);
        }
        clean_up(&self.launch, &self.cgroups);
        fs::remove_file(&self.launch.place.socket)
    }

    fn exit(&self) -> Exit {
        let code = loop {
            match waitpid(Pid::from_raw(self.pid), None) {
                Ok(WaitStatus::Exited(_, code)) => break code,
                Ok(WaitStatus::Signaled(_, signal, _)) => break 128 + signal as i32,
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(_) => break 255,
            }
        };
        let oom_killed = self.cgroups.oom_killed();
        let (code, error) = match &self.failed {
            Some(Failure::Command { message, code }) => (*code, Some(message.clone())),
            Some(Failure::Setup { reason }) => (code, Some(reason.clone())),
            Some(Failure::NotRunning) | None => (code, None),
        };
        Exit { code, oom_killed, finished_at: SystemTime::now(), error }
    }
}

impl Client {
    /// Sends a message whole or not at all: it fits one packet of the socket. Who does not read loses it, and who
    /// is gone is noticed when its end is read; neither may stop the container.
    fn tell(&mut self, message: &Message) {
        let _ = say(&mut self.stream, message);
    }
}

impl Stream {
    fn new(kind: LogStream, fd: OwnedFd) -> io::Result<Stream> {
        fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Stream { kind, file: File::from(fd), splitter: Splitter::default(), ended: false })
    }

    /// Takes what is there; returns whether anything was.
    fn copy(&mut self, log: &mut Writer) -> bool {
        let mut bytes = vec![0u8; READ_BYTES];
        match self.file.read(&mut bytes) {
            Ok(0) => self.ended = true,
            Ok(length) => {
                self.splitter.push(&bytes[..length], log, self.kind);
                return true;
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // A terminal says EIO when its last user has gone.
            Err(_) => self.ended = true,
        }
        false
    }
}
