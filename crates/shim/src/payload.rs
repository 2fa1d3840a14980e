//! The last steps before the container's program: find it, drop rights, load the filter, execute it.
//!
//! libcontainer calls this inside the container. What goes wrong is told to the shim through a pipe, in Docker's
//! words; the pipe closes by itself when the program is executed, so silence means success.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{FromRawFd, RawFd};
use std::path::{Path, PathBuf};

use libc::sock_filter;
use libcontainer::oci_spec::runtime::Spec as Document;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use nix::unistd::{AccessFlags, access, execve};
use privilege::capability::Set;

use crate::init::Part;
use crate::talk::Failure;
use crate::{Size, init, kernel};

/// Found, but not to be executed.
const CODE_NOT_EXECUTABLE: i32 = 126;
/// Not found.
const CODE_NOT_FOUND: i32 = 127;

/// Executes the program with the rights it shall have.
#[derive(Clone)]
pub(crate) struct Payload {
    /// The system-call filter; none loads none.
    pub filter: Option<Vec<sock_filter>>,
    /// What programs executed later may gain.
    pub bounding: Set,
    /// What the program holds.
    pub held: Set,
    /// Runs the program under the tiny first process.
    pub init: bool,
    /// Its standard streams are a terminal.
    pub has_terminal: bool,
    /// The size of its terminal at first.
    pub size: Option<Size>,
    /// The pipe to the shim.
    pub report: RawFd,
}

impl Executor for Payload {
    fn validate(&self, document: &Document) -> Result<(), ExecutorValidationError> {
        let told = |failure| ExecutorValidationError::ArgValidationError(self.tell(failure));
        look_up(&arguments(document)[0], &search_path(document)).map(drop).map_err(told)
    }

    fn exec(&self, document: &Document) -> Result<(), ExecutorError> {
        let told = |failure| ExecutorError::Other(self.tell(failure));
        let program = look_up(&arguments(document)[0], &search_path(document)).map_err(told)?;
        let broken = |doing: &'static str| {
            move |error: io::Error| Failure::Setup { reason: format!("{doing}: {error}") }
        };
        if let Some(size) = self.size {
            // Without a terminal there is nothing to be sized.
            let _ = kernel::set_window_size(&io::stdin(), size);
        }
        kernel::reset_signals();
        self.restrict().map_err(broken("restrict the program")).map_err(told)?;
        if self.init {
            let failed = broken("start the first process");
            match init::part(self.has_terminal).map_err(failed).map_err(told)? {
                Part::Program => {}
                Part::Init(child) => return Err(told(failed(init::execute(child, &arguments(document))))),
            }
        }
        kernel::die_with_parent().map_err(broken("bind the program to its shim")).map_err(told)?;
        Err(told(execute(&program, &arguments(document))))
    }
}

impl Payload {
    fn restrict(&self) -> io::Result<()> {
        let Some(filter) = &self.filter else { return Ok(()) };
        // SETPCAP last: dropping from the bounding set takes it.
        for helper in ["SYS_ADMIN", "SETPCAP"] {
            if !self.bounding.has(helper) {
                kernel::drop_bounding(helper)?;
            }
        }
        kernel::load_filter(filter)?;
        kernel::keep_capabilities(self.held)
    }

    /// Tells the shim and returns the words.
    fn tell(&self, failure: Failure) -> String {
        // SAFETY: the shim opened the descriptor for this and uses it nowhere else in this process.
        let mut pipe = std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(self.report) });
        let text = serde_json::to_string(&failure).expect("strings and numbers always have a JSON form");
        // If the shim is gone, nobody is left to be told.
        let _ = pipe.write_all(text.as_bytes());
        text
    }
}

fn arguments(document: &Document) -> Vec<String> {
    let args = document.process().as_ref().and_then(|process| process.args().clone());
    args.filter(|args| !args.is_empty()).unwrap_or_else(|| vec![String::new()])
}

fn search_path(document: &Document) -> String {
    let env = document.process().as_ref().and_then(|process| process.env().clone()).unwrap_or_default();
    env.iter().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or_default().to_owned()
}

/// Finds the program as Docker does, and says what is wrong as Docker does.
fn look_up(name: &str, search_path: &str) -> Result<PathBuf, Failure> {
    if name.contains('/') {
        let refuse =
            |code, cause: &str| Failure::Command { message: format!("exec: {name:?}: {cause}"), code };
        return match check(Path::new(name)) {
            Ok(()) => Ok(PathBuf::from(name)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(refuse(CODE_NOT_FOUND, &format!("stat {name}: no such file or directory")))
            }
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                Err(refuse(CODE_NOT_EXECUTABLE, "is a directory"))
            }
            Err(_) => Err(refuse(CODE_NOT_EXECUTABLE, "permission denied")),
        };
    }
    let mut found =
        search_path.split(':').map(|dir| Path::new(if dir.is_empty() { "." } else { dir }).join(name));
    found.find(|path| !name.is_empty() && check(path).is_ok()).ok_or_else(|| Failure::Command {
        message: format!("exec: {name:?}: executable file not found in $PATH"),
        code: CODE_NOT_FOUND,
    })
}

fn check(path: &Path) -> io::Result<()> {
    if path.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(access(path, AccessFlags::X_OK)?)
}

/// Replaces this process; returns only what went wrong.
fn execute(program: &Path, args: &[String]) -> Failure {
    let text = |value: &std::ffi::OsStr| CString::new(value.as_encoded_bytes().to_vec());
    let env = std::env::vars_os().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        text(&name)
    });
    let path = text(program.as_os_str());
    let args = args.iter().map(|arg| CString::new(arg.as_bytes()));
    let (Ok(path), Ok(args), Ok(env)) =
        (path, args.collect::<Result<Vec<_>, _>>(), env.collect::<Result<Vec<_>, _>>())
    else {
        return Failure::Command {
            message: "an argument holds a zero byte".into(),
            code: CODE_NOT_EXECUTABLE,
        };
    };
    let Err(errno) = execve(&path, &args, &env);
    let cause = io::Error::from(errno).to_string();
    let cause = cause.split(" (os error").next().unwrap_or_default().to_lowercase();
    let code = if errno == nix::errno::Errno::ENOENT { CODE_NOT_FOUND } else { CODE_NOT_EXECUTABLE };
    Failure::Command { message: format!("exec {}: {cause}", program.display()), code }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Result<&str, (&str, i32)>) {
        let found = look_up(name, "/nowhere:/bin");
        let expected = expected
            .map(PathBuf::from)
            .map_err(|(message, code)| Failure::Command { message: message.to_owned(), code });
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn programs_are_found_and_refused_in_dockers_words() {
        check("sh", Ok("/bin/sh"));
        check("/bin/sh", Ok("/bin/sh"));
        check("foo", Err(("exec: \"foo\": executable file not found in $PATH", 127)));
        check("", Err(("exec: \"\": executable file not found in $PATH", 127)));
        check("/foo", Err(("exec: \"/foo\": stat /foo: no such file or directory", 127)));
        check("/etc", Err(("exec: \"/etc\": is a directory", 126)));
        check("/etc/passwd", Err(("exec: \"/etc/passwd\": permission denied", 126)));
    }
}
