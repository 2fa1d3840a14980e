//! What comes of applying an entry: the index at which it took effect, or why it was refused.

use prost::Message;
use store::Conflict;

use crate::field::{inside, required};
use crate::{Error, pb};

/// Returns the bytes of an outcome.
pub fn encode(outcome: &Result<u64, Conflict>) -> Vec<u8> {
    use pb::outcome::Kind;
    let kind = match outcome {
        Ok(index) => Kind::Applied(*index),
        Err(conflict) => Kind::Conflict(conflict.into()),
    };
    pb::Outcome { kind: Some(kind) }.encode_to_vec()
}

/// Returns the outcome that these bytes hold.
pub fn decode(bytes: &[u8]) -> Result<Result<u64, Conflict>, Error> {
    use pb::outcome::Kind;
    let outcome = pb::Outcome::decode(bytes).map_err(|source| Error::Garbled { what: "outcome", source })?;
    let pb::Outcome { kind } = outcome;
    match required(kind, "kind")? {
        Kind::Applied(index) => Ok(Ok(index)),
        Kind::Conflict(conflict) => inside(conflict, "conflict").map(Err),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    #[test]
    fn an_empty_outcome_is_refused() {
        assert_eq!(
            decode(&[]).unwrap_err().to_string(),
            "kind: is missing, or is of a kind that this version does not know"
        );
    }

    proptest! {
        #[test]
        fn every_outcome_comes_back_as_it_was(outcome in samples::outcome()) {
            prop_assert_eq!(decode(&encode(&outcome)).unwrap(), outcome);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
        }
    }
}
