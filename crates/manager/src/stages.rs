//! The stages of the core, in their order.

use store::{Draft, Env, Plan, Touched, View};

/// One stage: what it is called, and how it plans.
pub struct Stage {
    /// Its name, for logs.
    pub name: &'static str,
    /// What it plans for a view, given what changed since it last looked.
    pub plan: fn(&View, &Touched, &mut Env<'_>) -> Plan,
}

/// The stages; each sees the plans of those before it.
pub const STAGES: &[Stage] = &[
    Stage { name: "orchestrator", plan: orchestrator::plan },
    Stage { name: "allocator", plan: allocator::plan },
    Stage { name: "scheduler", plan: scheduler::plan },
];

/// Runs every stage over one view and returns their plans as one.
pub fn plan(view: &View, touched: &Touched, env: &mut Env<'_>) -> Plan {
    let mut draft = Draft::new(view.clone());
    let mut touched = touched.clone();
    for stage in STAGES {
        let before = draft.view().clone();
        let plan = (stage.plan)(draft.view(), &touched, env);
        for note in &plan.notes {
            tracing::info!(stage = stage.name, "{note}");
        }
        draft.absorb(plan);
        // What one stage changed is news to the next.
        touched.merge(Touched::between(&before, draft.view()));
    }
    draft.into_plan()
}
