//! Commands that run in a container beside its program.

mod sessions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use container::{ExecStatus, Process, Size, Spec, Streams};
use container_config::spec::size;
use container_json::{ExecBody, ExecCreated, ExecInspect, ExecProcess, ExecStart};
use engine_json::{Channel, Frame};
use rand::RngCore;
use tokio::time::timeout;

use crate::detach_keys::{DetachKeys, Scanner};
use crate::events::Action;
use crate::life::Step;
use crate::session::{EndOfInput, Input, Session};
use crate::table::Entry;
use crate::{Engine, Error};

pub(crate) use sessions::Sessions;
use sessions::{Exec, State};

/// How long the change of a terminal's size waits for a command that is about to start.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// The exit code of a command that could not be executed, where nothing better is known.
const NOT_EXECUTED: i32 = 126;
/// The exit code of a command that ended together with its container.
const KILLED: i32 = 137;

impl Engine {
    /// Prepares a command; it does not run before it is started.
    pub fn exec_create(&self, name: &str, body: ExecBody) -> Result<ExecCreated, Error> {
        let entry = self.entry(name)?;
        if body.cmd.as_ref().is_none_or(Vec::is_empty) {
            return Err(Error::invalid("No exec command specified"));
        }
        let keys = DetachKeys::parse(&body.detach_keys)?;
        self.ready_for_exec(&entry, name)?;
        let exec = Exec::new(new_id(), entry.id.clone(), body, keys);
        self.inner.execs.forget_old(Instant::now(), |container| self.entry(container).is_ok());
        let command = command_line(&exec.body);
        self.inner.execs.insert(exec.clone());
        self.tell(&entry, Action::ExecCreate(command), [("execID", exec.id.clone())]);
        Ok(ExecCreated { id: exec.id.clone() })
    }

    /// Starts a prepared command. The client that wants to talk to it gets a session, which also tells why it could
    /// not be executed; one that does not gets none.
    pub async fn exec_start(&self, id: &str, how: ExecStart) -> Result<Option<Session>, Error> {
        let exec = self.exec(id).await?;
        self.whole(|engine| async move { engine.exec_start_whole(&exec, &how).await }).await
    }

    async fn exec_start_whole(&self, exec: &Arc<Exec>, how: &ExecStart) -> Result<Option<Session>, Error> {
        let entry = self.entry(&exec.container).map_err(|_| no_such_exec(&exec.id))?;
        self.ready_for_exec(&entry, &exec.container)?;
        exec.claim()?;
        self.tell(&entry, Action::ExecStart(command_line(&exec.body)), [("execID", exec.id.clone())]);
        let begun = self.exec_begin(&entry, exec, how).await;
        match begun {
            Ok(_) if how.detach => Ok(None),
            Ok(session) => Ok(Some(session)),
            Err((error, code)) => {
                exec.end(code);
                if how.detach {
                    return Err(error);
                }
                // The client talks to the command already as far as it knows, and asks for the code afterwards.
                let words = format!("{}\r\n", error.text()).into_bytes();
                let tty = exec.body.tty;
                let words =
                    if tty { words } else { Frame { channel: Channel::Stdout, payload: &words }.encode() };
                Ok(Some(Session::saying(words, tty)))
            }
        }
    }

    async fn exec_begin(
        &self,
        entry: &Arc<Entry>,
        exec: &Arc<Exec>,
        how: &ExecStart,
    ) -> Result<Session, (Error, i32)> {
        let containers = self.containers();
        let spec = containers.spec(&entry.id).map_err(|error| (error.into(), NOT_EXECUTED))?;
        let mut process = process(&spec, &exec.body);
        process.size = how.console_size.map(size).or(process.size);
        if how.detach {
            process.streams = Streams::default();
        }
        let stream = containers.exec(&entry.id, &exec.id, &process).await.map_err(not_executed)?;
        let pid = match containers.exec_status(&entry.id, &exec.id).await {
            Ok(ExecStatus::Running { pid }) => pid,
            Ok(ExecStatus::Ended { .. }) | Err(_) => 0,
        };
        self.exec_keep(entry.clone(), exec.clone(), pid);
        let input = if process.streams.stdin {
            let at_end = if exec.body.tty { EndOfInput::MeansNothing } else { EndOfInput::IsPassedOn };
            Input::Wanted { at_end, keys: exec.body.tty.then(|| Scanner::new(exec.keys.clone())) }
        } else {
            Input::Unwanted
        };
        let (engine, entry, id) = (self.clone(), entry.clone(), exec.id.clone());
        // A client asks for the exit code as soon as it sees the end of the output.
        let mut state = exec.state.subscribe();
        let has_ended =
            async move { drop(state.wait_for(|state| matches!(state, State::Ended { .. })).await) };
        Ok(Session::new(stream, input, exec.body.tty)
            .ending_after(has_ended)
            .on_detach(move || engine.tell(&entry, Action::ExecDetach, [("execID", id)])))
    }

