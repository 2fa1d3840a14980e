//! Asks containers how they are, by running their checks in them.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use container::{Exit, Signal, Started};
use container_config::health::{self, Check, Health, Output, Probe};
use container_json::ExecBody;
use engine_json::{Channel, Frame};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::events::Action;
use crate::exec::{new_id, process};
use crate::table::Entry;
use crate::{Engine, Error};

/// How long a killed probe may take to be gone, and what an ended one's children may still say.
const GRACE: Duration = Duration::from_secs(2);
/// What counts as the exit code of a probe that did not end by itself.
const NO_CODE: i32 = -1;

impl Engine {
    /// Returns the health of a container, and each change of it; without a check it is always `none`.
    pub fn watch_health(&self, name: &str) -> Result<watch::Receiver<Health>, Error> {
        Ok(self.entry(name)?.health.subscribe())
    }

    /// Waits for the end of a run, and checks the container until then.
    pub(crate) async fn run_checked(
        &self,
        entry: &Entry,
        started: Started,
        check: Option<Check>,
    ) -> Result<Exit, container::Error> {
        let exit = tokio::select! {
            exit = self.containers().wait(&entry.id) => exit,
            never = self.check_health(entry, started, check) => match never {},
        };
        entry.health.send_modify(Health::end);
        exit
    }

    async fn check_health(&self, entry: &Entry, started: Started, check: Option<Check>) -> Infallible {
        let Some(check) = check else { return std::future::pending().await };
        loop {
            let status = entry.health.borrow().status;
            sleep(check.wait(status, started.at.elapsed().unwrap_or_default())).await;
            if self.is_paused(&entry.id) {
                continue;
            }
            let probe = self.probe(entry, &check).await;
            // A probe that was frozen together with the container says nothing about it.
            if self.is_paused(&entry.id) {
                continue;
            }
            let mut is_news = false;
            entry.health.send_modify(|health| is_news = health.note(&check, started.at, probe));
            if is_news {
                let status = entry.health.borrow().status;
                self.tell(entry, Action::HealthStatus(status), []);
            }
        }
    }

    async fn probe(&self, entry: &Entry, check: &Check) -> Probe {
        let (start, id) = (SystemTime::now(), new_id());
        let mut output = Output::default();
        let ended = timeout(check.timeout, self.probe_to_end(entry, &id, check, &mut output)).await;
        let (code, said) = match ended {
            Ok(Ok(code)) => (code, output.text()),
            Ok(Err(error)) => (NO_CODE, error.to_string()),
            Err(_) => {
                self.end_probe(entry, &id).await;
                (NO_CODE, health::overdue(check.timeout, &output.text()))
            }
        };
        let attributes = [("execID", id), ("exitCode", code.to_string())];
        self.tell(entry, Action::ExecDie, attributes);
        Probe { start, end: SystemTime::now(), code, output: said }
    }

    async fn probe_to_end(
        &self,
        entry: &Entry,
        id: &str,
        check: &Check,
        output: &mut Output,
    ) -> Result<i32, container::Error> {
        let containers = self.containers();
        let body = ExecBody {
            cmd: Some(check.command.clone()),
            attach_stdout: true,
            attach_stderr: true,
            ..ExecBody::default()
        };
        let process = process(&containers.spec(&entry.id)?, &body);
        let command = check.command.join(" ");
        self.tell(entry, Action::ExecCreate(command.clone()), [("execID", id.to_owned())]);
        self.tell(entry, Action::ExecStart(command), [("execID", id.to_owned())]);
        let mut stream = containers.exec(&entry.id, id, &process).await?;
        let listening = listen(&mut stream, output);
        let mut listening = std::pin::pin!(listening);
        let code = tokio::select! {
            code = containers.exec_wait(&entry.id, id) => code?,
            () = &mut listening => return containers.exec_wait(&entry.id, id).await,
        };
        // Children in the background may hold its output open as long as they like.
        let _ = timeout(GRACE, listening).await;
        Ok(code)
    }

    /// Kills a probe, so that those that hang do not pile up.
    async fn end_probe(&self, entry: &Entry, id: &str) {
        let containers = self.containers();
        if let Err(error) = containers.exec_signal(&entry.id, id, Signal::KILL).await {
            tracing::warn!(container = entry.id, %error, "a health check that hangs is not killed");
        }
        // A frozen one dies only once it thaws.
        let _ = timeout(GRACE, containers.exec_wait(&entry.id, id)).await;
    }
}

/// Reads the frames of a probe's output to their end.
async fn listen(stream: &mut UnixStream, output: &mut Output) {
    let mut buffer = Vec::new();
    loop {
        match Frame::decode(&buffer) {
            Ok(Some((Frame { channel: Channel::Stdout | Channel::Stderr, payload }, end))) => {
                output.push(payload);
                buffer.drain(..end);
            }
            Ok(Some((_, end))) => drop(buffer.drain(..end)),
            Ok(None) => match stream.read_buf(&mut buffer).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            },
            Err(error) => return tracing::warn!(%error, "the output of a health check is damaged"),
        }
    }
}

impl Entry {
    /// Begins anew with the health of a container that has a check, and returns that.
    pub(crate) fn begin_health(&self) -> Option<Check> {
        let check = {
            let record = self.record();
            Check::of(record.config.healthcheck.as_ref(), &record.config.shell)
        };
        if check.is_some() {
            self.health.send_modify(Health::restart);
        }
        check
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn both_streams_of_a_probe_are_heard() {
        let (mut probe, mut stream) = UnixStream::pair().unwrap();
        let mut output = Output::default();
        for (channel, payload) in [(Channel::Stdout, "not "), (Channel::Stderr, "well")] {
            let bytes = Frame { channel, payload: payload.as_bytes() }.encode();
            let (first, second) = bytes.split_at(5);
            probe.write_all(first).await.unwrap();
            probe.write_all(second).await.unwrap();
        }
        drop(probe);

        listen(&mut stream, &mut output).await;

        assert_eq!(output.text(), "not well");
    }
}
