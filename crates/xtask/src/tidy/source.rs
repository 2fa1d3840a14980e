//! One Rust file, taken apart as far as the laws need it: what is code, and what is test.

use std::path::{Path, PathBuf};

/// One Rust file.
pub struct Source {
    /// Where it is, below the repository.
    pub path: PathBuf,
    /// The file as it is.
    pub text: String,
    /// The file with comments and the insides of text literals blanked, line by line.
    code: Vec<String>,
    is_test: Vec<bool>,
}

impl Source {
    /// Takes a file apart.
    pub fn new(path: PathBuf, text: String) -> Self {
        let blanked = blank(&text);
        let code: Vec<String> = blanked.lines().map(str::to_owned).collect();
        let is_test = if is_test_path(&path) { vec![true; code.len()] } else { test_lines(&blanked) };
        Self { path, text, code, is_test }
    }

    /// Returns every line of code with its number.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().enumerate().map(|(index, line)| (index + 1, line.as_str()))
    }

    /// Returns every line of code outside of tests with its number.
    pub fn own_code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().filter(|(number, _)| !self.is_test[number - 1])
    }

    /// Returns how many lines with code there are outside of tests.
    pub fn own_code_lines(&self) -> usize {
        self.own_code().filter(|(_, line)| !line.trim().is_empty()).count()
    }

    /// Counts all lines outside of tests: code, comments and blanks.
    pub fn own_lines(&self) -> usize {
        self.is_test.iter().filter(|is_test| !**is_test).count()
    }

    /// Declares the whole file to be for tests.
    pub fn mark_as_test(&mut self) {
        self.is_test.fill(true);
    }

    /// Returns the modules that this file declares for tests only: a file each, or a name without an ending.
    pub fn test_modules(&self) -> Vec<PathBuf> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let is_root = ["lib.rs", "main.rs", "mod.rs"].iter().any(|root| self.path.ends_with(root));
        let below = if is_root { folder.to_owned() } else { self.path.with_extension("") };
        let mut modules = Vec::new();
        let lines: Vec<&str> = self.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let is_in_test_file = self.is_test[index];
            let Some(name) = declared_module(line) else { continue };
            if !is_in_test_file {
                continue;
            }
            let path =
                lines[..index].iter().rev().take(2).find_map(|line| line.trim().strip_prefix("#[path = "));
            match path {
                Some(path) => modules.push(folder.join(path.trim_matches(['"', ']']))),
                None => modules.push(below.join(name)),
            }
        }
        modules
    }
}

/// Returns whether a word stands alone in a line of code.
pub fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let joins = |c: Option<char>| c.is_some_and(is_part);
        let is_open_left = word.starts_with(is_part) && joins(before.chars().next_back());
        let is_open_right = word.ends_with(is_part) && joins(after.chars().next());
        !is_open_left && !is_open_right
    })
}

fn declared_module(line: &str) -> Option<&str> {
    let line = line.trim();
    let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    line.strip_prefix("mod ")?.strip_suffix(';')
}

fn is_test_path(path: &Path) -> bool {
    path.components()
        .any(|part| ["tests", "benches", "examples"].iter().any(|folder| part.as_os_str() == *folder))
}

/// Marks the lines of items below `#[cfg(test)]`.
fn test_lines(blanked: &str) -> Vec<bool> {
    let mut is_test = vec![false; blanked.lines().count()];
    for marker in ["#[cfg(test)]", "#[cfg(all(test"] {
        for (start, _) in blanked.match_indices(marker) {
            let end = item_end(blanked, start + marker.len());
            let (first, last) = (line_of(blanked, start), line_of(blanked, end));
            is_test.iter_mut().take(last + 1).skip(first).for_each(|line| *line = true);
        }
    }
    is_test
}

/// Returns where the item after an attribute ends: at its semicolon, or at the bracket that closes its body.
fn item_end(blanked: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in blanked[from..].bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return from + offset,
            b'}' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return from + offset,
            _other => {}
        }
    }
    blanked.len()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].bytes().filter(|byte| *byte == b'\n').count()
}

/// Blanks comments and the insides of text and character literals; lines stay where they are.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, is_hidden) = match token(rest, out.chars().next_back()) {
            Some(length) => (length, true),
            None => (first.len_utf8(), false),
        };
        let (piece, after) = rest.split_at(length);
        if is_hidden {
            out.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            out.push_str(piece);
        }
        rest = after;
    }
    out
}

/// Returns the length of the comment or literal that begins here, if one does.
fn token(rest: &str, before: Option<char>) -> Option<usize> {
    let up_to =
        |end: &str, skip: usize| rest[skip..].find(end).map_or(rest.len(), |at| skip + at + end.len());
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(up_to("*/", 2));
    }
    let is_in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if let Some(raw) = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r')).filter(|_| !is_in_word) {
        let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
        if raw[hashes..].starts_with('"') {
            let skip = rest.len() - raw.len() + hashes + 1;
            return Some(up_to(&format!("\"{}", "#".repeat(hashes)), skip));
        }
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, b'"'));
    }
    // A lifetime begins like a character, but no quote closes it.
    let is_character = rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'');
    if rest.starts_with('\'') && is_character {
        return Some(quoted(rest, b'\''));
    }
    None
}

fn quoted(rest: &str, quote: u8) -> usize {
    let mut is_escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _any if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            byte if byte == quote => return at + 1,
            _other => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let blanked = blank(text);
        assert_eq!(blanked.lines().count(), text.lines().count(), "lines stay where they are");
        blanked.split_whitespace().collect()
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        assert_eq!(code("a(\"tokio\", \"\\\"tokio\"); // tokio"), "a(,);");
        assert_eq!(code("b(r#\"x\" tokio\"#, 'x', '\\'', b\"tokio\")"), "b(,,,b)");
        assert_eq!(code("fn c<'a>(x: &'a str) /* tokio\ntokio */ {}"), "fnc<'a>(x:&'astr){}");
    }

    #[test]
    fn what_follows_cfg_test_is_test() {
        let source = Source::new(
            "crates/x/src/a.rs".into(),
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod sim;\n"
                .into(),
        );

        let own: Vec<usize> = source.own_code().map(|(number, _)| number).collect();
        assert_eq!(own, [1, 6]);
        assert_eq!(source.test_modules(), [PathBuf::from("crates/x/src/a/sim")]);
    }

    #[test]
    fn a_path_attribute_names_the_test_file() {
        let text = "#[cfg(test)]\n#[path = \"create_tests.rs\"]\nmod tests;\n";
        let source = Source::new("crates/x/src/service/create.rs".into(), text.into());

        assert_eq!(source.test_modules(), [PathBuf::from("crates/x/src/service/create_tests.rs")]);
    }

    #[test]
    fn words_stand_alone() {
        assert!(has_word("use tokio::sync;", "tokio") && has_word("x.await?", ".await"));
        assert!(!has_word("my_tokio::x", "tokio") && !has_word("tokios", "tokio"));
    }
}