    /// Notes that a command runs, waits for its end, and notes that.
    fn exec_keep(&self, entry: Arc<Entry>, exec: Arc<Exec>, pid: i32) {
        exec.state.send_replace(State::Running { pid });
        let engine = self.clone();
        // Ends with the command, at the latest with its container.
        tokio::spawn(async move {
            let code = engine.containers().exec_wait(&entry.id, &exec.id).await.unwrap_or(KILLED);
            exec.end(code);
            let attributes = [("execID", exec.id.clone()), ("exitCode", code.to_string())];
            engine.tell(&entry, Action::ExecDie, attributes);
        });
    }

    /// Changes the size of a command's terminal; one that is about to start is waited for.
    pub async fn exec_resize(&self, id: &str, size: Size) -> Result<(), Error> {
        let exec = self.exec(id).await?;
        let mut state = exec.state.subscribe();
        let has_begun = state.wait_for(|state| !matches!(state, State::Prepared | State::Starting));
        match timeout(START_DEADLINE, has_begun).await.map(|state| state.is_ok()) {
            Ok(true) => Ok(self.containers().exec_resize(&exec.container, &exec.id, size).await?),
            Ok(false) | Err(_) => Err(Error::invalid("timeout waiting for exec session ready")),
        }
    }

    /// Describes a command.
    pub async fn exec_inspect(&self, id: &str) -> Result<ExecInspect, Error> {
        Ok(inspect(&*self.exec(id).await?))
    }

    /// Lists the commands that run in a container.
    pub(crate) fn execs_of(&self, container: &str) -> Vec<String> {
        self.inner.execs.running_in(container)
    }

    /// Finds a command; one of an earlier daemon is found as long as the container that it runs in knows it.
    async fn exec(&self, id: &str) -> Result<Arc<Exec>, Error> {
        if let Some(exec) = self.inner.execs.get(id) {
            self.entry(&exec.container).map_err(|_| no_such_exec(id))?;
            return Ok(exec);
        }
        let running = self.table().all().into_iter().filter(|entry| entry.life().step == Step::Running);
        for entry in running.collect::<Vec<_>>() {
            let Ok(status) = self.containers().exec_status(&entry.id, id).await else { continue };
            let body = ExecBody { attach_stdout: true, attach_stderr: true, ..ExecBody::default() };
            let exec = Exec::new(id.to_owned(), entry.id.clone(), body, DetachKeys::default());
            let kept = self.inner.execs.insert(exec.clone());
            if !Arc::ptr_eq(&kept, &exec) {
                return Ok(kept);
            }
            match status {
                ExecStatus::Running { pid } => self.exec_keep(entry, exec.clone(), pid),
                ExecStatus::Ended { code } => exec.end(code),
            }
            return Ok(exec);
        }
        Err(no_such_exec(id))
    }

    fn ready_for_exec(&self, entry: &Entry, name: &str) -> Result<(), Error> {
        self.running(entry)?;
        if self.is_paused(&entry.id) {
            return Err(Error::conflict(format!(
                "container {name} is paused, unpause the container before exec"
            )));
        }
        Ok(())
    }
}

