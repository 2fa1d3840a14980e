//! How long a snapshot of a million tasks takes: `cargo bench -p wire`.

use std::hint::black_box;
use std::sync::LazyLock;

use divan::{Bencher, counter::BytesCount};
use model::{
    ContainerStatus, Meta, NetworkId, NodeId, ServiceId, SpecVersion, Task, TaskAddress, TaskId, TaskState,
    TaskStatus, Timestamp, Version,
};
use store::{Change, Object, View};
use wire::{entry, snapshot};

const TASKS: u64 = 1_000_000;

fn main() {
    println!("a snapshot of {TASKS} tasks: {} bytes per task", BYTES.len() as u64 / TASKS);
    divan::main();
}

static MILLION: LazyLock<View> =
    LazyLock::new(|| View::restore(1, (0..TASKS).map(|n| Object::from(task(n)))).expect("ids are distinct"));
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| snapshot::encode(&MILLION));

fn task(n: u64) -> Task {
    // Spreads numbers over the 128 bits, as random ids are.
    let bits = |n: u64| u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Task {
        id: TaskId::from_bits(bits(n)),
        meta: Meta { version: Version(1), created_at: Timestamp(1), updated_at: Timestamp(2) },
        service: ServiceId::from_bits(bits(n / 10)),
        spec_version: SpecVersion(1),
        slot: 1,
        desired: TaskState::Running,
        node: Some(NodeId::from_bits(bits(n % 1000))),
        addresses: vec![TaskAddress { network: NetworkId::from_bits(1), address: [10, 0, 0, 2].into() }],
        status: TaskStatus {
            state: TaskState::Running,
            at: Timestamp(1),
            message: "started".into(),
            err: String::new(),
            container: Some(Box::new(ContainerStatus {
                container_id: "0123456789abcdef".repeat(4),
                pid: 4711,
                exit_code: 0,
            })),
            ports: Vec::new(),
        },
    }
}

#[divan::bench(sample_count = 5)]
fn encode_snapshot(bencher: Bencher) {
    bencher.counter(BytesCount::new(BYTES.len())).bench(|| snapshot::encode(black_box(&MILLION)));
}

#[divan::bench(sample_count = 5)]
fn decode_snapshot(bencher: Bencher) {
    bencher.counter(BytesCount::new(BYTES.len())).bench(|| snapshot::decode(black_box(&BYTES)));
}

/// An entry of a thousand tasks, there and back.
#[divan::bench]
fn entry_of_a_thousand_tasks(bencher: Bencher) {
    let changes = (0..1000).map(|n| Change::Put(task(n).into())).collect();
    let wanted = entry::Entry { at: Timestamp(1), changes };
    bencher.bench(|| entry::decode(&entry::encode(black_box(&wanted))));
}
