//! One of the command lines that a story is told with.

use std::path::{Path, PathBuf};

use super::lab::Lab;
use super::said::Said;
use super::wait::eventually;

/// A command line on a host: `drover`, or the unmodified `docker`.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    pub lab: &'a Lab,
    pub host: &'a str,
    pub program: &'a str,
}

impl<'a> Client<'a> {
    /// Returns both command lines of a host.
    pub fn both(lab: &'a Lab, host: &'a str) -> [Self; 2] {
        ["drover", "docker"].map(|program| Self { lab, host, program })
    }

    /// Runs a command; the words are split as a shell does, with single quotes.
    pub fn run(&self, words: &str) -> Said {
        self.lab.program(self.host, self.program, words)
    }

    /// Loads the image of a recipe in `tests/images`.
    #[track_caller]
    pub fn load(&self, image: &str) {
        self.run(&format!("load -i {}", archive(image).display())).says(&["Loaded image"]);
    }

    /// Runs a command until what it prints has these words, and returns it.
    #[track_caller]
    pub fn until_says(&self, seconds: u64, words: &str, part: &str) -> String {
        let what = format!("`{} {words}` prints {part:?}", self.program);
        let look = || {
            let said = self.run(words);
            let all = format!("{}\n{}", said.out, said.err);
            if all.contains(part) { Ok(said.out) } else { Err(all) }
        };
        eventually(seconds, &what, look).0
    }

    /// Asks a port of the host until the answer has these words, and returns it.
    #[track_caller]
    pub fn until_serves(&self, port: u16, part: &str) -> String {
        let look = || {
            let said = self
                .lab
                .sh(self.host, &format!("curl -s -m 2 -w ' %{{http_code}}' http://127.0.0.1:{port}/"));
            if said.out.contains(part) { Ok(said.out) } else { Err(format!("{said:?}")) }
        };
        eventually(20, &format!("port {port} serves {part:?}"), look).0
    }
}

/// Returns the archive of a recipe's image, built before the stories are told.
pub fn archive(image: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let beside = |folder: &Path| folder.join("images").join(format!("{image}.tar"));
    let found = own.ancestors().map(beside).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("no archive of image {image}: `cargo xtask image {image}` builds it"))
}