/// Returns what is executed; what stays open is as in the container.
pub(crate) fn process(spec: &Spec, body: &ExecBody) -> Process {
    let has_terminal_kind = |env: &[String]| env.iter().any(|pair| pair.starts_with("TERM="));
    let mut env = body.env.clone();
    if body.tty && !has_terminal_kind(&spec.env) && !has_terminal_kind(&env) {
        env.push("TERM=xterm".to_owned());
    }
    Process {
        args: body.cmd.clone().unwrap_or_default(),
        env,
        cwd: body.working_dir.clone(),
        user: body.user.clone(),
        groups: spec.groups.clone(),
        tty: body.tty,
        size: body.console_size.map(size),
        privileged: body.privileged,
        streams: Streams { stdin: body.attach_stdin, stdout: body.attach_stdout, stderr: body.attach_stderr },
    }
}

fn inspect(exec: &Exec) -> ExecInspect {
    let ExecBody { user, privileged, tty, attach_stdin, attach_stderr, attach_stdout, cmd, .. } = &exec.body;
    let (running, exit_code, pid) = match *exec.state.borrow() {
        State::Prepared | State::Starting => (false, None, 0),
        State::Running { pid } => (true, None, pid),
        State::Ended { code, .. } => (false, Some(code.into()), 0),
    };
    let (entrypoint, arguments) = match cmd.as_deref() {
        Some([program, arguments @ ..]) => (program.clone(), arguments.to_vec()),
        Some([]) | None => (String::new(), Vec::new()),
    };
    ExecInspect {
        id: exec.id.clone(),
        running,
        exit_code,
        process_config: ExecProcess {
            tty: *tty,
            entrypoint,
            arguments,
            privileged: Some(*privileged),
            user: user.clone(),
        },
        open_stdin: *attach_stdin,
        open_stderr: *attach_stderr,
        open_stdout: *attach_stdout,
        can_remove: exit_code.is_some(),
        container_id: exec.container.clone(),
        detach_keys: exec.keys.to_base64(),
        pid: pid.into(),
    }
}

/// Says why a command was not executed, and with which code it counts as ended.
fn not_executed(error: container::Error) -> (Error, i32) {
    match error {
        container::Error::Command { message, code } => (Error::invalid(message), code),
        other => (other.into(), NOT_EXECUTED),
    }
}

fn no_such_exec(id: &str) -> Error {
    Error::not_found(format!("No such exec instance: {id}"))
}

/// Writes a command as events tell it.
fn command_line(body: &ExecBody) -> String {
    match body.cmd.as_deref() {
        Some([program, arguments @ ..]) => format!("{program} {}", arguments.join(" ")),
        Some([]) | None => String::new(),
    }
}

pub(crate) fn new_id() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_terminal_has_a_kind_unless_somebody_names_one() {
        for (own, asked, tty, expected) in [
            ("PATH=/bin", "A=1", false, "A=1"),
            ("PATH=/bin", "A=1", true, "A=1 TERM=xterm"),
            ("TERM=vt100", "", true, ""),
            ("PATH=/bin", "TERM=linux", true, "TERM=linux"),
        ] {
            let spec = Spec { env: words(own), ..Spec::default() };
            let body = ExecBody { env: words(asked), tty, ..ExecBody::default() };
            assert_eq!(process(&spec, &body).env.join(" "), expected);
        }
    }

    #[test]
    fn a_command_is_described_as_docker_does() {
        let body = ExecBody { cmd: Some(words("ls -l /")), attach_stdout: true, ..ExecBody::default() };
        let exec = Exec::new("e1".into(), "c1".into(), body, DetachKeys::parse("ctrl-p,a").unwrap());

        let prepared = inspect(&exec);
        exec.state.send_replace(State::Running { pid: 42 });
        let running = inspect(&exec);
        exec.end(3);
        let ended = inspect(&exec);

        assert_eq!((prepared.running, prepared.exit_code, prepared.pid), (false, None, 0));
        assert_eq!((running.running, running.exit_code, running.pid), (true, None, 42));
        assert_eq!((ended.running, ended.exit_code, ended.can_remove), (false, Some(3), true));
        assert_eq!((&*ended.process_config.entrypoint, ended.process_config.arguments.len()), ("ls", 2));
        assert_eq!((ended.open_stdin, ended.open_stdout, &*ended.detach_keys), (false, true, "EGE="));
        assert_eq!(command_line(&exec.body), "ls -l /");
    }
}
