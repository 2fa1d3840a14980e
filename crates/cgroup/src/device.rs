//! What may be done with which devices.

use std::fmt;
use std::str::FromStr;

/// The kind of a device node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It holds blocks, such as a disk.
    Block,
    /// It is read and written as a stream.
    Character,
}

impl Kind {
    /// Returns the letter of rules.
    pub fn letter(self) -> char {
        match self {
            Kind::Block => 'b',
            Kind::Character => 'c',
        }
    }
}

/// What may be done with a device: read, write and make, one bit each as the kernel has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(u8);

impl Access {
    const LETTERS: [(char, u8); 3] = [('r', 2), ('w', 4), ('m', 1)];
    /// Everything.
    pub const ALL: Access = Access(7);

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// Reads some of `r`, `w` and `m`.
    pub fn parse(text: &str) -> Option<Access> {
        let bit = |letter| Access::LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, bit)| bit);
        let bits = text.chars().try_fold(0, |bits, letter| bit(letter).map(|bit| bits | bit))?;
        (bits != 0 && text.len() <= 3).then_some(Access(bits))
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Access::LETTERS.iter().filter(|(_, bit)| self.0 & bit != 0);
        held.clone().try_for_each(|(letter, _)| write!(f, "{letter}"))
    }
}

/// Allows something with some devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// None means both.
    pub kind: Option<Kind>,
    /// None means any.
    pub major: Option<u32>,
    /// None means any.
    pub minor: Option<u32>,
    /// What is allowed.
    pub access: Access,
}

impl FromStr for Rule {
    type Err = String;

    /// Reads what Docker takes for `--device-cgroup-rule`, such as `c 13:* rw`.
    fn from_str(text: &str) -> Result<Rule, String> {
        let number = |text: &str| match text {
            "*" => Some(None),
            digits if digits.chars().all(|c| c.is_ascii_digit()) => digits.parse().ok().map(Some),
            _ => None,
        };
        let parsed = || {
            let [kind, numbers, access] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
            let kind = match kind {
                "a" => None,
                "b" => Some(Kind::Block),
                "c" => Some(Kind::Character),
                _ => return None,
            };
            let (major, minor) = numbers.split_once(':')?;
            Some(Rule { kind, major: number(major)?, minor: number(minor)?, access: Access::parse(access)? })
        };
        parsed().ok_or_else(|| format!("invalid device cgroup rule format: '{text}'"))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
        let Rule { kind, major, minor, access } = *self;
        write!(f, "{} {}:{} {access}", kind.map_or('a', Kind::letter), number(major), number(minor))
    }
}

/// What the processes of a cgroup may do with devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Devices {
    /// Everything.
    All,
    /// What one of these rules allows.
    Only(Vec<Rule>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_written_as_docker_does() {
        for text in ["c 13:* rw", "b 8:1 m", "a *:* rwm", "c *:7 r"] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        for text in
            ["c 13:* x", "d 1:1 r", "c 1 r", "c 1:1", "c -1:1 r", "c 1:1 rwmr", "c 1:1 ", "", "c :1 r"]
        {
            let refused = text.parse::<Rule>().unwrap_err();
            assert_eq!(refused, format!("invalid device cgroup rule format: '{text}'"));
        }
    }
}
