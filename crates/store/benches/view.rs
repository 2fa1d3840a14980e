//! How much a view of a million tasks costs: `cargo bench -p store`.

use std::hint::black_box;
use std::sync::{Arc, LazyLock};

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use model::{
    Meta, NetworkId, NodeId, ServiceId, SpecVersion, Task, TaskAddress, TaskId, TaskState, TaskStatus,
    Timestamp, Version,
};
use store::{Change, Object, Touched, View, differences};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const TASKS: u64 = 1_000_000;
const TASKS_PER_SERVICE: u64 = 10;
const NODES: u64 = 1000;

fn main() {
    let before = resident_bytes();
    LazyLock::force(&MILLION);
    let bytes = resident_bytes().saturating_sub(before);
    println!("a view of {TASKS} tasks: {} MiB resident, {} bytes per task", bytes >> 20, bytes / TASKS);
    divan::main();
}

static MILLION: LazyLock<View> = LazyLock::new(|| {
    View::restore(1, (0..TASKS).map(|n| Object::from(restored(n)))).expect("ids and names are distinct")
});

/// Spreads numbers over the 128 bits, as random ids are.
fn bits(n: u64) -> u128 {
    u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

fn restored(n: u64) -> Task {
    Task { meta: Meta { version: Version(1), ..Meta::default() }, ..task(n) }
}

fn task(n: u64) -> Task {
    Task {
        id: TaskId::from_bits(bits(n)),
        meta: Meta::default(),
        service: ServiceId::from_bits(bits(n / TASKS_PER_SERVICE)),
        spec_version: SpecVersion(1),
        slot: 1,
        desired: TaskState::Running,
        node: Some(NodeId::from_bits(bits(n % NODES))),
        addresses: vec![TaskAddress { network: NetworkId::from_bits(1), address: [10, 0, 0, 2].into() }],
        status: TaskStatus {
            state: TaskState::Running,
            at: Timestamp(1),
            message: "started".into(),
            err: String::new(),
            container: None,
            ports: Vec::new(),
        },
    }
}

/// Returns a status update of each of these tasks.
fn updates(view: &View, numbers: impl Iterator<Item = u64>) -> Vec<Change> {
    let update = |n| {
        let there = view.task(TaskId::from_bits(bits(n))).expect("the number is below the count");
        let mut task = Task::clone(there);
        task.status.at = Timestamp(2);
        Change::Put(task.into())
    };
    numbers.map(update).collect()
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel has /proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS is always there");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("VmRSS is a number of kB");
    kib << 10
}

/// A snapshot for a reader.
#[divan::bench]
fn clone(bencher: Bencher) {
    bencher.bench(|| black_box(&*MILLION).clone());
}

/// A committed entry that changes one task, while readers hold the view before it.
#[divan::bench]
fn apply_one(bencher: Bencher) {
    let changes = updates(&MILLION, 500_000..500_001);
    bencher
        .with_inputs(|| MILLION.clone())
        .bench_refs(|view| view.apply(2, Timestamp(2), black_box(&changes)).expect("nothing is stale"));
}

/// A committed entry that changes a thousand tasks all over the table.
#[divan::bench]
fn apply_thousand(bencher: Bencher) {
    let changes = updates(&MILLION, (0..TASKS).step_by(1000));
    bencher
        .counter(ItemsCount::new(changes.len()))
        .with_inputs(|| MILLION.clone())
        .bench_refs(|view| view.apply(2, Timestamp(2), black_box(&changes)).expect("nothing is stale"));
}

/// A committed entry that makes a thousand tasks.
#[divan::bench]
fn create_thousand(bencher: Bencher) {
    let changes: Vec<Change> = (TASKS..TASKS + 1000).map(|n| Change::Put(task(n).into())).collect();
    bencher
        .counter(ItemsCount::new(changes.len()))
        .with_inputs(|| MILLION.clone())
        .bench_refs(|view| view.apply(2, Timestamp(2), black_box(&changes)).expect("nothing is there yet"));
}

/// All ten tasks of a service.
#[divan::bench]
fn tasks_of_service(bencher: Bencher) {
    let service = ServiceId::from_bits(bits(777));
    bencher.bench(|| {
        black_box(&*MILLION).tasks_of_service(service).map(Arc::as_ref).map(|t| t.slot).sum::<u32>()
    });
}

/// All thousand tasks on a node.
#[divan::bench]
fn tasks_on_node(bencher: Bencher) {
    let node = NodeId::from_bits(bits(77));
    bencher.bench(|| black_box(&*MILLION).tasks_on_node(node).map(Arc::as_ref).map(|t| t.slot).sum::<u32>());
}

/// What differs after one change.
#[divan::bench]
fn differences_after_one(bencher: Bencher) {
    let mut after = MILLION.clone();
    after.apply(2, Timestamp(2), &updates(&MILLION, 500_000..500_001)).expect("nothing is stale");
    bencher.bench(|| differences(black_box(&MILLION), black_box(&after)));
}

/// What a thousand changes and a thousand new tasks touch.
#[divan::bench]
fn touched_after_two_thousand(bencher: Bencher) {
    let mut changes = updates(&MILLION, (0..TASKS).step_by(1000));
    changes.extend((TASKS..TASKS + 1000).map(|n| Change::Put(task(n).into())));
    let mut after = MILLION.clone();
    after.apply(2, Timestamp(2), &changes).expect("nothing is stale");
    bencher.bench(|| Touched::between(black_box(&MILLION), black_box(&after)));
}

/// A whole snapshot, ordered by id as a view gives it.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn restore(bencher: Bencher) {
    let objects: Vec<Object> = MILLION.objects().collect();
    bencher.with_inputs(|| objects.clone()).bench_values(|objects| View::restore(1, objects));
}
