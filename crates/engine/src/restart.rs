//! When a container that has ended starts again, and how long it waits before.

use std::num::NonZeroU32;
use std::time::Duration;

use container::Signal;

/// The wait before the first restart.
const DELAY_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two runs.
const DELAY_MAX: Duration = Duration::from_secs(60);
/// A run of this length counts as a good one: the next wait is the shortest again.
const GOOD_RUN: Duration = Duration::from_secs(10);

/// What is done about a container that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Nothing.
    #[default]
    No,
    /// It starts again, whatever its exit code; also with the daemon, even if it was stopped by hand.
    Always,
    /// The same, but a container that was stopped by hand stays so.
    UnlessStopped,
    /// It starts again if it failed.
    OnFailure {
        /// How often at most; none means without end.
        retries_max: Option<NonZeroU32>,
    },
}

/// A restart policy that makes no sense, in Docker's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid restart policy: {0}")]
pub struct InvalidPolicy(String);

impl Policy {
    /// Reads a policy as the API writes it.
    pub fn parse(name: &str, retries_max: i64) -> Result<Policy, InvalidPolicy> {
        let policy = match name {
            "" | "no" => Policy::No,
            "always" => Policy::Always,
            "unless-stopped" => Policy::UnlessStopped,
            "on-failure" => {
                let retries = u32::try_from(retries_max).map_err(|_| {
                    InvalidPolicy("maximum retry count cannot be negative".to_owned())
                })?;
                return Ok(Policy::OnFailure { retries_max: NonZeroU32::new(retries) });
            }
            unknown => {
                return Err(InvalidPolicy(format!(
                    "unknown policy '{unknown}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
                )));
            }
        };
        if retries_max == 0 {
            return Ok(policy);
        }
        let and = if retries_max < 0 { " and cannot be negative" } else { "" };
        Err(InvalidPolicy(format!("maximum retry count can only be used with 'on-failure'{and}")))
    }
}

/// Tells whether a signal that people send is the wish that the container end; `stop_signal` is the one it is made with.
///
/// As in Docker, a container that names no stop signal takes any signal for that wish.
pub fn is_wish_to_end(signal: Signal, stop_signal: Option<Signal>) -> bool {
    signal == Signal::KILL || stop_signal.is_none_or(|stop| signal == stop)
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// How long it ran.
    pub ran: Duration,
    /// Whether people wanted it to end.
    pub stopped_by_hand: bool,
    /// How often it was restarted since people started it.
    pub restarts: u32,
    /// The wait before this run, if it was a restart.
    pub waited: Option<Duration>,
}

/// Returns how long to wait for the next run; none if there is to be none.
pub fn after_exit(policy: Policy, ended: &Ended) -> Option<Duration> {
    let again = !ended.stopped_by_hand
        && match policy {
            Policy::No => false,
            Policy::Always | Policy::UnlessStopped => true,
            Policy::OnFailure { retries_max } => {
                ended.code != 0 && retries_max.is_none_or(|max| ended.restarts < max.get())
            }
        };
    again.then(|| match ended.waited {
        Some(waited) if ended.ran < GOOD_RUN => (waited * 2).min(DELAY_MAX),
        Some(_) | None => DELAY_MIN,
    })
}

/// What is known of a container when the daemon starts and finds it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether it ever ran.
    pub has_run: bool,
    /// Its last exit code.
    pub code: i32,
    /// Whether people ended it.
    pub stopped_by_hand: bool,
    /// How often it was restarted since people started it.
    pub restarts: u32,
}

