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

#[cfg(test)]
mod tests {
    use model::TaskState;
    use testkit::World;

    use super::*;

    #[test]
    fn each_stage_sees_what_those_before_it_planned() {
        let names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        let mut world = World::parse("node a | ingress | web x2 publish=80:8080");

        world.settle(plan);

        assert_eq!(names, ["orchestrator", "allocator", "scheduler"]);
        let tasks: Vec<_> = world.view.tasks().collect();
        assert_eq!(tasks.len(), 2);
        for task in tasks {
            assert_eq!(task.status.state, TaskState::Assigned, "one pass makes, addresses and places");
            assert_eq!((task.node.is_some(), task.addresses.len()), (true, 1));
        }
    }

    #[test]
    fn a_second_pass_over_what_was_touched_plans_nothing() {
        let mut world = World::parse("node a | node b | ingress | web x3 publish=80:8080");
        let before = world.view.clone();
        let first = world.plan(plan);
        world.apply(&first);

        let touched = Touched::between(&before, &world.view);

        assert!(!first.changes.is_empty());
        assert!(world.plan_touched(plan, &touched).changes.is_empty());
    }
}
