//! A cluster that a test acts on.

use std::time::Duration;

use model::Timestamp;
use store::{Env, Plan, Touched, View};

use crate::describe;
use crate::notation;

/// A deciding stage.
pub type Stage = fn(&View, &Touched, &mut Env<'_>) -> Plan;

/// A view, a time and a source of ids.
#[derive(Debug, Clone)]
pub struct World {
    /// The cluster.
    pub view: View,
    /// The time.
    pub now: Timestamp,
    next_id: u128,
}

impl World {
    /// Returns an empty world at the time at which all test clusters are.
    pub fn empty() -> Self {
        Self { view: View::default(), now: notation::NOW, next_id: 1 << 100 }
    }

    /// Reads a cluster from the notation.
    pub fn parse(text: &str) -> Self {
        Self { view: notation::parse(text), ..Self::empty() }
    }

    /// Returns what the stage plans, looking at everything.
    pub fn plan(&self, stage: Stage) -> Plan {
        self.plan_touched(stage, &Touched::Everything)
    }

    /// Returns what the stage plans, looking at what was touched.
    pub fn plan_touched(&self, stage: Stage, touched: &Touched) -> Plan {
        let mut next = self.next_id;
        let mut next_id = || {
            next += 1;
            next
        };
        stage(&self.view, touched, &mut Env { now: self.now, next_id: &mut next_id })
    }

    /// Applies a plan as the leader's log would.
    pub fn apply(&mut self, plan: &Plan) {
        let index = self.view.index() + 1;
        self.view.apply(index, self.now, &plan.changes).expect("a plan applies to the view it was made on");
        self.next_id += 1 << 20;
    }

    /// Runs the stage once, applies its plan, checks that a second run changes nothing, and returns what changed.
    pub fn settle(&mut self, stage: Stage) -> Vec<String> {
        let before = self.view.clone();
        let plan = self.plan(stage);
        self.apply(&plan);
        let second = self.plan(stage);
        assert!(second.changes.is_empty(), "a plan applied twice is not empty: {:#?}", second.changes);
        describe(&before, &self.view)
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    /// Writes what the given function puts into a draft, as if a user or an agent had.
    pub fn write(&mut self, change: impl FnOnce(&mut store::Draft)) {
        let mut draft = store::Draft::new(self.view.clone());
        change(&mut draft);
        self.apply(&draft.into_plan());
    }

    /// Changes every task that the predicate picks.
    pub fn change_tasks(&mut self, pick: impl Fn(&model::Task) -> bool, change: impl Fn(&mut model::Task)) {
        let picked: Vec<_> = self.view.tasks().filter(|task| pick(task)).cloned().collect();
        self.write(|draft| {
            for task in picked {
                let mut task = (*task).clone();
                change(&mut task);
                draft.put(task);
            }
        });
    }

    /// Returns what several stages plan one after the other, each on what the former ones left.
    pub fn plan_all(&self, stages: &[Stage], touched: &Touched) -> Plan {
        let mut draft = store::Draft::new(self.view.clone());
        let mut next = self.next_id;
        let mut next_id = || {
            next += 1;
            next
        };
        for stage in stages {
            let plan = stage(draft.view(), touched, &mut Env { now: self.now, next_id: &mut next_id });
            draft.absorb(plan);
        }
        draft.into_plan()
    }
}

/// Checks what a stage changes in a cluster. Both are in words; the order of the changes does not matter.
#[track_caller]
pub fn check(stage: Stage, cluster: &str, expected: &str) {
    let mut world = World::parse(cluster);

    let mut changed = world.settle(stage);

    changed.sort();
    assert_eq!(changed, as_lines(expected), "in the cluster: {cluster}");
}

/// Returns the expected changes one by one, ordered.
pub(crate) fn as_lines(expected: &str) -> Vec<String> {
    let lines = expected.split(['|', '\n']).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    lines.sort();
    lines
}
