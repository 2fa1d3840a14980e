//! The leader's loop.

use std::time::Duration;

use consensus::{Proposer, UpdateError};
use model::Timestamp;
use store::{Env, Touched, View};
use tokio::sync::watch;

use crate::stages;

/// The pause after a proposal that the log did not take.
const RETRY: Duration = Duration::from_millis(100);
/// How often everything is looked at, whatever changed. It costs one pass and bounds how long a
/// mistake in what counts as touched could go unnoticed.
const FULL_PASS_PERIOD: Duration = Duration::from_secs(60);

/// Runs the stages while this manager leads, until the consensus has stopped.
pub async fn run(proposer: Proposer, clock: fn() -> Timestamp) {
    let mut statuses = proposer.statuses();
    loop {
        if statuses.wait_for(|status| status.is_leader() || status.stopped.is_some()).await.is_err() {
            return;
        }
        let status = statuses.borrow_and_update().clone();
        if status.stopped.is_some() {
            return;
        }
        tracing::info!(term = status.term, "leading");
        lead(&proposer, &mut statuses, status.term, clock).await;
        tracing::info!(term = status.term, "no longer leading");
    }
}

/// Works until this manager no longer leads in `term`.
async fn lead(
    proposer: &Proposer,
    statuses: &mut watch::Receiver<consensus::Status>,
    term: u64,
    clock: fn() -> Timestamp,
) {
    let mut views = proposer.views();
    let mut seen: Option<View> = None;
    let mut wake = Wake::default();
    loop {
        let view = views.borrow_and_update().clone();
        let now = clock();
        let touched = match &seen {
            Some(seen) if !wake.is_due(now) => Touched::between(seen, &view),
            Some(_) | None => Touched::Everything,
        };
        let pass = pass(proposer, &view, &touched, now).await;
        match pass {
            Pass::Done { look_again_at } => {
                seen = Some(view);
                wake.next(now, look_again_at, &touched);
            }
            Pass::Conflict => {}
            Pass::Refused => tokio::time::sleep(RETRY).await,
        }
        let pause = wake.pause(clock());
        tokio::select! {
            changed = views.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause), if seen.is_some() => {}
            // Somebody else wrote what the plan was based on: that view is here, or on its way.
            () = std::future::ready(()), if seen.is_none() => {}
            lost = statuses.wait_for(|status| !status.is_leader() || status.term != term) => {
                let _either_way = lost;
                return;
            }
        }
        if statuses.borrow().term != term || !statuses.borrow().is_leader() {
            return;
        }
    }
}

/// How a pass ended.
enum Pass {
    /// What was planned is in the state.
    Done { look_again_at: Option<Timestamp> },
    /// The state moved on meanwhile.
    Conflict,
    /// The log did not take it.
    Refused,
}

async fn pass(proposer: &Proposer, view: &View, touched: &Touched, now: Timestamp) -> Pass {
    let mut next_id = rand::random::<u128>;
    let plan = stages::plan(view, touched, &mut Env { now, next_id: &mut next_id });
    if plan.changes.is_empty() {
        return Pass::Done { look_again_at: plan.look_again_at };
    }
    match proposer.propose_in_parts(plan.changes).await {
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
        let until = |at: Timestamp| at.since(now);
        self.at.map_or(until(self.full_pass_at), |at| until(at).min(until(self.full_pass_at)))
    }
}
