//! Removing all containers that do not run.

use std::time::Duration;

use container_json::ContainersPruned;
use engine_json::{Filters, Time};

use crate::engine::now;
use crate::events::{Action, Pruned, Subject};
use crate::life::Step;
use crate::record::{Origin, Record};
use crate::remove::Removing;
use crate::{Engine, Error};

const FILTERS: &[&str] = &["until", "label", "label!"];

impl Engine {
    /// Removes containers that do not run; those of tasks are for their services to remove.
    pub async fn prune(&self, filters: Filters) -> Result<ContainersPruned, Error> {
        filters.check(FILTERS).map_err(|error| Error::invalid(error.to_string()))?;
        let until = until_at(&filters, now())?;
        let mut pruned = ContainersPruned::default();
        // Taken out first: each removal takes the table for itself.
        let entries = self.table().all();
        for entry in entries {
            let is_ended = matches!(entry.life().step, Step::Created | Step::Exited);
            if !is_ended || !is_meant(&entry.record(), &filters, until) {
                continue;
            }
            let bytes = self.containers().writable_bytes(&entry.id).await.unwrap_or_default();
            // One that was started or removed meanwhile is left alone.
            if self.remove(&entry.id, Removing::default()).await.is_ok() {
                pruned.space_reclaimed += bytes;
                pruned.containers_deleted.push(entry.id.clone());
            }
        }
        let reclaimed = [("reclaimed", pruned.space_reclaimed.to_string())];
        self.events().publish(Subject::pruned(Pruned::Containers), Action::Prune, reclaimed);
        Ok(pruned)
    }
}

fn is_meant(record: &Record, filters: &Filters, until: Option<Time>) -> bool {
    let labels = &record.config.labels;
    let is_kept = filters.has("label!") && filters.has_labels("label!", labels);
    record.origin == Origin::User
        && until.is_none_or(|until| record.created < until)
        && filters.has_labels("label", labels)
        && !is_kept
}

/// Reads the filter `until`: the time before which something must have been made.
pub fn until(filters: &Filters) -> Result<Option<Time>, Error> {
    until_at(filters, now())
}

/// Reads the time before which containers must have been made: a time, seconds since 1970, or a span before now.
fn until_at(filters: &Filters, now: Time) -> Result<Option<Time>, Error> {
    let text = match filters.values("until") {
        [] => return Ok(None),
        [text] => text,
        [_, _, ..] => return Err(Error::invalid("more than one until filter specified")),
    };
    let refuse = || Error::invalid(format!("invalid filter 'until={text}'"));
    if let Ok(time) = text.parse::<Time>() {
        return Ok(Some(time));
    }
    if let Ok(seconds) = text.parse::<f64>() {
        let nanoseconds = seconds * 1e9;
        return Ok(Some(Time::from_nanoseconds(nanoseconds as i64)));
    }
    let span = i64::try_from(span(text).ok_or_else(refuse)?.as_nanos()).map_err(|_| refuse())?;
    Ok(Some(Time::from_nanoseconds(now.nanoseconds().saturating_sub(span))))
}

/// Reads a time span as Go writes it, such as `1h30m`.
fn span(text: &str) -> Option<Duration> {
    const UNITS: &[(&str, f64)] = &[("ms", 1e-3), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let (unit, factor) = UNITS.iter().find(|(unit, _)| rest[end..].starts_with(unit))?;
        seconds += number * factor;
        rest = &rest[end + unit.len()..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_is_read_in_all_forms() {
        let now = Time::from_nanoseconds(10_000_000_000_000);
        for (text, seconds) in [
            ("1970-01-01T00:00:05Z", Some(5)),
            ("7", Some(7)),
            ("1h30m", Some(10_000 - 5400)),
            ("1.5s500ms", Some(9998)),
            ("10x", None),
            ("tomorrow", None),
        ] {
            let filters = Filters::parse(&format!("{{\"until\":[\"{text}\"]}}")).unwrap();
            let expected = seconds.map(|seconds| Some(Time::from_nanoseconds(seconds * 1_000_000_000)));
            assert_eq!(until_at(&filters, now).ok(), expected, "{text}");
        }
    }

    #[test]
    fn filters_say_what_is_meant() {
        let mut record = Record::sample("aa11", "web");
        record.created = Time::from_nanoseconds(50);
        record.config.labels = [("env".to_owned(), "dev".to_owned())].into();
        for (json, expected) in [
            ("", true),
            (r#"{"label":["env=dev"]}"#, true),
            (r#"{"label":["env=live"]}"#, false),
            (r#"{"label!":["env"]}"#, false),
        ] {
            let filters = Filters::parse(json).unwrap();
            assert_eq!(is_meant(&record, &filters, None), expected, "{json}");
        }
        let before = Some(Time::from_nanoseconds(50));
        assert!(!is_meant(&record, &Filters::default(), before));
        record.origin = Origin::Task;
        assert!(!is_meant(&record, &Filters::default(), None));
    }
}
