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
                let retries = u32::try_from(retries_max)
                    .map_err(|_| InvalidPolicy("maximum retry count cannot be negative".to_owned()))?;
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

/// What people did to a container since its run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ByHand {
    /// Nothing that matters here.
    #[default]
    Untouched,
    /// It got a signal that asks for something else than its end.
    Signalled,
    /// It was told to end.
    Stopped,
}

impl ByHand {
    /// Returns what sending `signal` amounts to; `stop_signal` is the one in the container's configuration.
    ///
    /// As in Docker, a container that names no stop signal takes any signal as the wish that it end.
    pub fn of_kill(signal: Signal, stop_signal: Option<Signal>) -> ByHand {
        match stop_signal {
            Some(stop) if signal != Signal::KILL && signal != stop => ByHand::Signalled,
            Some(_) | None => ByHand::Stopped,
        }
    }
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// How long it ran.
    pub ran: Duration,
    /// What people did to it.
    pub by_hand: ByHand,
    /// How often it was restarted since people started it.
    pub restarts: u32,
    /// The wait before this run, if it was a restart.
    pub waited: Option<Duration>,
}

/// Returns how long to wait for the next run; none if there is to be none.
pub fn after_exit(policy: Policy, ended: &Ended) -> Option<Duration> {
    let again = match (policy, ended.by_hand) {
        (Policy::No, _) | (_, ByHand::Stopped) | (Policy::UnlessStopped, ByHand::Signalled) => false,
        (Policy::Always, _) | (Policy::UnlessStopped, ByHand::Untouched) => true,
        (Policy::OnFailure { retries_max }, ByHand::Untouched | ByHand::Signalled) => {
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
/// One that failed while no daemon was there is restarted as if one had been; one that people stopped stays stopped,
/// except under `always`.
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
        use ByHand::{Signalled, Stopped};
        let hup = "HUP".parse().unwrap();
        for (signal, stop_signal, expected) in [
            (Signal::KILL, None, Stopped),
            (hup, None, Stopped),
            (hup, Some(Signal::TERM), Signalled),
            (Signal::TERM, Some(Signal::TERM), Stopped),
            (Signal::KILL, Some(Signal::TERM), Stopped),
        ] {
            assert_eq!(ByHand::of_kill(signal, stop_signal), expected, "{signal:?} {stop_signal:?}");
        }
    }

    #[test]
    fn policy_decides_after_an_exit() {
        use ByHand::{Signalled, Stopped, Untouched};
        for (text, code, by_hand, restarts, expected) in [
            ("no", 1, Untouched, 0, false),
            ("always", 0, Untouched, 0, true),
            ("always", 0, Signalled, 0, true),
            ("always", 137, Stopped, 0, false),
            ("unless-stopped", 0, Untouched, 9, true),
            ("unless-stopped", 0, Signalled, 0, false),
            ("unless-stopped", 143, Stopped, 0, false),
            ("on-failure", 0, Untouched, 0, false),
            ("on-failure", 1, Untouched, 1000, true),
            ("on-failure:2", 1, Untouched, 1, true),
            ("on-failure:2", 1, Untouched, 2, false),
            ("on-failure", 137, Stopped, 0, false),
        ] {
            let ended = Ended { code, ran: Duration::ZERO, by_hand, restarts, waited: None };
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
                by_hand: ByHand::Untouched,
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
            by_hand: ByHand::Untouched,
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
