//! Whether a container is well: what its check says, and what follows from it.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use engine_json::Healthcheck;

/// How many results are remembered.
const RESULTS_MAX: usize = 5;
/// How much of a probe's output is kept.
const OUTPUT_BYTES_MAX: usize = 4096;
/// What Docker takes for a time that is not given.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
/// How many failures in a row are too many, if nothing is said.
const RETRIES: u32 = 3;
/// The shortest time that may be asked for.
const SHORTEST: Duration = Duration::from_millis(1);

/// How a container is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is executed in it.
    pub command: Vec<String>,
    /// The time between two probes.
    pub interval: Duration,
    /// How long a probe may take.
    pub timeout: Duration,
    /// How long failures do not count after the start.
    pub start_period: Duration,
    /// The time between two probes in the start period.
    pub start_interval: Duration,
    /// How many failures in a row make it unhealthy.
    pub retries: u32,
}

impl Check {
    /// Reads a check; none if there is nothing to check. `shell` runs a `CMD-SHELL`: the image's, or `/bin/sh -c`.
    pub fn of(config: Option<&Healthcheck>, shell: &[String]) -> Option<Check> {
        let Healthcheck { test, interval, timeout, start_period, start_interval, retries } = config?;
        let (form, rest) = test.split_first()?;
        let command = match form.as_str() {
            "CMD" if !rest.is_empty() => rest.to_vec(),
            "CMD-SHELL" if shell.is_empty() => {
                ["/bin/sh", "-c"].into_iter().map(String::from).chain(rest.iter().cloned()).collect()
            }
            "CMD-SHELL" => shell.iter().chain(rest).cloned().collect(),
            _ => return None,
        };
        Some(Check {
            command,
            interval: duration(*interval).unwrap_or(INTERVAL),
            timeout: duration(*timeout).unwrap_or(TIMEOUT),
            start_period: duration(*start_period).unwrap_or_default(),
            start_interval: duration(*start_interval).unwrap_or(START_INTERVAL),
            retries: u32::try_from(*retries).ok().filter(|retries| *retries > 0).unwrap_or(RETRIES),
        })
    }

    /// Returns how long to wait for the next probe, `up` after the container's start.
    pub fn wait(&self, status: Status, up: Duration) -> Duration {
        let rest = self.start_period.saturating_sub(up);
        if rest.is_zero() || status != Status::Starting {
            return self.interval;
        }
        // The first probe that counts comes as soon as it may.
        rest.min(self.start_interval)
    }
}

fn duration(nanoseconds: i64) -> Option<Duration> {
    u64::try_from(nanoseconds).ok().filter(|nanoseconds| *nanoseconds > 0).map(Duration::from_nanos)
}

/// Returns the check that counts: what the user leaves open is as in the image.
pub fn merge(user: Option<&Healthcheck>, image: Option<&Healthcheck>) -> Option<Healthcheck> {
    let (Some(user), Some(image)) = (user, image) else { return user.or(image).cloned() };
    let number = |user: i64, image: i64| if user == 0 { image } else { user };
    Some(Healthcheck {
        test: if user.test.is_empty() { image.test.clone() } else { user.test.clone() },
        interval: number(user.interval, image.interval),
        timeout: number(user.timeout, image.timeout),
        start_period: number(user.start_period, image.start_period),
        start_interval: number(user.start_interval, image.start_interval),
        retries: number(user.retries, image.retries),
    })
}

/// Refuses a check whose numbers make no sense, in Docker's words.
pub fn validate(check: &Healthcheck) -> Result<(), String> {
    for (name, value) in [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ] {
        if value != 0 && duration(value).is_none_or(|value| value < SHORTEST) {
            return Err(format!("{name} in Healthcheck cannot be less than 1ms"));
        }
    }
    if check.retries < 0 {
        return Err("Retries in Healthcheck cannot be negative".to_owned());
    }
    Ok(())
}

/// What is thought of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is not checked.
    None,
    /// No probe has succeeded, and not too many have failed.
    Starting,
    /// The last probes succeeded, or not too many failed since.
    Healthy,
    /// Too many probes failed in a row.
    Unhealthy,
}

impl Status {
    /// Returns Docker's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::None => "none",
            Status::Starting => "starting",
            Status::Healthy => "healthy",
            Status::Unhealthy => "unhealthy",
        }
    }
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// Its exit code; -1 if it did not end by itself.
    pub code: i32,
    /// What it said.
    pub output: String,
}

