//! The `filters` query parameter, in both of its encodings, and how objects are matched against it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::Labels;

/// Filters by key; a key may have several values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters(BTreeMap<String, Vec<String>>);

/// A filter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilter {
    /// The parameter is not JSON of either encoding.
    #[error("invalid filter: {0}")]
    Unreadable(String),
    /// The route does not know this key.
    #[error("invalid filter '{0}'")]
    Unknown(String),
    /// The key's value is not one of those it can have.
    #[error("invalid filter '{key}={values:?}'")]
    Value {
        /// The key.
        key: String,
        /// What was given.
        values: Vec<String>,
    },
}

impl Filters {
    /// Reads the parameter; an empty one filters nothing.
    pub fn parse(text: &str) -> Result<Self, InvalidFilter> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let unreadable = |error: serde_json::Error| InvalidFilter::Unreadable(error.to_string());
        let keys = BTreeMap::<String, Value>::deserialize(&mut serde_json::Deserializer::from_str(text))
            .map_err(unreadable)?;
        let mut filters = Self::default();
        for (key, values) in keys {
            filters.0.insert(key.clone(), read_values(key, values)?);
        }
        Ok(filters)
    }

    /// Adds a value to a key.
    pub fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.entry(key.into()).or_default().push(value.into());
    }

    /// Writes the parameter as Go does.
    pub fn to_json(&self) -> String {
        let keys: BTreeMap<&str, BTreeMap<&str, bool>> = self
            .0
            .iter()
            .map(|(key, values)| (key.as_str(), values.iter().map(|value| (value.as_str(), true)).collect()))
            .collect();
        serde_json::to_string(&keys).expect("maps of strings are always JSON")
    }

    /// Claims that nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses keys that are not among the accepted ones.
    pub fn check(&self, accepted: &[&str]) -> Result<(), InvalidFilter> {
        match self.0.keys().find(|key| !accepted.contains(&key.as_str())) {
            Some(unknown) => Err(InvalidFilter::Unknown(unknown.clone())),
            None => Ok(()),
        }
    }

    /// Returns the values of a key.
    pub fn values(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// Claims that the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Claims that the key is absent or one of its values is exactly `value`.
    pub fn is_exactly(&self, key: &str, value: &str) -> bool {
        self.is_any(key, |wanted| wanted == value)
    }

    /// Claims that the key is absent or `value` begins with one of its values.
    pub fn is_prefix(&self, key: &str, value: &str) -> bool {
        self.is_any(key, |wanted| value.starts_with(wanted))
    }

    /// Claims that the key is absent or `is` holds for one of its values.
    pub fn is_any(&self, key: &str, is: impl Fn(&str) -> bool) -> bool {
        self.0.get(key).is_none_or(|values| values.is_empty() || values.iter().any(|wanted| is(wanted)))
    }

    /// Claims that the labels have every `key` or `key=value` the filter asks for.
    pub fn has_labels(&self, key: &str, labels: &Labels) -> bool {
        self.values(key).iter().all(|wanted| match wanted.split_once('=') {
            Some((name, value)) => labels.get(name).is_some_and(|have| have == value),
            None => labels.contains_key(wanted),
        })
    }

    /// Returns the value of a yes-or-no key; `None` if it is absent.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, InvalidFilter> {
        let Some(values) = self.0.get(key) else { return Ok(None) };
        let [value] = values.as_slice() else {
            return Err(InvalidFilter::Value { key: key.to_owned(), values: values.clone() });
        };
        match value.as_str() {
            "1" | "true" => Ok(Some(true)),
            "0" | "false" => Ok(Some(false)),
            other => Err(InvalidFilter::Value { key: key.to_owned(), values: vec![other.to_owned()] }),
        }
    }
}

fn read_values(key: String, values: Value) -> Result<Vec<String>, InvalidFilter> {
    let refuse = || InvalidFilter::Unreadable(format!("the values of '{key}' are neither a list nor a map"));
    match values {
        Value::Object(map) => Ok(map.into_iter().map(|(value, _)| value).collect()),
        Value::Array(list) => list
            .into_iter()
            .map(|value| match value {
                Value::String(text) => Ok(text),
                // docker-py writes booleans and numbers bare.
                Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => Err(refuse()),
            })
            .collect(),
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![text]),
        Value::Bool(_) | Value::Number(_) => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_mean_the_same() {
        let go = Filters::parse(r#"{"name":{"web":true},"label":{"a=b":true,"c":true}}"#).unwrap();
        let python = Filters::parse(r#"{"name":["web"],"label":["a=b","c"]}"#).unwrap();

        assert_eq!(go, python);
        assert_eq!(Filters::parse(&go.to_json()), Ok(go));
    }

    #[test]
    fn names_match_by_prefix_and_labels_all_together() {
        let filters = Filters::parse(r#"{"name":["we","x"],"label":["a=b","c"]}"#).unwrap();
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Labels>()
        };

        assert!(filters.is_prefix("name", "web"));
        assert!(!filters.is_exactly("name", "web"));
        assert!(filters.is_prefix("id", "anything"));
        assert!(filters.has_labels("label", &labels(&[("a", "b"), ("c", "")])));
        assert!(!filters.has_labels("label", &labels(&[("a", "b")])));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let filters = Filters::parse(r#"{"nope":["1"],"dangling":["maybe"]}"#).unwrap();

        assert_eq!(filters.check(&["name"]).unwrap_err().to_string(), "invalid filter 'dangling'");
        assert_eq!(
            filters.flag("dangling").unwrap_err().to_string(),
            r#"invalid filter 'dangling=["maybe"]'"#
        );
        assert_eq!(filters.flag("absent"), Ok(None));
        for bad in ["{", "[]", r#"{"a":1}"#, r#"{"a":[[]]}"#] {
            assert!(Filters::parse(bad).is_err(), "{bad}");
        }
    }
}
