//! The unmodified `docker` client.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Host, PATIENCE};

/// The client, with its own empty configuration, talking to one host.
pub struct Docker {
    program: PathBuf,
    host: String,
    config: TempDir,
}

/// What a run of the client gave.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Docker {
    pub fn on(host: &Host) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/local/bin")]);
        let program = folders.map(|folder| folder.join("docker")).find(|program| Path::is_file(program));
        let program =
            program.expect("this test needs the docker client: apt-get install docker.io (or docker-cli)");
        let config = tempfile::tempdir().unwrap();
        Self { program, host: format!("unix://{}", host.socket.display()), config }
    }

    /// Runs the client with words separated by spaces, to its end.
    pub async fn try_run(&self, words: &str) -> Ran {
        let child = self.start(words);
        let output = timeout(PATIENCE, child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("docker {words} does not end")).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs the client, which must succeed, and returns what it printed.
    pub async fn run(&self, words: &str) -> String {
        let ran = self.try_run(words).await;
        assert_eq!(ran.code, 0, "docker {words}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// Runs the client, which must succeed, with this on its standard input.
    pub async fn run_and_answer(&self, words: &str, answer: &str) -> String {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(answer.as_bytes()).await.unwrap();
        let output = timeout(PATIENCE, child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("docker {words} does not end")).unwrap();
        assert!(output.status.success(), "docker {words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the client; it is killed when dropped.
    pub fn start(&self, words: &str) -> Child {
        self.command(words).spawn().unwrap()
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(words.split(' '))
            .env_clear()
            .env("DOCKER_HOST", &self.host)
            .env("DOCKER_CONFIG", self.config.path())
            .env("HOME", self.config.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}