/// A container's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What is thought of it.
    pub status: Status,
    /// How many probes failed since the last success.
    pub failing_streak: u32,
    /// The last results, oldest first.
    pub log: VecDeque<Probe>,
}

impl Health {
    /// Returns the health of a container that is not checked.
    pub fn unchecked() -> Health {
        Health { status: Status::None, failing_streak: 0, log: VecDeque::new() }
    }

    /// Begins anew with a start; the results so far are remembered, as in Docker.
    pub fn restart(&mut self) {
        self.status = Status::Starting;
        self.failing_streak = 0;
    }

    /// Ends with the run: as in Docker, what was checked and no longer runs is not well.
    pub fn end(&mut self) {
        if self.status != Status::None {
            self.status = Status::Unhealthy;
        }
    }

    /// Takes a result in; tells whether the status has changed.
    pub fn note(&mut self, check: &Check, started_at: SystemTime, probe: Probe) -> bool {
        let before = self.status;
        let up = probe.start.duration_since(started_at).unwrap_or_default();
        if probe.code == 0 {
            self.failing_streak = 0;
            self.status = Status::Healthy;
        } else if self.status != Status::Starting || up >= check.start_period {
            self.failing_streak += 1;
            if self.failing_streak >= check.retries {
                self.status = Status::Unhealthy;
            }
        }
        if self.log.len() == RESULTS_MAX {
            self.log.pop_front();
        }
        self.log.push_back(probe);
        self.status != before
    }
}

/// The beginning of a probe's output.
#[derive(Default)]
pub struct Output {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Output {
    /// Takes in what the probe said next.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = OUTPUT_BYTES_MAX - self.bytes.len();
        self.is_cut |= bytes.len() > room;
        self.bytes.extend(&bytes[..bytes.len().min(room)]);
    }

    /// Returns what is kept of it.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        if self.is_cut { format!("{text}...") } else { text.into_owned() }
    }
}

/// Says that a probe was given up, with what it said so far.
pub fn overdue(timeout: Duration, said: &str) -> String {
    let timeout = go_duration(timeout);
    if said.is_empty() {
        format!("Health check exceeded timeout ({timeout})")
    } else {
        format!("Health check exceeded timeout ({timeout}): {said}")
    }
}

