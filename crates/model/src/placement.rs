//! Which nodes a task may run on.

use std::str::FromStr;

use crate::{Invalid, Platform};

/// Which nodes a task may run on, as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// Claims about the node, all of which must hold, such as `node.role==worker`.
    pub constraints: Vec<String>,
    /// What tasks are spread over, outermost first, such as `node.labels.rack`.
    pub spread: Vec<String>,
    /// How many tasks of the service one node may run; 0 means without limit.
    pub max_replicas: u64,
    /// Platforms of which the node must be one; none means any.
    pub platforms: Vec<Platform>,
}

impl Placement {
    /// Returns the parsed constraints.
    pub fn parsed(&self) -> Result<Vec<Constraint>, Invalid> {
        self.constraints.iter().map(|text| text.parse()).collect()
    }

    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        self.parsed().map(|_| ())
    }
}

/// A claim about a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// What is looked at, such as `node.labels.rack`.
    pub key: String,
    /// Whether it must be equal or not.
    pub operator: Operator,
    /// What it is compared with, without regard to case.
    pub value: String,
}

/// How a constraint compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl FromStr for Constraint {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (operator, (key, value)) = if let Some(sides) = text.split_once("!=") {
            (Operator::NotEqual, sides)
        } else if let Some(sides) = text.split_once("==") {
            (Operator::Equal, sides)
        } else {
            return Err(Invalid::because(format!("constraint expected one operator from ==, !=: {text:?}")));
        };
        let (key, value) = (key.trim(), value.trim());
        if !is_key(key) {
            return Err(Invalid::because(format!("key '{key}' is invalid")));
        }
        if value.is_empty() || !value.chars().all(is_value_char) {
            return Err(Invalid::because(format!("value '{value}' is invalid")));
        }
        Ok(Self { key: key.to_owned(), operator, value: value.to_owned() })
    }
}

fn is_key(key: &str) -> bool {
    let mut chars = key.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let mut rest = chars.peekable();
    first && rest.peek().is_some() && rest.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_value_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c.is_whitespace() || ":-_.*()?+[]\\^$|/".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_parse_as_in_swarm() {
        let parsed: Constraint = " node.role == manager ".parse().unwrap();

        assert_eq!(
            parsed,
            Constraint { key: "node.role".into(), operator: Operator::Equal, value: "manager".into() }
        );
        for good in ["node.labels.a-b.c!=x y", "node.ip==10.0.0.0/8", "what.ever==1"] {
            assert!(good.parse::<Constraint>().is_ok(), "{good}");
        }
        for bad in [
            "node.role",
            "node.role=manager",
            "node.labels.example.com/zone==a",
            "==a",
            "node.role==",
            "1a==b",
            "a==b",
        ] {
            assert!(bad.parse::<Constraint>().is_err(), "{bad}");
        }
    }
}
