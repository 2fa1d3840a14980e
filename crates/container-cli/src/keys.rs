//! The keys that leave a container without ending it.

use anyhow::{Result, bail};

/// What leaves unless the user chooses: ctrl-p, ctrl-q.
const DEFAULT: [u8; 2] = [16, 17];

/// A watch for the keys that leave a container without ending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    sequence: Vec<u8>,
    /// How many of them have been typed.
    typed: usize,
}

/// What typed bytes mean.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// These are for the container.
    Plain(Vec<u8>),
    /// These are, and then the user leaves.
    Leaving(Vec<u8>),
}

impl Keys {
    /// Reads keys such as `ctrl-p,ctrl-q` or `ctrl-a,d`; nothing means the default.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self { sequence: DEFAULT.to_vec(), typed: 0 });
        }
        let mut sequence = Vec::new();
        for key in text.split(',') {
            match key.as_bytes() {
                [byte] => sequence.push(*byte),
                [b'c', b't', b'r', b'l', b'-', byte @ b'a'..=b'z'] => sequence.push(byte - b'a' + 1),
                [b'c', b't', b'r', b'l', b'-', byte @ (b'@' | b'['..=b'_')] => sequence.push(byte - b'@'),
                _ => bail!("invalid detach keys ({text}): Unknown character: '{key}'"),
            }
        }
        Ok(Self { sequence, typed: 0 })
    }

    /// Takes what is typed. Keys that may be the beginning are held back until it is clear that they are not.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Typed {
        let mut plain = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if *byte != self.sequence[self.typed] {
                plain.extend(&self.sequence[..self.typed]);
                self.typed = 0;
            }
            if *byte != self.sequence[self.typed] {
                plain.push(*byte);
                continue;
            }
            self.typed += 1;
            if self.typed == self.sequence.len() {
                self.typed = 0;
                return Typed::Leaving(plain);
            }
        }
        Typed::Plain(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_in_docker() {
        for (text, sequence) in [
            ("", &[16, 17][..]),
            ("ctrl-a", &[1]),
            ("ctrl-a,d", &[1, b'd']),
            ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", &[0, 27, 28, 29, 30, 31]),
        ] {
            assert_eq!(Keys::parse(text).unwrap().sequence, sequence, "{text}");
        }
        for bad in ["ctrl-", "ctrl-A", "aa", "a,", "ctrl-1"] {
            assert!(Keys::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_whole_sequence_leaves() {
        let typed = |pieces: &[&[u8]]| {
            let mut keys = Keys::parse("").unwrap();
            let mut all = Vec::new();
            for piece in pieces {
                match keys.feed(piece) {
                    Typed::Plain(plain) => all.extend(plain),
                    Typed::Leaving(plain) => {
                        all.extend(plain);
                        return (all, true);
                    }
                }
            }
            (all, false)
        };

        assert_eq!(typed(&[b"ls\n"]), (b"ls\n".to_vec(), false));
        assert_eq!(typed(&[b"a\x10\x11b"]), (b"a".to_vec(), true));
        assert_eq!(typed(&[b"\x10", b"\x11"]), (vec![], true));
        assert_eq!(typed(&[b"\x10", b"x"]), (b"\x10x".to_vec(), false));
        assert_eq!(typed(&[b"\x10\x10\x11"]), (b"\x10".to_vec(), true));
    }
}
