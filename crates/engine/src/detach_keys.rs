//! The keys that end a session and leave the program running.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::Error;

const DELETE: u8 = 127;

/// A sequence of keys to type, such as `ctrl-p,ctrl-q`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DetachKeys(Vec<u8>);

impl Default for DetachKeys {
    fn default() -> DetachKeys {
        // ctrl-p, ctrl-q
        DetachKeys(vec![16, 17])
    }
}

impl DetachKeys {
    /// Reads Docker's notation; an empty text stands for the default.
    pub(crate) fn parse(text: &str) -> Result<DetachKeys, Error> {
        if text.is_empty() {
            return Ok(DetachKeys::default());
        }
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        let refuse = || Error::invalid(format!("Invalid detach keys ({text}) provided"));
        keys.map(DetachKeys).ok_or_else(refuse)
    }

    /// Returns what is typed to detach, in base64.
    pub(crate) fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(&self.0)
    }
}

fn key(text: &str) -> Option<u8> {
    if let [key] = text.as_bytes() {
        return Some(*key);
    }
    if text == "DEL" {
        return Some(DELETE);
    }
    let [key @ (b'@' | b'a'..=b'z' | b'['..=b'_')] = text.strip_prefix("ctrl-")?.as_bytes() else {
        return None;
    };
    // What a terminal sends for ctrl and a key is the key's place among 32.
    Some(key & 0x1f)
}

/// Looks for the keys in what is typed, however it is cut into pieces.
#[derive(Debug)]
pub(crate) struct Scanner {
    keys: DetachKeys,
    /// The beginning of the keys that was typed last, kept back.
    held: Vec<u8>,
}

/// What became of a piece of input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// To be passed on.
    Pass(Vec<u8>),
    /// To be passed on before the session ends, since the keys were typed.
    Detached(Vec<u8>),
}

impl Scanner {
    pub(crate) fn new(keys: DetachKeys) -> Scanner {
        Scanner { keys, held: Vec::new() }
    }

    pub(crate) fn scan(&mut self, input: &[u8]) -> Scanned {
        let mut pass = Vec::with_capacity(input.len() + self.held.len());
        for byte in input {
            self.held.push(*byte);
            while !self.keys.0.starts_with(&self.held) {
                pass.push(self.held.remove(0));
            }
            if self.held.len() == self.keys.0.len() {
                return Scanned::Detached(pass);
            }
        }
        Scanned::Pass(pass)
    }

    /// Returns what is still kept back when the input has ended.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_dockers_notation() {
        for (text, expected) in [
            ("", &[16, 17][..]),
            ("ctrl-p,ctrl-q", &[16, 17]),
            ("a", b"a"),
            ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", &[0, 27, 28, 29, 30, 31]),
            ("x,DEL,Z", &[b'x', 127, b'Z']),
        ] {
            assert_eq!(DetachKeys::parse(text).unwrap().0, expected, "{text}");
        }
        for text in ["ctrl-", "ctrl-A", "ctrl-pp", "alt-x", "a,", "é"] {
            let refused = DetachKeys::parse(text).unwrap_err();
            assert_eq!(refused.text(), format!("Invalid detach keys ({text}) provided"));
        }
    }

    #[test]
    fn keys_are_found_however_input_is_cut() {
        // P and Q stand for the keys; an exclamation mark for the end of the session.
        for (pieces, expected) in [
            (&["abc"][..], "abc"),
            (&["P", "Q"], "!"),
            (&["aPQb"], "a!"),
            (&["a", "P", "b"], "aPb"),
            (&["PPQ"], "P!"),
            (&["P", "P", "Q"], "P!"),
            (&["QP"], "QP"),
            (&["PaPQ"], "Pa!"),
        ] {
            let mut scanner = Scanner::new(DetachKeys::parse("P,Q").unwrap());
            let mut seen = String::new();
            for piece in pieces {
                match scanner.scan(piece.as_bytes()) {
                    Scanned::Pass(bytes) => seen += &String::from_utf8(bytes).unwrap(),
                    Scanned::Detached(bytes) => {
                        seen += &format!("{}!", String::from_utf8(bytes).unwrap());
                        scanner.rest();
                        break;
                    }
                }
            }
            seen += &String::from_utf8(scanner.rest()).unwrap();
            assert_eq!(seen, expected, "{pieces:?}");
        }
    }
}
