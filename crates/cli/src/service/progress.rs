//! How far a service is, told from one look at it.

use std::collections::{BTreeMap, BTreeSet};

use engine_json::{Service, Task};

use format::cut;

/// The states on the way to running, in order.
const STEPS: [&str; 9] =
    ["new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"];
/// Above this many tasks only the sum is shown.
const LINES_MAX: usize = 20;
/// How much of an error is shown: a line must fit a terminal of 80 columns, or drawing it again in place goes wrong.
const ERROR_CHARACTERS_MAX: usize = 68;
/// How many characters of a node's id are shown.
const ID_CHARACTERS: usize = 12;
const BAR_WIDTH: usize = 50;

/// How far a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    /// The sum, for people.
    pub overall: String,
    /// One line per task, or none if there are too many.
    pub lines: Vec<Line>,
    /// Whether everything is as it should be.
    pub is_converged: bool,
}

/// How far one task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Which one, such as `1/3`.
    pub label: String,
    /// What it does or waits for.
    pub stage: Stage,
}

/// What a task does or waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is no such task yet.
    Absent,
    /// It is on its way, or runs.
    At(String),
    /// It waits or failed for this reason.
    Troubled(String),
}

impl Line {
    /// Shows the line with a bar.
    pub(super) fn show(&self) -> String {
        match &self.stage {
            Stage::Absent => format!("{}: ", self.label),
            Stage::Troubled(reason) => format!("{}: {reason} ", self.label),
            Stage::At(state) => {
                let steps = STEPS.iter().position(|step| step == state).map_or(0, |at| at + 1);
                let filled = (BAR_WIDTH * steps / STEPS.len()).max(1);
                let (done, left) = ("=".repeat(filled), " ".repeat(BAR_WIDTH - filled));
                format!("{}: {state:<9} [{done}>{left}] ", self.label)
            }
        }
    }
}

/// Tells how far a service is from its up-to-date tasks and the nodes that are not down.
pub(super) fn look(
    service: &Service,
    tasks: &[Task],
    nodes: &BTreeSet<String>,
    is_rollback: bool,
) -> Progress {
    let mode = &service.spec.mode;
    let verb = if is_rollback { "rolling back update" } else { "overall progress" };
    if let Some(job) = mode.replicated_job {
        return job_of(tasks, job.total_completions.or(job.max_concurrent).unwrap_or(1));
    }
    if mode.global_job.is_some() {
        return job_of(tasks, tasks.iter().map(|task| &task.node_id).collect::<BTreeSet<_>>().len() as u64);
    }
    if let Some(replicated) = mode.replicated {
        let replicas = replicated.replicas.unwrap_or(1);
        let slots = best(tasks, nodes, |task| task.slot.to_string());
        return replicated_of(slots, replicas, verb);
    }
    let tasks = best(tasks, nodes, |task| task.node_id.clone());
    let running = tasks.values().filter(|task| is_running(task)).count();
    let lines = tasks
        .iter()
        .map(|(node, task)| Line { label: cut(node, ID_CHARACTERS).to_owned(), stage: stage(task) });
    Progress {
        overall: match tasks.len() {
            0 => format!("{verb}: waiting for new tasks"),
            count => format!("{verb}: {running} out of {count} tasks"),
        },
        lines: if tasks.len() > LINES_MAX { Vec::new() } else { lines.collect() },
        is_converged: !tasks.is_empty() && running == tasks.len(),
    }
}

fn replicated_of(slots: BTreeMap<String, &Task>, replicas: u64, verb: &str) -> Progress {
    let mut tasks: Vec<&Task> = slots.into_values().collect();
    tasks.sort_by_key(|task| task.slot);
    let running = tasks.iter().filter(|task| is_running(task)).count() as u64;
    let count = usize::try_from(replicas).unwrap_or(usize::MAX);
    let width = replicas.to_string().len();
    let lines = (0..count.min(LINES_MAX + 1)).map(|at| Line {
        label: format!("{:>width$}/{replicas}", at + 1),
        stage: tasks.get(at).map_or(Stage::Absent, |task| stage(task)),
    });
    Progress {
        overall: format!("{verb}: {running} out of {replicas} tasks"),
        lines: if count > LINES_MAX { Vec::new() } else { lines.collect() },
        is_converged: running == replicas,
    }
}

fn job_of(tasks: &[Task], total: u64) -> Progress {
    let complete = tasks.iter().filter(|task| task.status.state == "complete").count() as u64;
    let trouble = tasks.iter().filter(|task| task.status.state != "complete" && !task.status.err.is_empty());
    let lines = trouble
        .take(LINES_MAX)
        .map(|task| Line { label: cut(&task.id, ID_CHARACTERS).to_owned(), stage: stage(task) });
    Progress {
        overall: format!("job progress: {complete} out of {total} complete"),
        lines: lines.collect(),
        is_converged: complete >= total && total > 0,
    }
}

