//! Texts cut to fit, as the docker CLI cuts them.

/// How many characters of an id are shown.
const ID_CHARACTERS: usize = 12;

/// Returns the first so many characters.
pub fn cut(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

/// Returns at most so many characters, the last of which tells that there are more.
pub fn cut_with_dots(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    format!("{}…", cut(text, characters.saturating_sub(1)))
}

/// Returns the short form of an id or a digest.
pub fn short_id(id: &str) -> &str {
    cut(id.strip_prefix("sha256:").unwrap_or(id), ID_CHARACTERS)
}

/// Writes the first letter large.
pub fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_characters() {
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut_with_dots("äöü", 2), "ä…");
        assert_eq!(cut_with_dots("äöü", 3), "äöü");
        assert_eq!(short_id("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(capitalized("running"), "Running");
    }
}
