//! The standard streams of one process, between its pipes or its terminal and those who watch it.
//!
//! Output goes to everybody who reads it, and the slowest sets the pace. What a user writes goes into the process, as
//! fast as that reads.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags};

use crate::ends::Ends;
use crate::viewer::{Viewer, is_momentary};
use crate::{LogStream, Size, Streams, kernel};

/// The most taken from a stream before others get their turn.
const READ_BYTES: usize = 64 * 1024;
/// A pipe holds 64 KiB, of which a page may hold one byte: no more pieces are there when its writers are gone.
const LAST_PIECES_MAX: usize = 64;

/// When the standard input of a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputEnds {
    /// With the process.
    Never,
    /// When the first who writes it has no more to write, or is gone.
    WithFirstWriter,
}

/// The streams of one process.
pub(crate) struct Flow {
    outputs: Vec<Output>,
    input: Option<File>,
    /// What the process has not read yet.
    unread: Vec<u8>,
    input_ends: InputEnds,
    /// The input ends as soon as nothing is unread.
    is_ending: bool,
    is_terminal: bool,
    viewers: Vec<Viewer>,
}

struct Output {
    kind: LogStream,
    file: File,
    has_ended: bool,
}

/// A place where something may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Port {
    Output(usize),
    Input,
    Viewer(usize),
}

/// Takes a piece of output beside those who watch.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(LogStream, &[u8]);

impl Flow {
    pub(crate) fn new(ends: Ends, input_ends: InputEnds) -> io::Result<Flow> {
        let Ends { input, output, errors } = ends;
        let is_terminal = errors.is_none();
        let input = if is_terminal { Some(output.try_clone()?) } else { input };
        let outputs = [Some((LogStream::Stdout, output)), errors.map(|errors| (LogStream::Stderr, errors))];
        let outputs = outputs
            .into_iter()
            .flatten()
            .map(|(kind, fd)| Ok(Output { kind, file: kernel::unblocked(fd)?, has_ended: false }));
        Ok(Flow {
            outputs: outputs.collect::<io::Result<_>>()?,
            input: input.map(kernel::unblocked).transpose()?,
            unread: Vec::new(),
            // What a terminal's user ends is the terminal's to tell.
            input_ends: if is_terminal { InputEnds::Never } else { input_ends },
            is_ending: false,
            is_terminal,
            viewers: Vec::new(),
        })
    }

    /// Shows the streams to a further user from here on.
    pub(crate) fn attach(&mut self, stream: UnixStream, streams: Streams) -> io::Result<()> {
        self.viewers.push(Viewer::new(stream, streams, !self.is_terminal)?);
        Ok(())
    }

    /// Sets the size of the terminal; returns whether there is one.
    pub(crate) fn resize(&self, size: Size) -> io::Result<bool> {
        match self.outputs.first().filter(|_| self.is_terminal) {
            Some(terminal) => kernel::set_window_size(&terminal.file, size).map(|()| true),
            None => Ok(false),
        }
    }

    /// Lists what to wait for.
    pub(crate) fn ports(&self) -> impl Iterator<Item = (Port, PollFd<'_>)> {
        let outputs = self.outputs.iter().enumerate();
        let outputs = outputs.filter(|(_, output)| !output.has_ended && !self.is_held(output.kind));
        let outputs = outputs.map(|(n, output)| (Port::Output(n), watch(&output.file, PollFlags::POLLIN)));
        let input = self.input.iter().filter(|_| !self.unread.is_empty());
        let input = input.map(|input| (Port::Input, watch(input, PollFlags::POLLOUT)));
        let viewers = self.viewers.iter().enumerate().filter_map(|(n, viewer)| {
            Some((Port::Viewer(n), watch(viewer, viewer.interest(self.unread.is_empty())?)))
        });
        outputs.chain(input).chain(viewers)
    }

    /// Deals with what has happened at one of the ports.
    pub(crate) fn handle(&mut self, port: Port, happened: PollFlags, sink: Sink<'_>) {
        match port {
            Port::Output(number) => drop(self.copy(number, sink)),
            Port::Input => self.feed(),
            Port::Viewer(number) => self.serve(number, happened),
        }
    }

    /// Lets those go who are gone; port numbers are worth nothing after this.
    pub(crate) fn sweep(&mut self) {
        self.viewers.retain(|viewer| !viewer.is_gone());
    }

    /// Returns whether nothing can happen here any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.viewers.is_empty() && self.outputs.iter().all(|output| output.has_ended)
    }

    /// Hands on all that a process has left, and lets everybody go who watched it.
    pub(crate) fn finish(&mut self, sink: Sink<'_>) {
        for viewer in &mut self.viewers {
            viewer.expect_the_end();
        }
        for number in 0..self.outputs.len() {
            // Others may go on writing into a pipe they inherited.
            for _ in 0..LAST_PIECES_MAX {
                if !self.copy(number, sink) {
                    break;
                }
                self.viewers.iter_mut().for_each(Viewer::push);
            }
        }
        self.viewers = Vec::new();
        self.input = None;
    }

    fn is_held(&self, kind: LogStream) -> bool {
        self.viewers.iter().any(|viewer| viewer.reads(kind) && viewer.is_full())
    }

    /// Hands on what an output holds; returns whether it held anything.
    fn copy(&mut self, number: usize, sink: Sink<'_>) -> bool {
        let output = &mut self.outputs[number];
        let mut bytes = vec![0u8; READ_BYTES];
        let piece = match output.file.read(&mut bytes) {
            Ok(0) => None,
            Ok(length) => Some(&bytes[..length]),
            Err(error) if is_momentary(&error) => return false,
            // A terminal says EIO when its last user has gone.
            Err(_) => None,
        };
        let Some(piece) = piece else {
            output.has_ended = true;
            return false;
        };
        let kind = output.kind;
        sink(kind, piece);
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.reads(kind)) {
            viewer.show(kind, piece);
        }
        true
    }

    fn serve(&mut self, number: usize, happened: PollFlags) {
        // The process may have ended since this was seen, and all were let go.
        let Some(viewer) = self.viewers.get_mut(number) else { return };
        viewer.push();
        if happened.contains(PollFlags::POLLIN) {
            self.hear(number);
        }
        let viewer = &mut self.viewers[number];
        if happened.intersects(PollFlags::POLLHUP | PollFlags::POLLERR) {
            viewer.hang_up();
        }
        let is_last = viewer.writes_input() && viewer.has_ended_input();
        if is_last && self.input_ends == InputEnds::WithFirstWriter {
            self.is_ending = true;
            self.feed();
        }
    }

    fn hear(&mut self, number: usize) {
        let mut bytes = vec![0u8; READ_BYTES];
        let viewer = &mut self.viewers[number];
        let Some(length) = viewer.hear(&mut bytes) else { return };
        if viewer.writes_input() && self.input.is_some() && !self.is_ending {
            self.unread.extend_from_slice(&bytes[..length]);
            self.feed();
        }
    }

    /// Gives the process what it will take.
    fn feed(&mut self) {
        while let Some(input) = self.input.as_mut().filter(|_| !self.unread.is_empty()) {
            match input.write(&self.unread) {
                Ok(taken) => drop(self.unread.drain(..taken)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_momentary(&error) => return,
                // It has closed its end.
                Err(_) => self.input = None,
            }
        }
        self.unread = Vec::new();
        if self.is_ending {
            self.input = None;
        }
    }
}

fn watch<'a>(file: &'a impl AsFd, flags: PollFlags) -> PollFd<'a> {
    PollFd::new(file.as_fd(), flags)
}
