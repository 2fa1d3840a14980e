//! Turns the output of a container into its log.

use std::io;
use std::path::PathBuf;

use crate::log::writer::{Splitter, Writer};
use crate::{LogStream, Spec};

/// The log that is being written, or nothing for a container that keeps none.
pub(crate) struct Recorder {
    log: Option<Log>,
}

struct Log {
    writer: Writer,
    output: Splitter,
    errors: Splitter,
}

impl Recorder {
    pub(crate) fn open(path: PathBuf, spec: &Spec) -> io::Result<Recorder> {
        if spec.discard_log {
            return Ok(Recorder { log: None });
        }
        let writer = Writer::open(path, &spec.log)?;
        Ok(Recorder { log: Some(Log { writer, output: Splitter::default(), errors: Splitter::default() }) })
    }

    /// Writes the whole lines among all that came; returns whether there were any.
    pub(crate) fn record(&mut self, kind: LogStream, bytes: &[u8]) -> bool {
        let Some(Log { writer, output, errors }) = &mut self.log else { return false };
        match kind {
            LogStream::Stdout => output.push(bytes, writer, kind),
            LogStream::Stderr => errors.push(bytes, writer, kind),
        }
    }

    /// Writes what has no line end.
    pub(crate) fn finish(&mut self) {
        let Some(Log { writer, output, errors }) = &mut self.log else { return };
        output.finish(writer, LogStream::Stdout);
        errors.finish(writer, LogStream::Stderr);
    }
}
