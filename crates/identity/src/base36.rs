//! Big-endian numbers written with the digits `0-9a-z`, as ids and tokens are.

use rand::RngCore;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Returns the number in `bytes`, padded with zeros to `width` digits.
pub(crate) fn encode(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::from(divide(&mut number))];
    }
    debug_assert!(number.iter().all(|byte| *byte == 0), "the width holds every number of this length");
    digits.into_iter().map(char::from).collect()
}

/// Returns the `N` bytes that `text` stands for, or nothing if a digit is wrong or they do not fit.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut number = [0u8; N];
    for character in text.bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == character)?;
        let mut carry = u32::try_from(digit).expect("a digit is below 36");
        for byte in number.iter_mut().rev() {
            let sum = u32::from(*byte) * 36 + carry;
            *byte = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(number)
}

/// Returns a fresh object id: 16 random bytes as 25 base-36 digits.
pub fn random_id() -> String {
    let mut bytes = [0u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    encode(&bytes, 25)
}

/// Divides `number` by 36 in place and returns the remainder.
fn divide(number: &mut [u8]) -> u8 {
    let mut remainder = 0u32;
    for byte in number {
        let value = remainder << 8 | u32::from(*byte);
        *byte = (value / 36) as u8;
        remainder = value % 36;
    }
    remainder as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decoding_undoes_encoding(bytes: [u8; 32]) {
            prop_assert_eq!(decode::<32>(&encode(&bytes, 50)), Some(bytes));
        }
    }

    #[test]
    fn known_numbers_have_known_digits() {
        assert_eq!(encode(&[0, 35], 3), "00z");
        assert_eq!(encode(&[1, 0], 3), "074");
        assert_eq!(encode(&[0xff; 16], 25), "f5lxx1zz5pnorynqglhzmsp33");
    }

    #[test]
    fn number_too_large_or_misspelt_is_refused() {
        assert_eq!(decode::<1>("74"), None);
        assert_eq!(decode::<1>("73"), Some([255]));
        assert_eq!(decode::<16>(&"z".repeat(25)), None);
        assert_eq!(decode::<2>("0A"), None);
        assert_eq!(decode::<2>("é"), None);
    }

    #[test]
    fn random_ids_are_25_digits_and_differ() {
        let id = random_id();

        assert_eq!(id.len(), 25);
        assert!(id.bytes().all(|byte| DIGITS.contains(&byte)));
        assert_ne!(id, random_id());
    }
}
