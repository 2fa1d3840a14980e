//! The functions of templates: Go's own, and those the docker CLI adds.

use std::cmp::Ordering;

use serde_json::Value;

use super::Error;
use crate::json;

/// Calls a function by name.
pub(super) fn call(name: &str, mut arguments: Vec<Value>) -> Result<Value, Error> {
    let wrong = || Error::because(format!("wrong number or kind of arguments for {name}"));
    match (name, arguments.as_mut_slice()) {
        ("json", [value]) => Ok(json::compact(value).into()),
        ("upper", [value]) => Ok(show(value).to_uppercase().into()),
        ("lower", [value]) => Ok(show(value).to_lowercase().into()),
        ("title", [value]) => Ok(title(&show(value)).into()),
        ("join", [Value::Array(items), separator]) => {
            Ok(items.iter().map(show).collect::<Vec<_>>().join(&show(separator)).into())
        }
        ("join", [Value::Null, _]) => Ok("".into()),
        ("split", [text, separator]) => {
            Ok(show(text).split(&show(separator)).map(Value::from).collect::<Vec<_>>().into())
        }
        ("truncate", [text, length]) => {
            let length = length.as_u64().and_then(|length| usize::try_from(length).ok()).ok_or_else(wrong)?;
            Ok(show(text).chars().take(length).collect::<String>().into())
        }
        ("pad", [text, before, after]) => {
            let spaces = |count: &Value| count.as_u64().map(|count| " ".repeat(count.min(1 << 16) as usize));
            let (before, after) = (spaces(before).ok_or_else(wrong)?, spaces(after).ok_or_else(wrong)?);
            Ok(match show(text) {
                text if text.is_empty() => text.into(),
                text => format!("{before}{text}{after}").into(),
            })
        }
        ("println", values) => Ok((values.iter().map(show).collect::<Vec<_>>().join(" ") + "\n").into()),
        ("print", values) => Ok(print(values).into()),
        ("printf", [Value::String(format), values @ ..]) => Ok(printf(format, values).into()),
        ("len", [value]) => length(value).map(Value::from),
        ("index", [value, keys @ ..]) => keys.iter().try_fold(value.clone(), index),
        ("slice", [value, bounds @ ..]) if bounds.len() <= 2 => slice(value, bounds).ok_or_else(wrong),
        ("not", [value]) => Ok((!is_true(value)).into()),
        ("and", [first, rest @ ..]) => {
            Ok(rest.iter().fold(&*first, |so_far, next| if is_true(so_far) { next } else { so_far }).clone())
        }
        ("or", [first, rest @ ..]) => {
            Ok(rest.iter().fold(&*first, |so_far, next| if is_true(so_far) { so_far } else { next }).clone())
        }
        ("eq", [value, others @ ..]) if !others.is_empty() => {
            Ok(others.iter().any(|other| order(value, other) == Some(Ordering::Equal)).into())
        }
        ("ne", [a, b]) => Ok((order(a, b) != Some(Ordering::Equal)).into()),
        ("lt" | "le" | "gt" | "ge", [a, b]) => {
            let order = order(a, b).ok_or_else(|| Error::because("incompatible types for comparison"))?;
            Ok(match name {
                "lt" => order.is_lt(),
                "le" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            }
            .into())
        }
        (
            "json" | "upper" | "lower" | "title" | "join" | "split" | "truncate" | "pad" | "printf" | "len",
            _,
        )
        | ("index" | "slice" | "not" | "and" | "or" | "eq" | "ne" | "lt" | "le" | "gt" | "ge", _) => {
            Err(wrong())
        }
        _ => Err(Error::because(format!("function {name:?} not defined"))),
    }
}

/// Claims that a value is neither zero nor empty.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// Shows a value as Go prints it.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let pairs: Vec<_> = map.iter().map(|(key, value)| format!("{key}:{}", show(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .flat_map(|c| {
            let upper = start && c.is_alphabetic();
            start = !c.is_alphanumeric();
            if upper { c.to_uppercase().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}

fn print(values: &[Value]) -> String {
    let mut out = String::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 && !value.is_string() && !values[at - 1].is_string() {
            out.push(' ');
        }
        out.push_str(&show(value));
    }
    out
}

fn length(value: &Value) -> Result<usize, Error> {
    match value {
        Value::String(text) => Ok(text.len()),
        Value::Array(items) => Ok(items.len()),
        Value::Object(map) => Ok(map.len()),
        Value::Null => Ok(0),
        Value::Bool(_) | Value::Number(_) => Err(Error::because(format!("len of {}", show(value)))),
    }
}

fn index(value: Value, key: &Value) -> Result<Value, Error> {
    match (value, key) {
        (Value::Object(map), Value::String(key)) => Ok(map.get(key).cloned().unwrap_or(Value::Null)),
        (Value::Array(items), Value::Number(at)) => {
            let found = at.as_u64().and_then(|at| items.get(usize::try_from(at).ok()?)).cloned();
            found.ok_or_else(|| Error::because(format!("index out of range: {at}")))
        }
        (Value::Null, _) => Ok(Value::Null),
        (value, key) => Err(Error::because(format!("can't index {} with {}", show(&value), show(key)))),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Option<Value> {
    let bound = |at: usize, default: usize| match bounds.get(at) {
        Some(value) => value.as_u64().and_then(|value| usize::try_from(value).ok()),
        None => Some(default),
    };
    match value {
        Value::String(text) => text.get(bound(0, 0)?..bound(1, text.len())?).map(Value::from),
        Value::Array(items) => {
            items.get(bound(0, 0)?..bound(1, items.len())?).map(|items| items.to_vec().into())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (a, b) => (a == b).then_some(Ordering::Equal),
    }
}

/// Formats as Go's `Sprintf`, for the verbs that make sense of JSON.
fn printf(format: &str, values: &[Value]) -> String {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(rest.len());
        let (flags, verb) = (&rest[..end], rest[end..].chars().next());
        rest = rest.get(end + 1..).unwrap_or("");
        let text = match verb {
            None => "%!(NOVERB)".into(),
            Some('%') => "%".into(),
            Some(verb) => match values.next() {
                Some(value) => one(verb, flags, value),
                None => format!("%!{verb}(MISSING)"),
            },
        };
        out.push_str(&text);
    }
    out.push_str(rest);
    out
}

fn one(verb: char, flags: &str, value: &Value) -> String {
    let (width, precision) = flags.split_once('.').unwrap_or((flags, ""));
    let precision = precision.parse::<usize>().ok();
    let text = match (verb, value) {
        ('q', value) => format!("{:?}", show(value)),
        ('t' | 'v' | 's' | 'd', value) => show(value),
        ('f', value) => match value.as_f64() {
            Some(number) => format!("{number:.0$}", precision.unwrap_or(6)),
            None => show(value),
        },
        ('x', Value::Number(number)) => {
            number.as_i64().map_or_else(|| number.to_string(), |number| format!("{number:x}"))
        }
        (other, value) => format!("%!{other}({})", show(value)),
    };
    let text = match precision {
        Some(precision) if verb == 's' => text.chars().take(precision).collect(),
        _ => text,
    };
    let count = width.trim_start_matches(['-', '+', ' ', '0']).parse::<usize>().unwrap_or(0).min(1 << 16);
    match (width.starts_with('-'), width.starts_with('0') && value.is_number()) {
        (true, _) => format!("{text:<count$}"),
        (false, true) => format!("{text:0>count$}"),
        (false, false) => format!("{text:>count$}"),
    }
}
