//! The further processes of a container: from their birth until the container ends.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::SystemTime;

use nix::poll::{PollFd, PollFlags};

use crate::birth::{Birth, Home};
use crate::flow::{Flow, InputEnds, Port};
use crate::talk::{Failure, Message, setup};
use crate::{ExecStatus, Process, Size, Started, Streams, kernel};

/// How many that have ended are remembered: a check of health each second would fill the memory in months.
const ENDED_MAX: usize = 100;

/// All further processes of one container, oldest first.
#[derive(Default)]
pub(crate) struct Execs {
    all: Vec<Exec>,
    /// How many there have been.
    count: u64,
    /// Children that have ended, of which nobody has said yet whether they are processes of ours.
    strays: Vec<(i32, i32)>,
}

struct Exec {
    id: String,
    number: u64,
    stage: Stage,
}

enum Stage {
    Starting(Box<Expected>),
    Running {
        pid: i32,
        flow: Box<Flow>,
    },
    /// Others may go on writing into its streams, which are emptied so that they do not wait.
    Ended {
        code: i32,
        flow: Option<Box<Flow>>,
    },
}

/// A process that is being made, and who waits for it.
struct Expected {
    birth: Birth,
    /// The number of the client that asked for it.
    asker: u64,
    stream: UnixStream,
    streams: Streams,
}

/// A place where something may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Site {
    Birth,
    Flow(Port),
}

/// An answer, and the number of the client that waits for it.
pub(crate) type Answer = (u64, Message);

impl Execs {
    /// Begins to make a process; the answer comes later.
    pub(crate) fn begin(
        &mut self,
        home: Home<'_>,
        id: String,
        process: &Process,
        asker: u64,
        stream: UnixStream,
    ) -> Result<(), Failure> {
        if self.find(&id).is_some() {
            return Err(Failure::ExecExists);
        }
        self.count += 1;
        let birth = Birth::begin(home, process, self.count)?;
        let expected = Expected { birth, asker, stream, streams: process.streams };
        self.all.push(Exec { id, number: self.count, stage: Stage::Starting(Box::new(expected)) });
        Ok(())
    }

    /// Lists what to wait for, by the number of each process.
    pub(crate) fn sites(&self) -> impl Iterator<Item = ((u64, Site), PollFd<'_>)> {
        self.all.iter().flat_map(|exec| {
            let (birth, flow) = match &exec.stage {
                Stage::Starting(expected) => (Some(&expected.birth), None),
                Stage::Running { flow, .. } => (None, Some(&**flow)),
                Stage::Ended { flow, .. } => (None, flow.as_deref()),
            };
            let birth = birth.map(|birth| (Site::Birth, PollFd::new(birth.as_fd(), PollFlags::POLLIN)));
            let ports = flow.into_iter().flat_map(Flow::ports).map(|(port, fd)| (Site::Flow(port), fd));
            birth.into_iter().chain(ports).map(|(site, fd)| ((exec.number, site), fd))
        })
    }

    /// Deals with what has happened at one of the sites.
    pub(crate) fn handle(&mut self, number: u64, site: Site, happened: PollFlags) -> Option<Answer> {
        let index = self.all.iter().position(|exec| exec.number == number)?;
        match (site, &mut self.all[index].stage) {
            (Site::Birth, Stage::Starting(expected)) => {
                let outcome = expected.birth.listen()?;
                Some(self.born(index, outcome))
            }
            (Site::Flow(port), Stage::Running { flow, .. } | Stage::Ended { flow: Some(flow), .. }) => {
                flow.handle(port, happened, &mut |_, _| {});
                None
            }
            (Site::Birth | Site::Flow(_), _) => None,
        }
    }

    /// Lets those go who are gone, and forgets what is long ended.
    pub(crate) fn sweep(&mut self) {
        for exec in &mut self.all {
            match &mut exec.stage {
                Stage::Running { flow, .. } => flow.sweep(),
                Stage::Ended { flow, .. } => {
                    if flow.as_ref().is_some_and(|flow| flow.has_ended()) {
                        *flow = None;
                    }
                }
                Stage::Starting(_) => {}
            }
        }
        let ended = self.all.iter().filter(|exec| exec.has_ended()).count();
        let mut surplus = ended.saturating_sub(ENDED_MAX);
        self.all.retain(|exec| {
            let forget = surplus > 0 && exec.has_ended();
            surplus -= usize::from(forget);
            !forget
        });
    }

    /// Takes note that a child has ended; returns whether a process of ours is known to have.
    pub(crate) fn reaped(&mut self, pid: i32, code: i32) -> bool {
        let is_it = |exec: &Exec| matches!(exec.stage, Stage::Running { pid: own, .. } if own == pid);
        if let Some(exec) = self.all.iter_mut().find(|exec| is_it(exec)) {
            exec.end(code);
            return true;
        }
        if self.all.iter().any(|exec| matches!(exec.stage, Stage::Starting(_))) {
            self.strays.push((pid, code));
        }
        false
    }

