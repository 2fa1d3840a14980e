//! Which values Go leaves out of its JSON or writes as null, and objects that hold the fields of several types.

use engine_json::Lenient;
use serde::de::{self, DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// Claims that the value is what Go's `omitempty` leaves out.
pub(crate) fn empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Writes what is empty as null, as Go does with lists and maps that were never made.
pub(crate) fn null_if_empty<T: Default + PartialEq + Serialize, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if empty(value) { serializer.serialize_none() } else { value.serialize(serializer) }
}

/// Reads a command, which may be one word without a list around it.
pub(crate) fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(word) => Ok(Some(vec![word])),
        list => part(list).map(Some),
    }
}

/// Reads those fields of an object that a type has.
pub(crate) fn part<T: DeserializeOwned, E: de::Error>(value: Value) -> Result<T, E> {
    T::deserialize(Lenient(value)).map_err(|error| E::custom(error.into_reason()))
}
