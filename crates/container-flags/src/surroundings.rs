//! What flags refer to on the client's side.

use std::path::{Path, PathBuf};

/// What flags refer to on the client's side.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Looks up a variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Where relative paths begin.
    pub directory: &'a Path,
}

impl Surroundings<'_> {
    /// Completes a path that begins with a dot; others are not the client's to change.
    pub(crate) fn absolute(&self, path: &str) -> String {
        if !path.starts_with('.') {
            return path.to_owned();
        }
        let mut whole = PathBuf::new();
        for part in self.directory.join(path).components() {
            match part {
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir => {
                    whole.pop();
                }
                part => whole.push(part),
            }
        }
        whole.to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_a_dot_begin_at_the_working_directory() {
        let here = Surroundings { variable: &|_| None, directory: Path::new("/a/b") };

        for (path, whole) in [
            (".", "/a/b"),
            ("./x/", "/a/b/x"),
            ("../x", "/a/x"),
            (".hidden/../y", "/a/b/y"),
            ("name", "name"),
            ("/x/../y", "/x/../y"),
        ] {
            assert_eq!(here.absolute(path), whole, "{path}");
        }
    }
}
