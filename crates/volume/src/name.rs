//! What volumes may be called.

use rand::RngCore;

use crate::Error;

/// The alphabet as Docker's message shows it.
const ALPHABET: &str = "[a-zA-Z0-9][a-zA-Z0-9_.-]";
/// The longest name of a file.
const BYTES_MAX: usize = 255;

/// Refuses names that no volume may have.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    let bad = |reason: String| Err(Error::BadName { name: name.to_owned(), reason });
    if name.len() == 1 {
        return bad("volume name is too short, names should be at least two alphanumeric characters".into());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(is_plain) {
        return bad(format!(
            "{name:?} includes invalid characters for a local volume name, only {ALPHABET:?} are allowed. \
             If you intended to pass a host directory, use absolute path"
        ));
    }
    if name.len() > BYTES_MAX {
        return bad(format!("volume name is too long, names may have {BYTES_MAX} characters"));
    }
    Ok(())
}

/// Returns a name that no other volume has: 64 hexadecimal digits.
pub(crate) fn anonymous() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_docker() {
        for name in ["mydata", "a1", "0_x.y-z", &anonymous(), &"x".repeat(255)] {
            assert!(check(name).is_ok(), "{name}");
        }
        let cases = [
            ("a", "create a: volume name is too short, names should be at least two alphanumeric characters"),
            (
                "a/b",
                "create a/b: \"a/b\" includes invalid characters for a local volume name, only \
                 \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path",
            ),
            (".hidden", "includes invalid characters"),
            ("..", "includes invalid characters"),
            ("", "includes invalid characters"),
            ("-x", "includes invalid characters"),
            ("ähm", "includes invalid characters"),
            (&"x".repeat(256), "too long"),
        ];
        for (name, expected) in cases {
            let text = check(name).unwrap_err().to_string();
            assert!(text.contains(expected), "{name}: {text}");
        }
        assert_eq!(anonymous().len(), 64);
    }
}
