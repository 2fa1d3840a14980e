//! Watches one living shim: passes requests on, publishes what happens, cleans up if the shim is killed.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{Exit, Phase};
use cgroup::{Cgroups, Pidfd};
use shim::place::{self, Place};
use shim::talk::{Message, Request};

/// How long killed processes may take to go away.
const KILL_DEADLINE: Duration = Duration::from_secs(10);
const SIGKILL_CODE: i32 = 128 + 9;

/// What is known of a container, for all who wait.
pub(crate) struct News {
    pub phase: watch::Sender<Phase>,
    /// Counts the times the log has grown.
    pub log: watch::Sender<u64>,
    /// Counts what has happened to further processes.
    pub execs: watch::Sender<u64>,
}

/// A connection to a living shim.
pub(crate) struct Link {
    stream: BufReader<UnixStream>,
    process: AsyncFd<Pidfd>,
    /// Set if the shim is a child of this process, which must reap it.
    child: Option<Child>,
}

impl Link {
    pub(crate) fn to_child(stream: BufReader<UnixStream>, child: Child) -> io::Result<Link> {
        let process = watch_process(child.id() as i32)?;
        Ok(Link { stream, process, child: Some(child) })
    }

    /// Finds a shim of an earlier process by its socket; says what the container does.
    pub(crate) async fn adopt(place: &Place) -> io::Result<(Link, Message)> {
        let stream = UnixStream::connect(&place.socket).await?;
        let pid = stream.peer_cred()?.pid().ok_or(io::ErrorKind::NotConnected)?;
        let process = watch_process(pid)?;
        let mut link = Link { stream: BufReader::new(stream), process, child: None };
        // It answers, so it lives, and the descriptor opened before is its own.
        link.send(&Request::Hello).await?;
        let answer = tokio::time::timeout(KILL_DEADLINE, link.receive()).await??;
        Ok((link, answer.ok_or(io::ErrorKind::UnexpectedEof)?))
    }

    async fn send(&mut self, request: &Request) -> io::Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.stream.write_all(&line).await
    }

    /// Returns the next message; none when the shim has closed the connection.
    async fn receive(&mut self) -> io::Result<Option<Message>> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await? {
            0 => Ok(None),
            _ => Ok(Some(serde_json::from_str(&line)?)),
        }
    }
}

pub(crate) fn watch_process(pid: i32) -> io::Result<AsyncFd<Pidfd>> {
    // SAFETY: the value owns its one descriptor and closes it only when it is dropped.
    Ok(unsafe { AsyncFd::register(Pidfd::open(pid)?) }?)
}

/// A request and where its answer goes.
pub(crate) struct Call {
    pub request: Request,
    pub reply: oneshot::Sender<Message>,
}

/// Keeps one link until the shim has ended.
pub(crate) struct Keeper {
    pub link: Link,
    pub calls: mpsc::Receiver<Call>,
    pub news: Arc<News>,
    pub place: Place,
    pub cgroup: PathBuf,
}

enum Event {
    Call(Option<Call>),
    Line(io::Result<usize>),
    ShimEnded,
}

impl Keeper {
    /// Runs until the shim has ended or the handle is dropped, which leaves the shim alone.
    pub(crate) async fn run(mut self) {
        let mut waiting: VecDeque<Option<oneshot::Sender<Message>>> = VecDeque::new();
        // Kept outside the loop: a line may come in pieces, between which other events are handled.
        let mut line = Vec::new();
        let mut is_open = true;
        loop {
            let event = tokio::select! {
                // Messages first: the shim says how the container ended before it ends itself.
                biased;
                read = self.link.stream.read_until(b'\n', &mut line), if is_open => Event::Line(read),
                _ = self.link.process.readable() => Event::ShimEnded,
                call = self.calls.recv() => Event::Call(call),
            };
            match event {
                Event::Call(None) => return,
                Event::Call(Some(Call { request, reply })) => {
                    // A shim that cannot be written to is ending; the caller hears it when `waiting` is dropped.
                    if self.link.send(&request).await.is_ok() {
                        waiting.push_back(Some(reply));
                    }
                }
                Event::Line(Ok(0) | Err(_)) => is_open = false,
                Event::Line(Ok(_)) => {
                    if let Ok(message) = serde_json::from_slice(&line) {
                        self.handle(message, &mut waiting).await;
                    }
                    line.clear();
                }
                Event::ShimEnded => break,
            }
        }
        self.close().await;
    }

    async fn handle(&mut self, message: Message, waiting: &mut VecDeque<Option<oneshot::Sender<Message>>>) {
        match message {
            Message::Exited(exit) => {
                self.news.phase.send_replace(Phase::Exited(exit));
                self.news.execs.send_modify(|count| *count += 1);
            }
            Message::ExecsChanged => self.news.execs.send_modify(|count| *count += 1),
            Message::LogGrew => {
                self.news.log.send_modify(|count| *count += 1);
                if self.news.log.receiver_count() == 0
                    && self.link.send(&Request::WatchLog(false)).await.is_ok()
                {
                    waiting.push_back(None);
                }
            }
            answer @ (Message::Done | Message::Started(_) | Message::Execs(_) | Message::Failed(_)) => {
                if let Message::Started(started) = &answer {
                    self.news.phase.send_replace(Phase::Running(*started));
                }
                if let Some(Some(reply)) = waiting.pop_front() {
                    // The caller may have lost interest.
                    let _ = reply.send(answer);
                }
            }
        }
    }

    /// Reaps the shim and settles how the container ended.
    async fn close(mut self) {
        if let Some(mut child) = self.link.child.take()
            && let Err(error) = child.wait()
        {
            tracing::warn!(%error, "reap the shim of {}", self.place.dir.display());
        }
        let News { phase, execs, .. } = &*self.news;
        if !matches!(*phase.borrow(), Phase::Exited(_)) {
            let (place, cgroup) = (self.place.clone(), self.cgroup.clone());
            let exit = tokio::task::spawn_blocking(move || settle(&place, &cgroup)).await;
            phase.send_replace(Phase::Exited(exit.expect("settling does not panic")));
        }
        // Who waits for a further process finds out on disk how it ended, for which nobody must be here to be asked.
        self.calls.close();
        execs.send_modify(|count| *count += 1);
        // A call may be under way into the channel: what is not taken out keeps its caller waiting.
        while self.calls.recv().await.is_some() {}
    }
}

/// Finds out how a container without a shim ended, ending it if it has not.
pub(crate) fn settle(place: &Place, cgroup: &std::path::Path) -> Exit {
    if let Some(exit) = place.read_exit() {
        return exit;
    }
    let cleaned = Cgroups::find(cgroup).and_then(|cgroups| {
        cgroups.kill(KILL_DEADLINE)?;
        cgroups.remove()
    });
    if let Err(error) = cleaned {
        tracing::warn!(%error, "clean up after the shim of {}", place.dir.display());
    }
    // A stale address would only be refused.
    let _ = fs::remove_file(&place.socket);
    let error = Some("its shim was killed, and the container with it".to_owned());
    let exit = Exit { code: SIGKILL_CODE, oom_killed: false, finished_at: SystemTime::now(), error };
    if let Err(error) = place::write(&place.exit(), &exit) {
        tracing::warn!(%error, "write {}", place.exit().display());
    }
    exit
}
