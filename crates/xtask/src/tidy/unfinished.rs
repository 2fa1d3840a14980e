//! What is committed is finished.

use super::tree::Tree;
use super::{Breach, Law, Weight};

pub const LAW: Law = Law {
    name: "unfinished",
    says: "nothing unfinished is committed: no note to do something later, no placeholder, no test that is left out",
    weight: Weight::Error,
    check,
};

/// Notes, wherever they stand. Put together here so that this file does not find itself.
pub const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// Placeholders, in code.
const PLACEHOLDERS: &[&str] = &["todo!", "unimplemented!", "#[ignore"];

fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in tree.crates.iter().flat_map(|each| &each.sources) {
        let mut breach = |line, found: &str| {
            breaches.push(Breach { file: source.path.clone(), line, what: format!("`{found}`") });
        };
        for (index, text) in source.text.lines().enumerate() {
            NOTES.iter().filter(|note| is_note(text, note)).for_each(|note| breach(index + 1, note));
        }
        for (line, code) in source.code() {
            PLACEHOLDERS.iter().filter(|found| code.contains(**found)).for_each(|found| breach(line, found));
        }
    }
    breaches
}

/// Names of temporary files, such as `name.XXXXXX`, hold one of the words too.
fn is_note(text: &str, note: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(note).any(|(at, _)| {
        !is_letter(text[..at].chars().next_back()) && !is_letter(text[at + note.len()..].chars().next())
    })
}
