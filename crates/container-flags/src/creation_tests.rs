//! What the docker CLI 28.2.2 sends for each flag, and what it says of values that make no sense.
//!
//! `busybox.json` is the body without any flag. Each line of `accepted.tsv` has flags and, after a tab, how the body
//! differs from that, as a merge patch; `refused.tsv` has flags and the text they are refused with. `@name` is a file.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser;
use serde_json::Value;

use super::*;

const PLAIN: &str = include_str!("captured/busybox.json");
const ACCEPTED: &str = include_str!("captured/accepted.tsv");
const REFUSED: &str = include_str!("captured/refused.tsv");

/// Files that flags name.
const FILES: [(&str, &str); 5] = [
    ("env", "A=1\n# c\n\n  B=2\nHOME\nNOPE\nC=x y # z\n"),
    ("labels", "l1=a\nl2\n#x\nl3=b=c\n"),
    ("badenv", "bad name=1\n"),
    ("badenv2", "=x\n"),
    ("seccomp.json", "{\"defaultAction\":  \"SCMP_ACT_ALLOW\",\n \"x\":\"<a>&\"}"),
];

#[derive(Debug, Parser)]
#[command(disable_help_flag = true, args_override_self = true)]
struct Program {
    #[command(flatten)]
    creation: Creation,
}

/// Cuts a line as a shell would, as far as the tables need it.
fn words(line: &str, folder: &Path) -> Vec<String> {
    let mut words = vec!["create".to_owned(), String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        let word = words.last_mut().unwrap();
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            '@' => word.push_str(&format!("{}/", folder.display())),
            c => word.push(c),
        }
    }
    words
}

fn body(line: &str, folder: &Path) -> Result<Value, String> {
    let variable = |name: &str| (name == "HOME").then(|| "/root".to_owned());
    let surroundings = Surroundings { variable: &variable, directory: Path::new("/here") };
    let program = Program::try_parse_from(words(line, folder)).map_err(|error| error.to_string())?;
    let body = program.creation.body(surroundings).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(body).unwrap())
}

fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    FILES.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    folder
}

fn rows(table: &str) -> impl Iterator<Item = (&str, &str)> {
    table.lines().map(|line| line.split_once('\t').unwrap())
}

/// Applies a merge patch.
fn patch(value: &mut Value, change: &Value) {
    let (Value::Object(fields), Value::Object(changes)) = (&mut *value, change) else {
        *value = change.clone();
        return;
    };
    for (key, change) in changes {
        match change {
            Value::Null => drop(fields.remove(key)),
            change => patch(fields.entry(key).or_insert(Value::Null), change),
        }
    }
}

/// Takes out what says nothing, and puts the environment into an order: docker's comes from a map.
fn told(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let said = fields.iter().map(|(key, value)| match (key.as_str(), value) {
                ("Env", Value::Array(list)) => {
                    let sorted: BTreeSet<String> = list.iter().map(Value::to_string).collect();
                    (key.clone(), sorted.into_iter().map(Value::from).collect())
                }
                // Here the empty list is a wish.
                ("MaskedPaths" | "ReadonlyPaths", Value::Array(_)) => (key.clone(), Value::from("given")),
                ("Options", Value::Object(options)) if options.is_empty() => (key.clone(), Value::Null),
                (_, value) => (key.clone(), told(value)),
            });
            Value::Object(said.filter(|(_, value)| !matches!(value, Value::Null)).collect())
        }
        Value::Array(list) if list.is_empty() => Value::Null,
        Value::Array(list) => list.iter().map(told).collect(),
        other => other.clone(),
    }
}

#[test]
fn bodies_are_those_of_docker() {
    let folder = files();
    let mut failures = Vec::new();

    for (line, change) in rows(ACCEPTED) {
        let mut expected: Value = serde_json::from_str(PLAIN).unwrap();
        patch(&mut expected, &serde_json::from_str(change).unwrap());
        match body(line, folder.path()) {
            Ok(body) if told(&body) == told(&expected) => {}
            Ok(body) => failures.push(format!("{line}\n  want {}\n  have {}", told(&expected), told(&body))),
            Err(error) => failures.push(format!("{line}\n  {error}")),
        }
    }

    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn refusals_are_those_of_docker() {
    let folder = files();
    let at = format!("{}/", folder.path().display());
    let mut failures = Vec::new();

    for (line, says) in rows(REFUSED) {
        let error = body(line, folder.path()).map(|_| "nothing".to_owned()).unwrap_or_else(|error| error);
        if !error.replace(&at, "@").contains(says) {
            failures.push(format!("{line}\n  want {says}\n  have {error}"));
        }
    }

    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_last_of_two_values_counts() {
    let folder = files();

    let body = body("-m 1m -m 2m -it=false -h a -h b busybox", folder.path()).unwrap();

    assert_eq!(body["HostConfig"]["Memory"], 2 << 20);
    assert_eq!(body["Hostname"], "b");
    assert_eq!((&body["OpenStdin"], &body["Tty"]), (&Value::from(true), &Value::from(false)));
}

#[test]
fn updates_touch_only_what_they_name() {
    #[derive(Debug, Parser)]
    struct Update {
        #[command(flatten)]
        change: crate::Change,
    }
    let body = |line: &str| {
        let update =
            Update::try_parse_from(std::iter::once("update").chain(line.split_whitespace())).unwrap();
        update.change.body()
    };

    let memory = body("-m 64m --pids-limit -1").unwrap();
    let restart = body("--restart on-failure:2").unwrap();

    assert_eq!((memory.resources.memory, memory.resources.pids_limit), (64 << 20, Some(-1)));
    assert_eq!((memory.resources.memory_swappiness, memory.resources.oom_kill_disable), (None, None));
    assert_eq!(restart.resources, container_json::Resources::default());
    assert_eq!(
        (restart.restart_policy.name.as_str(), restart.restart_policy.maximum_retry_count),
        ("on-failure", 2)
    );
    assert_eq!(
        body("").unwrap_err().to_string(),
        "you must provide one or more flags when using this command"
    );
}
