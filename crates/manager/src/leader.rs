//! The leader's loop.

use std::time::Duration;

use consensus::{Proposer, UpdateError};
use model::Timestamp;
use store::{Env, Plan, Touched, View};

use crate::stages;

/// The pause after a proposal that the log did not take.
const RETRY: Duration = Duration::from_millis(100);
/// How many conflicts in a row are followed by another look at once. A plan that keeps conflicting is at
/// odds with itself, and must not fill the log with refusals.
const CONFLICTS_MAX: u32 = 8;
/// The shortest wait for a time to look again; a time in the past must not keep a processor busy.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// How often everything is looked at, whatever changed. It costs one pass and bounds how long a
/// mistake in what counts as touched could go unnoticed.
const FULL_PASS_PERIOD: Duration = Duration::from_secs(60);

/// Runs the stages while this manager leads, until the consensus has stopped.
pub async fn run(proposer: Proposer, clock: fn() -> Timestamp) {
    Leader { proposer, clock, plan: stages::plan }.run().await;
}

/// The loop, over whatever plans.
struct Leader<P> {
    proposer: Proposer,
    clock: fn() -> Timestamp,
    plan: P,
}

/// How a pass ended.
#[derive(Clone, Copy)]
enum Pass {
    /// What was planned is in the state.
    Done { look_again_at: Option<Timestamp> },
    /// The state moved on meanwhile.
    Conflict,
    /// The log did not take it.
    Refused,
}

impl<P: Fn(&View, &Touched, &mut Env<'_>) -> Plan> Leader<P> {
    async fn run(&self) {
        let mut statuses = self.proposer.statuses();
        loop {
            if statuses.wait_for(|status| status.is_leader() || status.stopped.is_some()).await.is_err() {
                return;
            }
            let status = statuses.borrow_and_update().clone();
            if status.stopped.is_some() {
                return;
            }
            tracing::info!(term = status.term, "leading");
            let lost =
                statuses.wait_for(|now| !now.is_leader() || now.term != status.term || now.stopped.is_some());
            tokio::select! {
                // What was proposed is checked against the state it was based on, whoever leads by then.
                _either_way = lost => {}
                () = self.lead() => return,
            }
            tracing::info!(term = status.term, "no longer leading");
        }
    }

    /// Works until the views end.
    async fn lead(&self) {
        let mut views = self.proposer.views();
        let mut seen: Option<View> = None;
        let mut wake = Wake::default();
        let mut conflicts = 0;
        loop {
            let view = views.borrow_and_update().clone();
            let now = (self.clock)();
            let touched = match &seen {
                Some(seen) if !wake.is_due(now) => Touched::between(seen, &view),
                Some(_) | None => Touched::Everything,
            };
            match self.pass(&view, &touched, now).await {
                Pass::Done { look_again_at } => {
                    seen = Some(view);
                    conflicts = 0;
                    wake.next(now, look_again_at, &touched);
                    tokio::select! {
                        changed = views.changed() => if changed.is_err() { return },
                        () = tokio::time::sleep(wake.pause((self.clock)())) => {}
                    }
                }
                // Somebody else wrote what the plan was based on; that view is here.
                Pass::Conflict if conflicts < CONFLICTS_MAX => conflicts += 1,
                Pass::Conflict | Pass::Refused => tokio::time::sleep(RETRY).await,
            }
        }
    }

    async fn pass(&self, view: &View, touched: &Touched, now: Timestamp) -> Pass {
        let mut next_id = rand::random::<u128>;
        let plan = (self.plan)(view, touched, &mut Env { now, next_id: &mut next_id });
        if plan.changes.is_empty() {
            return Pass::Done { look_again_at: plan.look_again_at };
        }
        match self.proposer.propose_in_parts(plan.changes).await {
            Ok(_) => Pass::Done { look_again_at: plan.look_again_at },
            Err(UpdateError::Conflict(conflict)) => {
                tracing::debug!(%conflict, "the state moved on while a plan was made; looking again");
                Pass::Conflict
            }
            Err(error) => {
                tracing::warn!(%error, "a plan was not taken; looking again");
                Pass::Refused
            }
        }
    }
}

/// When to look again although nothing changed.
#[derive(Default)]
struct Wake {
    at: Option<Timestamp>,
    full_pass_at: Timestamp,
}

impl Wake {
    fn is_due(&self, now: Timestamp) -> bool {
        now >= self.full_pass_at || self.at.is_some_and(|at| now >= at)
    }

    fn next(&mut self, now: Timestamp, look_again_at: Option<Timestamp>, touched: &Touched) {
        if matches!(touched, Touched::Everything) {
            // A full pass has seen every reason to look again.
            self.at = look_again_at;
            self.full_pass_at = now.plus(FULL_PASS_PERIOD);
        } else {
            self.at = [self.at, look_again_at].into_iter().flatten().min();
        }
    }

    fn pause(&self, now: Timestamp) -> Duration {
        let next = self.at.map_or(self.full_pass_at, |at| at.min(self.full_pass_at));
        next.since(now).max(PAUSE_MIN)
    }
}

#[cfg(test)]
mod tests;