    pub(crate) fn resize(&self, id: &str, size: Size) -> Result<(), Failure> {
        match self.find(id).map(|exec| &exec.stage) {
            Some(Stage::Running { flow, .. }) => {
                flow.resize(size).map(drop).map_err(|error| setup(format!("resize the terminal: {error}")))
            }
            Some(Stage::Starting(_) | Stage::Ended { .. }) | None => Err(Failure::NoExec),
        }
    }

    pub(crate) fn signal(&self, id: &str, signal: i32) -> Result<(), Failure> {
        match self.find(id).map(|exec| &exec.stage) {
            // The number is its own as long as it is not reaped, which only this process does.
            Some(Stage::Running { pid, .. }) => kernel::kill(*pid, signal).map_err(|_| Failure::NoExec),
            Some(Stage::Starting(_) | Stage::Ended { .. }) | None => Err(Failure::NoExec),
        }
    }

    /// Lists those that were started, oldest first.
    pub(crate) fn list(&self) -> Vec<(String, ExecStatus)> {
        let status = |exec: &Exec| match &exec.stage {
            Stage::Starting(_) => None,
            Stage::Running { pid, .. } => Some(ExecStatus::Running { pid: *pid }),
            Stage::Ended { code, .. } => Some(ExecStatus::Ended { code: *code }),
        };
        self.all.iter().filter_map(|exec| Some((exec.id.clone(), status(exec)?))).collect()
    }

    /// Returns whether any of them has not ended.
    pub(crate) fn are_alive(&self) -> bool {
        self.all.iter().any(|exec| !exec.has_ended())
    }

    /// Kills those that run; what is being made cannot be saved either.
    pub(crate) fn kill(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for exec in &mut self.all {
            match &exec.stage {
                Stage::Starting(expected) => {
                    answers.push((expected.asker, Message::Failed(Failure::NotRunning)));
                    exec.stage = Stage::Ended { code: KILLED, flow: None };
                }
                // It may have ended by itself.
                Stage::Running { pid, .. } => drop(kernel::kill(*pid, libc::SIGKILL)),
                Stage::Ended { .. } => {}
            }
        }
        answers
    }

    /// Takes all for killed that were not reaped.
    pub(crate) fn end_all(&mut self) {
        self.all.iter_mut().filter(|exec| !exec.has_ended()).for_each(|exec| exec.end(KILLED));
    }

    fn find(&self, id: &str) -> Option<&Exec> {
        self.all.iter().find(|exec| exec.id == id)
    }

    /// Takes a process in that was made, or puts away what was not.
    fn born(&mut self, index: usize, outcome: Result<i32, Failure>) -> Answer {
        let exec = &mut self.all[index];
        let stage = std::mem::replace(&mut exec.stage, Stage::Ended { code: NOT_STARTED, flow: None });
        let Stage::Starting(expected) = stage else { unreachable!("the caller looked at the stage") };
        let Expected { birth, asker, stream, streams } = *expected;
        let pid = match outcome {
            Ok(pid) => pid,
            Err(failure) => {
                birth.give_up();
                if let Failure::Command { code, .. } = failure {
                    exec.stage = Stage::Ended { code, flow: None };
                }
                return (asker, Message::Failed(failure));
            }
        };
        let flow = birth.ends().and_then(|ends| {
            let mut flow = Flow::new(ends, InputEnds::WithFirstWriter)?;
            flow.attach(stream, streams)?;
            Ok(flow)
        });
        match flow {
            Ok(flow) => exec.stage = Stage::Running { pid, flow: Box::new(flow) },
            Err(error) => {
                // Nobody could ever see or end it.
                let _ = kernel::kill(pid, libc::SIGKILL);
                return (asker, Message::Failed(setup(format!("take over the streams: {error}"))));
            }
        }
        if let Some((_, code)) = self.strays.iter().find(|(stray, _)| *stray == pid) {
            exec.end(*code);
        }
        if !self.all.iter().any(|exec| matches!(exec.stage, Stage::Starting(_))) {
            self.strays = Vec::new();
        }
        (asker, Message::Started(Started { pid, at: SystemTime::now() }))
    }
}

/// As a shell counts a process that was killed.
const KILLED: i32 = 128 + libc::SIGKILL;
const NOT_STARTED: i32 = 126;

impl Exec {
    fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended { .. })
    }

    /// Hands on its last words and lets everybody go.
    fn end(&mut self, code: i32) {
        let stage = std::mem::replace(&mut self.stage, Stage::Ended { code, flow: None });
        if let Stage::Running { mut flow, .. } = stage {
            flow.finish(&mut |_, _| {});
            self.stage = Stage::Ended { code, flow: Some(flow) };
        }
    }
}
