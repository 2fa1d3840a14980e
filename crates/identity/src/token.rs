//! Join tokens: the digest of the cluster's root certificate and a secret for one role.

use std::fmt;
use std::str::FromStr;

use rand::RngCore;

use crate::base36;
use crate::root::RootCa;

const PREFIX: &str = "SWMTKN-1-";
const DIGEST_DIGITS: usize = 50;
const SECRET_DIGITS: usize = 25;

/// What a newcomer shows to be admitted, and checks the cluster's root certificate against.
#[derive(Clone)]
pub struct JoinToken {
    root_digest: [u8; 32],
    secret: [u8; 16],
}

/// Tells that a text is not a join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid join token")]
pub struct InvalidToken;

impl JoinToken {
    /// Returns the token for a root digest and a secret.
    pub fn new(root_digest: [u8; 32], secret: [u8; 16]) -> Self {
        Self { root_digest, secret }
    }

    /// Returns a token for `root` with a secret nobody has seen.
    pub fn generate(root: &RootCa) -> Self {
        let mut secret = [0u8; 16];
        rand::rng().fill_bytes(&mut secret);
        Self::new(root.digest(), secret)
    }

    /// Returns the SHA-256 of the root certificate the token belongs to.
    pub fn root_digest(&self) -> &[u8; 32] {
        &self.root_digest
    }

    /// Tells whether both tokens are the same, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        let digests = self.root_digest.iter().zip(&other.root_digest);
        let secrets = self.secret.iter().zip(&other.secret);
        let difference = digests.chain(secrets).fold(0u8, |sum, (mine, theirs)| sum | (mine ^ theirs));
        std::hint::black_box(difference) == 0
    }
}

impl FromStr for JoinToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let (digest, secret) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')).ok_or(InvalidToken)?;
        if digest.len() != DIGEST_DIGITS || secret.len() != SECRET_DIGITS {
            return Err(InvalidToken);
        }
        Ok(Self {
            root_digest: base36::decode(digest).ok_or(InvalidToken)?,
            secret: base36::decode(secret).ok_or(InvalidToken)?,
        })
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = base36::encode(&self.root_digest, DIGEST_DIGITS);
        let secret = base36::encode(&self.secret, SECRET_DIGITS);
        write!(f, "{PREFIX}{digest}-{secret}")
    }
}

/// Leaves the secret out, so that no log can carry it.
impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken({PREFIX}{}-…)", base36::encode(&self.root_digest, DIGEST_DIGITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_printed_token_reads_back(digest: [u8; 32], secret: [u8; 16]) {
            let token = JoinToken::new(digest, secret);
            let text = token.to_string();

            prop_assert_eq!(text.len(), 9 + 50 + 1 + 25);
            prop_assert!(text.parse::<JoinToken>().unwrap().matches(&token));
        }

        #[test]
        fn any_text_is_read_or_refused_but_never_panics(text in ".{0,120}") {
            let _ = text.parse::<JoinToken>();
        }

        #[test]
        fn one_changed_digit_makes_another_token(secret: [u8; 16], place in 60usize..85) {
            let token = JoinToken::new([7; 32], secret);
            let mut text = token.to_string().into_bytes();
            text[place] = if text[place] == b'1' { b'0' } else { b'1' };

            let read: Result<JoinToken, _> = String::from_utf8(text).unwrap().parse();

            prop_assert!(!read.is_ok_and(|read| read.matches(&token)));
        }
    }

    #[test]
    fn malformed_tokens_are_refused_with_dockers_words() {
        let good = JoinToken::new([9; 32], [3; 16]).to_string();
        let wrong = [
            "".to_owned(),
            "SWMTKN-1-".to_owned(),
            good.replace("SWMTKN-1", "SWMTKN-2-1"),
            good.to_uppercase(),
            good[..good.len() - 1].to_owned(),
            format!("{good}0"),
            format!(" {good}"),
            format!("SWMTKN-1-{}-{}", "z".repeat(50), "0".repeat(25)),
            format!("SWMTKN-1-{}-{}", "0".repeat(50), "z".repeat(25)),
        ];

        for text in wrong {
            let error = text.parse::<JoinToken>().expect_err(&text);
            assert_eq!(error.to_string(), "invalid join token");
        }
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let token = JoinToken::new([0; 32], [0xff; 16]);

        assert!(!format!("{token:?}").contains("f5lxx1zz5pnorynqglhzmsp33"));
    }
}
