//! How fast tasks are placed: a whole fleet at once, and one failed task in a large cluster.

use std::sync::Arc;

use divan::Bencher;
use model::{NodeId, ServiceId, SpecVersion, Task, TaskId, TaskState};
use store::{Change, Env, Object, Touched, View};
use testkit::notation;

fn main() {
    divan::main();
}

/// Makes a cluster of services with a thousand tasks each. Of the placed ones every task has a node.
fn cluster(nodes: u32, tasks: u32, placed: bool) -> View {
    let mut view = notation::parse("node a | web : 1 pending");
    let node = Arc::clone(view.nodes().next().expect("the notation has a node"));
    let task = Arc::clone(view.tasks().next().expect("the notation has a task"));
    view.draft(&Change::Delete(node.id.into(), node.meta.version));
    view.draft(&Change::Delete(task.id.into(), task.meta.version));
    let node_id = |number: u32| NodeId::from_bits(scattered(number, 1));
    for number in 0..nodes {
        let node = model::Node { id: node_id(number), ..(*node).clone() };
        view.draft(&Change::Put(node.into()));
    }
    for number in 0..tasks {
        let mut service = notation::empty_service("web");
        service.id = ServiceId::from_bits(scattered(number / 1000, 2));
        if number % 1000 == 0 {
            view.draft(&Change::Put(notation::spec_at(&service, SpecVersion(1)).into()));
        }
        let mut task = Task { service: service.id, slot: number % 1000 + 1, ..(*task).clone() };
        task.id = TaskId::from_bits(scattered(number, 3));
        if placed {
            task.node = Some(node_id(number % nodes));
            task.status.state = TaskState::Running;
        }
        view.draft(&Change::Put(Object::from(task)));
    }
    view
}

/// Returns bits that are spread like random ones and differ for each number and kind.
fn scattered(number: u32, kind: u128) -> u128 {
    let mixed = (u128::from(number) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    (mixed & !0x00FF_FFFF_FFFF) | u128::from(number) << 8 | kind
}

fn plan(view: &View) -> store::Plan {
    let env = &mut Env { now: notation::NOW, next_id: &mut || 0 };
    scheduler::plan(view, &Touched::Everything, env)
}

#[divan::bench(sample_count = 10)]
fn place_100k_tasks_on_10k_nodes(bencher: Bencher<'_, '_>) {
    let view = cluster(10_000, 100_000, false);
    assert_eq!(plan(&view).changes.len(), 100_000);
    bencher.counter(divan::counter::ItemsCount::new(100_000u32)).bench(|| plan(&view));
}

#[divan::bench(sample_count = 10)]
fn replace_one_task_of_1m_on_10k_nodes(bencher: Bencher<'_, '_>) {
    let mut view = cluster(10_000, 1_000_000, true);
    let mut failed = (**view.tasks().nth(500_000).expect("there are a million")).clone();
    let replacement = Task { id: TaskId::from_bits(1), node: None, ..failed.clone() };
    let mut replacement = replacement;
    replacement.status.state = TaskState::Pending;
    failed.status.state = TaskState::Failed;
    failed.desired = TaskState::Shutdown;
    view.draft(&Change::Put(failed.into()));
    view.draft(&Change::Put(replacement.into()));
    assert_eq!(plan(&view).changes.len(), 1);
    bencher.bench(|| plan(&view));
}