/// Keeps the task of each place that is most wanted and, among those, least far: the one that is waited for.
fn best<'a>(
    tasks: &'a [Task],
    nodes: &BTreeSet<String>,
    place: impl Fn(&Task) -> String,
) -> BTreeMap<String, &'a Task> {
    let mut best: BTreeMap<String, &Task> = BTreeMap::new();
    for task in tasks {
        let is_wanted = rank(&task.desired_state) <= STEPS.len();
        let is_reachable = task.node_id.is_empty() || nodes.contains(&task.node_id);
        if !is_wanted || !is_reachable {
            continue;
        }
        let order = |task: &Task| (rank(&task.desired_state), rank(&task.status.state));
        best.entry(place(task))
            .and_modify(|known| {
                if order(task) < order(known) {
                    *known = task;
                }
            })
            .or_insert(task);
    }
    best
}

fn rank(state: &str) -> usize {
    STEPS.iter().position(|step| *step == state).map_or(STEPS.len() + 1, |at| at + 1)
}

fn is_running(task: &Task) -> bool {
    task.desired_state == "running" && task.status.state == "running"
}

fn stage(task: &Task) -> Stage {
    if task.status.err.is_empty() {
        return Stage::At(task.status.state.clone());
    }
    let reason = task.status.err.replace('\n', " ");
    Stage::Troubled(match reason.chars().count() {
        count if count > ERROR_CHARACTERS_MAX => format!("{}…", cut(&reason, ERROR_CHARACTERS_MAX - 1)),
        _ => reason,
    })
}

#[cfg(test)]
mod tests {
    use engine_json::{Nothing, Replicated};

    use super::*;

    /// Reads tasks such as `1 running running a` (slot, desired, observed, node).
    fn tasks(text: &str) -> Vec<Task> {
        let task = |words: Vec<&str>| {
            let mut task =
                Task { slot: words[0].parse().unwrap(), desired_state: words[1].into(), ..Task::default() };
            task.status.state = words[2].into();
            task.node_id = words.get(3).copied().unwrap_or_default().into();
            task.status.err =
                words[3.min(words.len())..].get(1..).map(|rest| rest.join(" ")).unwrap_or_default();
            task
        };
        text.split('|')
            .map(|one| one.split_whitespace().collect::<Vec<_>>())
            .filter(|words| !words.is_empty())
            .map(task)
            .collect()
    }

    fn check(replicas: Option<u64>, text: &str, overall: &str, lines: &[&str], is_converged: bool) {
        let mut service = Service::default();
        match replicas {
            Some(replicas) => service.spec.mode.replicated = Some(Replicated { replicas: Some(replicas) }),
            None => service.spec.mode.global = Some(Nothing {}),
        }
        let nodes = ["a", "b"].map(str::to_owned).into();

        let progress = look(&service, &tasks(text), &nodes, false);

        assert_eq!(progress.overall, overall, "{text}");
        assert_eq!(progress.is_converged, is_converged, "{text}");
        let shown: Vec<String> = progress
            .lines
            .iter()
            .map(|line| line.show().split(" [").next().unwrap().trim().to_owned())
            .collect();
        assert_eq!(shown, lines, "{text}");
    }

    #[test]
    fn replicas_are_counted_by_slot() {
        check(Some(2), "", "overall progress: 0 out of 2 tasks", &["1/2:", "2/2:"], false);
        check(
            Some(2),
            "1 running running a | 2 running preparing b",
            "overall progress: 1 out of 2 tasks",
            &["1/2: running", "2/2: preparing"],
            false,
        );
        check(
            Some(2),
            "1 running running a | 2 running running b | 2 shutdown running a",
            "overall progress: 2 out of 2 tasks",
            &["1/2: running", "2/2: running"],
            true,
        );
        check(Some(1), "1 running running gone", "overall progress: 0 out of 1 tasks", &["1/1:"], false);
        check(
            Some(1),
            "1 running pending a no suitable node",
            "overall progress: 0 out of 1 tasks",
            &["1/1: no suitable node"],
            false,
        );
        check(Some(0), "", "overall progress: 0 out of 0 tasks", &[], true);
        check(Some(30), "1 running running a", "overall progress: 1 out of 30 tasks", &[], false);
    }

    #[test]
    fn global_services_are_counted_by_node() {
        check(None, "", "overall progress: waiting for new tasks", &[], false);
        check(
            None,
            "0 running running a | 0 running starting b",
            "overall progress: 1 out of 2 tasks",
            &["a: running", "b: starting"],
            false,
        );
        check(None, "0 running running a", "overall progress: 1 out of 1 tasks", &["a: running"], true);
    }

    #[test]
    fn bars_grow_with_the_state() {
        let bar = |state: &str| Line { label: "1/1".into(), stage: Stage::At(state.into()) }.show();

        assert_eq!(bar("running"), format!("1/1: running   [{}>] ", "=".repeat(50)));
        assert!(bar("new").len() == bar("running").len() && bar("new").contains("[=====>"));
    }
}
