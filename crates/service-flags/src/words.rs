//! Cutting values of flags into words.

use flags::{Result, refuse};

/// Cuts a command as a shell would: at spaces, with quotes and backslashes.
pub(crate) fn shell(text: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (Some('"') | None, '\\') => {
                let Some(next) = chars.next() else {
                    return refuse(format!("unterminated escape in {text:?}"));
                };
                word.get_or_insert_default().push(next);
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return refuse(format!("unterminated quote in {text:?}"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_cut_as_by_a_shell() {
        for (text, words) in [
            ("sh -c 'echo a b'", vec!["sh", "-c", "echo a b"]),
            ("", vec![]),
            ("a \"b \\\" c\" d\\ e ''", vec!["a", "b \" c", "d e", ""]),
        ] {
            assert_eq!(shell(text).unwrap(), words, "{text}");
        }
        assert!(shell("'a").is_err());
        assert!(shell("a\\").is_err());
    }
}
