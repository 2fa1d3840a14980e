//! The patterns of `--filter name=`, as far as people write them.

/// Claims that a pattern is found in a text: `^` and `$` are its ends, `.` is any character, and `*`, `+` and
/// `?` say how often the character before them comes. All else stands for itself.
pub(crate) fn is_in(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    match pattern.split_first() {
        Some(('^', rest)) => begins(rest, &text),
        _ => (0..=text.len()).any(|from| begins(&pattern, &text[from..])),
    }
}

fn begins(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => true,
        ['$'] => text.is_empty(),
        [one, how_often @ ('*' | '+' | '?'), rest @ ..] => {
            let (least, most) = match how_often {
                '*' => (0, text.len()),
                '+' => (1, text.len()),
                _ => (0, 1),
            };
            let fitting = text.iter().take(most).take_while(|other| is_like(*one, **other)).count();
            (least..=fitting).any(|used| begins(rest, &text[used..]))
        }
        ['\\', one, rest @ ..] => text.first() == Some(one) && begins(rest, &text[1..]),
        [one, rest @ ..] => {
            text.first().is_some_and(|other| is_like(*one, *other)) && begins(rest, &text[1..])
        }
    }
}

fn is_like(one: char, other: char) -> bool {
    one == '.' || one == other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_found() {
        for (pattern, text, expected) in [
            ("web", "my-web-1", true),
            ("", "web", true),
            ("^web", "my-web", false),
            ("^web$", "web", true),
            ("^web$", "web-1", false),
            ("^/web$", "/web", true),
            ("web.*1$", "web-a-1", true),
            ("w.b", "wub", true),
            ("^a+b?$", "aaab", true),
            ("^a+b?$", "b", false),
            ("a\\.b", "axb", false),
            ("a\\.b", "a.b", true),
            ("*", "a*", true),
        ] {
            assert_eq!(is_in(pattern, text), expected, "{pattern} in {text}");
        }
    }
}