/// Writes a time as Go does: `1m30s`, `1.5s`, `200ms`.
fn go_duration(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if seconds == 0 {
        let (unit, digits, name) = match nanos {
            1_000_000.. => (1_000_000, 6, "ms"),
            1_000.. => (1_000, 3, "µs"),
            _ => (1, 0, "ns"),
        };
        return format!("{}{name}", decimal(u64::from(nanos / unit), nanos % unit, digits));
    }
    let rest = decimal(seconds % 60, nanos, 9);
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

fn decimal(whole: u64, fraction: u32, digits: usize) -> String {
    if fraction == 0 {
        return whole.to_string();
    }
    format!("{whole}.{}", format!("{fraction:0digits$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(test: &[&str]) -> Healthcheck {
        Healthcheck { test: test.iter().map(|part| (*part).to_owned()).collect(), ..Healthcheck::default() }
    }

    fn check() -> Check {
        Check::of(Some(&config(&["CMD", "true"])), &[]).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn starting() -> Health {
        Health { status: Status::Starting, ..Health::unchecked() }
    }

    #[test]
    fn test_forms_are_dockers() {
        let own = ["/bin/bash", "-ec"].map(String::from);
        for (test, shell, expected) in [
            (&[][..], &[][..], None),
            (&["NONE"], &[], None),
            (&["CMD"], &[], None),
            (&["CMD", "curl", "-f"], &[], Some("curl -f")),
            (&["CMD-SHELL", "a && b"], &[], Some("/bin/sh -c a && b")),
            (&["CMD-SHELL", "a"], &own, Some("/bin/bash -ec a")),
            (&["HTTP", "x"], &[], None),
        ] {
            let command = Check::of(Some(&config(test)), shell).map(|check| check.command.join(" "));
            assert_eq!(command.as_deref(), expected, "{test:?}");
        }
        assert_eq!(Check::of(None, &[]), None);
    }

    #[test]
    fn what_is_not_given_is_dockers_default() {
        let Check { command: _, interval, timeout, start_period, start_interval, retries } = check();

        assert_eq!(
            [interval, timeout, start_period, start_interval].map(|time| time.as_secs()),
            [30, 30, 0, 5]
        );
        assert_eq!(retries, 3);
    }

    #[test]
    fn flags_override_the_image_field_by_field() {
        let image = Healthcheck { interval: 7, retries: 2, ..config(&["CMD", "image"]) };
        for (user, test, interval, retries) in [
            (Healthcheck { retries: 5, ..config(&[]) }, "CMD image", 7, 5),
            (Healthcheck { interval: 9, ..config(&["CMD-SHELL", "user"]) }, "CMD-SHELL user", 9, 2),
            (config(&["NONE"]), "NONE", 7, 2),
        ] {
            let merged = merge(Some(&user), Some(&image)).unwrap();
            assert_eq!(
                (merged.test.join(" ").as_str(), merged.interval, merged.retries),
                (test, interval, retries)
            );
        }
        assert_eq!(merge(None, Some(&image)), Some(image));
        assert_eq!(merge(None, None), None);
    }

    #[test]
    fn nonsense_is_refused_in_dockers_words() {
        for (check, said) in [
            (
                Healthcheck { interval: 999_999, ..config(&[]) },
                "Interval in Healthcheck cannot be less than 1ms",
            ),
            (Healthcheck { timeout: -1, ..config(&[]) }, "Timeout in Healthcheck cannot be less than 1ms"),
            (Healthcheck { retries: -1, ..config(&[]) }, "Retries in Healthcheck cannot be negative"),
        ] {
            assert_eq!(validate(&check).unwrap_err(), said);
        }
        assert_eq!(validate(&Healthcheck { interval: 1_000_000, ..config(&[]) }), Ok(()));
    }

    #[test]
    fn status_follows_the_probes() {
        // Codes of probes, one a second from second 1 on, and what is thought after each: s, h, u.
        for (start_period, retries, codes, expected) in [
            (0, 3, "0", "h"),
            (0, 3, "111", "ssu"),
            (0, 3, "0110", "hhhh"),
            (0, 3, "01110", "hhhuh"),
            (0, 1, "101", "uhu"),
            (3, 2, "1111", "sssu"),
            (4, 2, "11101111", "ssshhuuu"),
        ] {
            let check = Check { start_period: Duration::from_secs(start_period), retries, ..check() };
            let mut health = starting();
            let seen: String = codes
                .chars()
                .zip(1..)
                .map(|(code, second)| {
                    let code = code.to_digit(10).unwrap() as i32;
                    let probe = Probe { start: at(second), end: at(second), code, output: String::new() };
                    health.note(&check, at(0), probe);
                    &health.status.as_str()[..1]
                })
                .collect();
            assert_eq!(seen, expected, "{start_period} {retries} {codes}");
        }
    }

    #[test]
    fn changes_are_told_and_five_results_kept() {
        let mut health = starting();
        let changes: Vec<bool> = (0..7)
            .map(|second| {
                let code = i32::from(second >= 3);
                let probe = Probe { start: at(second), end: at(second), code, output: String::new() };
                health.note(&check(), at(0), probe)
            })
            .collect();

        assert_eq!(changes, [true, false, false, false, false, true, false]);
        assert_eq!((health.log.len(), health.log[0].start, health.failing_streak), (5, at(2), 4));
        health.restart();
        assert_eq!((health.status, health.failing_streak, health.log.len()), (Status::Starting, 0, 5));
    }

    #[test]
    fn waits_are_short_in_the_start_period() {
        let seconds = Duration::from_secs;
        let check = Check { start_period: seconds(60), ..check() };
        for (status, up, expected) in [
            (Status::Starting, 0, 5),
            (Status::Starting, 58, 2),
            (Status::Starting, 60, 30),
            (Status::Healthy, 10, 30),
            (Status::Unhealthy, 100, 30),
        ] {
            assert_eq!(check.wait(status, seconds(up)), seconds(expected), "{status:?} {up}");
        }
    }

    #[test]
    fn output_is_cut() {
        let mut output = Output::default();
        output.push(&[b'a'; 4000]);
        assert_eq!(output.text().len(), 4000);
        output.push(&[b'b'; 200]);

        assert_eq!(output.text().len(), OUTPUT_BYTES_MAX + 3);
        assert!(output.text().ends_with("b..."));
    }

    #[test]
    fn overdue_probe_is_told_as_docker_does() {
        for (millis, said, expected) in [
            (1_000, "", "(1s)"),
            (1_500, "", "(1.5s)"),
            (200, "", "(200ms)"),
            (90_000, "late", "(1m30s): late"),
            (3_600_000, "", "(1h0m0s)"),
        ] {
            let text = overdue(Duration::from_millis(millis), said);
            assert_eq!(text, format!("Health check exceeded timeout {expected}"));
        }
    }
}
