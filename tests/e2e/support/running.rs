//! A program that runs beside a story.

use std::process::{Child, Command, Stdio};

/// A program that ends with the story at the latest.
pub struct Running(Child);

impl Running {
    /// Starts a program that says nothing.
    pub fn start(mut command: Command) -> Self {
        Self::printing(command.stdout(Stdio::null()))
    }

    /// Starts a program whose output was sent somewhere.
    pub fn printing(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The lab may have ended it already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
