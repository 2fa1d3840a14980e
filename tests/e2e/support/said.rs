//! What a command said.

use std::process::{Command, Output, Stdio};

/// How a command ended and what it printed.
#[derive(Debug)]
pub struct Said {
    what: String,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Runs a command to its end.
    pub fn by(command: &mut Command) -> Self {
        let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
        let what = words.collect::<Vec<_>>().join(" ");
        let output = command.stdin(Stdio::null()).output();
        Self::of(what.clone(), &output.unwrap_or_else(|error| panic!("{what}: {error}")))
    }

    fn of(what: String, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Self { what, code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Tells whether the command succeeded.
    pub fn is_ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Returns what was printed by a command that must succeed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.is_ok(), "`{}` failed with {:?}: {}\n{}", self.what, self.code, self.err, self.out);
        self.out
    }

    /// Returns what a command printed, or its error as a reason.
    pub fn tried(self) -> Result<String, String> {
        if self.is_ok() { Ok(self.out) } else { Err(format!("`{}`: {}", self.what, self.err)) }
    }

    /// Demands a failure whose text has these words, and returns the text.
    #[track_caller]
    pub fn refused(self, words: &[&str]) -> String {
        assert!(!self.is_ok(), "`{}` succeeded, but must be refused: {}", self.what, self.out);
        for part in words {
            assert!(self.err.contains(part), "`{}` should say {part:?}, but says: {}", self.what, self.err);
        }
        assert!(!self.err.contains("panicked"), "`{}` panicked: {}", self.what, self.err);
        self.err
    }

    /// Demands that the printed text has these words.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> String {
        let what = self.what.clone();
        let out = self.ok();
        for part in words {
            assert!(out.contains(part), "`{what}` should print {part:?}, but prints:\n{out}");
        }
        out
    }
}
