//! Reading JSON as Go's decoder does: field names in any case, null for anything, unknown fields ignored.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde_json::Value;

/// A body that cannot be read, with the place in it and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    path: String,
    reason: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid JSON: ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Malformed {}

impl de::Error for Malformed {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self { path: String::new(), reason: reason.to_string() }
    }
}

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        de::Error::custom(error)
    }
}

impl Malformed {
    /// Returns the place and the reason, for an error that says already that it is about JSON.
    pub fn into_reason(self) -> String {
        let Self { path, reason } = self;
        if path.is_empty() { reason } else { format!("{path}: {reason}") }
    }

    fn below(mut self, step: &str) -> Self {
        self.path = if self.path.is_empty() { step.to_owned() } else { format!("{step}.{}", self.path) };
        self
    }
}

/// Reads a body, which must hold one JSON value and nothing after it.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(de::Error::custom("got EOF while reading request body"));
    }
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let value = values.next().transpose()?.unwrap_or(Value::Null);
    if values.next().is_some() {
        return Err(de::Error::custom("unexpected content after JSON"));
    }
    T::deserialize(Lenient(value))
}

/// A value that is read by the rules of [`decode`].
#[derive(Debug, Clone)]
pub struct Lenient(pub Value);

impl<'de> IntoDeserializer<'de, Malformed> for Lenient {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Types whose null is their zero value.
macro_rules! null_is_zero {
    ($($method:ident => $zero:ident($value:expr)),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
            match self.0 {
                Value::Null => visitor.$zero($value),
                value => value.$method(visitor).map_err(Malformed::from),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Lenient {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.0 {
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
            plain => plain.deserialize_any(visitor).map_err(Malformed::from),
        }
    }

    null_is_zero! {
        deserialize_bool => visit_bool(false),
        deserialize_i8 => visit_i8(0),
        deserialize_i16 => visit_i16(0),
        deserialize_i32 => visit_i32(0),
        deserialize_i64 => visit_i64(0),
        deserialize_u8 => visit_u8(0),
        deserialize_u16 => visit_u16(0),
        deserialize_u32 => visit_u32(0),
        deserialize_u64 => visit_u64(0),
        deserialize_f32 => visit_f32(0.0),
        deserialize_f64 => visit_f64(0.0),
        deserialize_str => visit_str(""),
        deserialize_string => visit_str(""),
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            value => visitor.visit_some(Self(value)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.0 {
            Value::Null => visitor.visit_seq(Items { at: 0, items: Vec::new().into_iter() }),
            Value::Array(items) => visitor.visit_seq(Items { at: 0, items: items.into_iter() }),
            other => other.deserialize_seq(visitor).map_err(Malformed::from),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.0 {
            Value::Null => visitor.visit_map(Fields::default()),
            Value::Object(object) => visitor
                .visit_map(Fields { rest: object.into_iter().collect::<Vec<_>>().into_iter(), value: None }),
            other => other.deserialize_map(visitor).map_err(Malformed::from),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        match self.0 {
            Value::Null => visitor.visit_map(Fields::default()),
            Value::Object(object) => visitor.visit_map(Fields::of(object, fields)),
            other => other.deserialize_map(visitor).map_err(Malformed::from),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
    }
}

struct Items {
    at: usize,
    items: std::vec::IntoIter<Value>,
}

impl<'de> de::SeqAccess<'de> for Items {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Malformed> {
        let Some(item) = self.items.next() else { return Ok(None) };
        self.at += 1;
        seed.deserialize(Lenient(item)).map(Some).map_err(|error| error.below(&format!("[{}]", self.at - 1)))
    }
}

#[derive(Default)]
struct Fields {
    rest: std::vec::IntoIter<(String, Value)>,
    value: Option<(String, Value)>,
}

impl Fields {
    /// Gives each key the spelling of the field it means; the last of several wins, and null keeps the default.
    fn of(object: serde_json::Map<String, Value>, fields: &[&str]) -> Self {
        let mut named: Vec<(String, Value)> = Vec::with_capacity(object.len());
        for (key, value) in object {
            let Some(field) = fields.iter().find(|field| field.eq_ignore_ascii_case(&key)) else { continue };
            named.retain(|(known, _)| known != field);
            if !value.is_null() {
                named.push(((*field).to_owned(), value));
            }
        }
        Self { rest: named.into_iter(), value: None }
    }
}

impl<'de> de::MapAccess<'de> for Fields {
    type Error = Malformed;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Malformed> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        let read = seed.deserialize(StrDeserializer::<Malformed>::new(&key));
        self.value = Some((key, value));
        read.map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Malformed> {
        let (key, value) = self.value.take().expect("serde asks for a value only after its key");
        seed.deserialize(Lenient(value)).map_err(|error| error.below(&key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ServiceSpec;

    /// Any JSON, with names of fields that exist more often than not.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z]{0,4}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("TaskTemplate"),
            Just("containerspec"),
            Just("Mode"),
            Just("Replicated"),
            Just("Env"),
            Just("Labels"),
            Just("EndpointSpec"),
            Just("Ports"),
            Just("TargetPort"),
            Just("UpdateConfig"),
            Just("Other")
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in any_json()) {
            let read = decode::<ServiceSpec>(body.to_string().as_bytes());

            if let Ok(spec) = read {
                let _ = model::ServiceSpec::try_from(spec);
            }
        }

        #[test]
        fn what_is_written_is_read_back(body in any_json()) {
            if let Ok(spec) = decode::<ServiceSpec>(body.to_string().as_bytes()) {
                let written = serde_json::to_vec(&spec).unwrap();

                // The old place of networks is read and never written.
                prop_assume!(spec.networks.is_empty());
                prop_assert_eq!(decode::<ServiceSpec>(&written), Ok(spec));
            }
        }
    }

    #[test]
    fn names_match_in_any_case_and_nulls_are_defaults() {
        let spec: ServiceSpec = decode(
            br#"{"name":"web","LABELS":null,"taskTemplate":{"containerspec":{"image":"i","env":null,"Mounts":[null]},
                "RestartPolicy":null,"ForceUpdate":null},"Mode":{"replicated":{"replicas":null}},"Bogus":{"x":1}}"#,
        )
        .unwrap();

        assert_eq!(spec.name, "web");
        let container = spec.task_template.container_spec.unwrap();
        assert_eq!(container.image, "i");
        assert_eq!(container.mounts.len(), 1);
        assert!(spec.mode.replicated.unwrap().replicas.is_none());
    }

    #[test]
    fn labels_keep_their_case() {
        let spec: ServiceSpec = decode(br#"{"Labels":{"A":"1","a":"2"}}"#).unwrap();

        assert_eq!(spec.labels.len(), 2);
    }

    #[test]
    fn errors_name_the_place() {
        for (body, says) in [
            (r#"{"TaskTemplate":{"ContainerSpec":{"Env":["a",1]}}}"#, "TaskTemplate.ContainerSpec.Env.[1]: "),
            (r#"{"Mode":{"Replicated":{"Replicas":-1}}}"#, "Mode.Replicated.Replicas: "),
            (r#"{"Name":1}"#, "Name: "),
            ("{} {}", "unexpected content after JSON"),
            ("", "got EOF while reading request body"),
            ("{", "EOF"),
            ("[]", "invalid type"),
        ] {
            let error = decode::<ServiceSpec>(body.as_bytes()).unwrap_err().to_string();

            assert!(error.starts_with("invalid JSON: ") && error.contains(says), "{body}: {error}");
        }
    }
}