/// Tells whether a container starts together with the daemon.
///
/// One that failed while no daemon was there is restarted as if one had been; one that people stopped stays stopped, except
/// under `always`.
pub fn starts_with_daemon(policy: Policy, found: &Found) -> bool {
    let may = match policy {
        Policy::No => false,
        Policy::Always => true,
        Policy::UnlessStopped => !found.stopped_by_hand,
        Policy::OnFailure { retries_max } => {
            !found.stopped_by_hand
                && found.code != 0
                && retries_max.is_none_or(|max| found.restarts < max.get())
        }
    };
    found.has_run && may
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        let (name, max) = text.split_once(':').unwrap_or((text, "0"));
        Policy::parse(name, max.parse().unwrap()).unwrap()
    }

    #[test]
    fn policies_are_read_or_refused_in_dockers_words() {
        let max = NonZeroU32::new(3);
        assert_eq!(policy(""), Policy::No);
        assert_eq!(policy("on-failure"), Policy::OnFailure { retries_max: None });
        assert_eq!(policy("on-failure:3"), Policy::OnFailure { retries_max: max });
        for (name, max, said) in [
            ("always", 1, "maximum retry count can only be used with 'on-failure'"),
            ("no", -1, "maximum retry count can only be used with 'on-failure' and cannot be negative"),
            ("on-failure", -1, "maximum retry count cannot be negative"),
            (
                "often",
                0,
                "unknown policy 'often'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
            ),
        ] {
            let refused = Policy::parse(name, max).unwrap_err();
            assert_eq!(refused.to_string(), format!("invalid restart policy: {said}"));
        }
    }

    #[test]
    fn signals_of_people_count_as_in_docker() {
        let hup = "HUP".parse().unwrap();
        for (signal, stop_signal, expected) in [
            (Signal::KILL, None, true),
            (hup, None, true),
            (hup, Some(Signal::TERM), false),
            (Signal::TERM, Some(Signal::TERM), true),
            (Signal::KILL, Some(Signal::TERM), true),
        ] {
            assert_eq!(is_wish_to_end(signal, stop_signal), expected, "{signal:?} {stop_signal:?}");
        }
    }

    #[test]
    fn policy_decides_after_an_exit() {
        for (text, code, stopped_by_hand, restarts, expected) in [
            ("no", 1, false, 0, false),
            ("always", 0, false, 0, true),
            ("always", 137, true, 0, false),
            ("unless-stopped", 0, false, 9, true),
            ("unless-stopped", 143, true, 0, false),
            ("on-failure", 0, false, 0, false),
            ("on-failure", 1, false, 1000, true),
            ("on-failure:2", 1, false, 1, true),
            ("on-failure:2", 1, false, 2, false),
            ("on-failure", 137, true, 0, false),
        ] {
            let ended = Ended { code, ran: Duration::ZERO, stopped_by_hand, restarts, waited: None };
            assert_eq!(after_exit(policy(text), &ended).is_some(), expected, "{text} {ended:?}");
        }
    }

    #[test]
    fn waits_double_to_a_minute_and_shrink_after_a_good_run() {
        let mut waited = None;
        let mut waits = Vec::new();
        for seconds in [0, 0, 9, 10, 0, 3600] {
            let ended = Ended {
                code: 1,
                ran: Duration::from_secs(seconds),
                stopped_by_hand: false,
                restarts: 0,
                waited,
            };
            waited = after_exit(Policy::Always, &ended);
            waits.push(waited.unwrap().as_millis());
        }
        assert_eq!(waits, [100, 200, 400, 100, 200, 100]);

        let ended = Ended {
            code: 1,
            ran: Duration::ZERO,
            stopped_by_hand: false,
            restarts: 0,
            waited: Some(Duration::from_secs(45)),
        };
        assert_eq!(after_exit(Policy::Always, &ended), Some(DELAY_MAX));
    }

    #[test]
    fn policy_decides_when_the_daemon_starts() {
        for (text, has_run, code, stopped_by_hand, expected) in [
            ("no", true, 1, false, false),
            ("always", true, 0, true, true),
            ("always", false, 0, false, false),
            ("unless-stopped", true, 0, false, true),
            ("unless-stopped", true, 0, true, false),
            ("on-failure", true, 1, false, true),
            ("on-failure", true, 0, false, false),
            ("on-failure", true, 143, true, false),
            ("on-failure:3", true, 1, false, false),
        ] {
            let found = Found { has_run, code, stopped_by_hand, restarts: 3 };
            assert_eq!(starts_with_daemon(policy(text), &found), expected, "{text} {found:?}");
        }
    }
}
