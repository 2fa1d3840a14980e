//! Ids: 128 random bits, written as 25 base36 characters as Swarm does.

use std::fmt;
use std::str::FromStr;

/// How many characters a written id has.
const WIDTH: usize = 25;
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id: an id has 25 characters, digits and lower-case letters")]
pub struct NotAnId(pub String);

fn write(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [b'0'; WIDTH];
    let mut rest = bits;
    for place in text.iter_mut().rev() {
        *place = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    f.write_str(std::str::from_utf8(&text).expect("every digit is ASCII"))
}

fn read(text: &str) -> Result<u128, NotAnId> {
    let refuse = || NotAnId(text.chars().take(64).collect());
    if text.len() != WIDTH {
        return Err(refuse());
    }
    text.bytes().try_fold(0u128, |bits, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            _ => return Err(refuse()),
        };
        bits.checked_mul(36).and_then(|bits| bits.checked_add(digit.into())).ok_or_else(refuse)
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// Makes an id of 128 random bits.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// Returns the 128 bits.
            pub const fn bits(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                read(text).map(Self)
            }
        }
    };
}

id!(
    /// Names one node.
    NodeId
);
id!(
    /// Names one service.
    ServiceId
);
id!(
    /// Names one task.
    TaskId
);
id!(
    /// Names one network of the cluster.
    NetworkId
);
id!(
    /// Names the cluster.
    ClusterId
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn written_and_read_back_is_the_same(bits in any::<u128>()) {
            let id = TaskId::from_bits(bits);

            prop_assert_eq!(id.to_string().len(), 25);
            prop_assert_eq!(id.to_string().parse::<TaskId>(), Ok(id));
        }

        #[test]
        fn text_order_is_bit_order(a in any::<u128>(), b in any::<u128>()) {
            prop_assert_eq!(a.cmp(&b), NodeId::from_bits(a).to_string().cmp(&NodeId::from_bits(b).to_string()));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "abc", "zzzzzzzzzzzzzzzzzzzzzzzzz", "ABCDEFGHIJKLMNOPQRSTUVWXY", "000000000000000000000000é"]
        {
            assert!(text.parse::<TaskId>().is_err(), "{text}");
        }
    }
}
