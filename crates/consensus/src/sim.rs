//! A whole group of replicas in one thread with a simulated clock, network and disks, driven by a
//! seed: the same seed gives the same run.
//!
//! Checked all along: one leader per term, the same entry at the same index everywhere,
//! acknowledged entries kept, refused ones gone, reads current.

mod disk;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use disk::Honesty;
use world::{Faults, Story, World};

fn run(seed: u64, faults: Faults, honesty: Honesty) -> Result<Story, String> {
    let run = AssertUnwindSafe(|| World::new(seed, faults, honesty).run());
    catch_unwind(run).unwrap_or_else(|_| Err("a replica panicked".into()))
}

fn check_seeds(seeds: std::ops::Range<u64>, faults: Faults) {
    let mut total = Story::default();
    for seed in seeds {
        match run(seed, faults, Honesty::Honest) {
            Ok(story) => total += story,
            Err(broken) => panic!("seed {seed}: {broken}"),
        }
    }
    println!("{total:?}");
    assert!(total.acknowledged > 0 && total.reads > 0, "the runs did something");
}

#[test]
fn acknowledged_writes_survive_crashes_and_a_bad_network() {
    check_seeds(0..150, Faults { crashes: true, network: true, members: false });
}

#[test]
fn a_changing_group_stays_one_group() {
    check_seeds(1000..1150, Faults { crashes: true, network: true, members: true });
}

#[test]
fn a_calm_group_elects_once() {
    let story = run(7, Faults { crashes: false, network: false, members: false }, Honesty::Honest).unwrap();

    assert_eq!(story.leaders, 1);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let faults = Faults { crashes: true, network: true, members: true };

    let first = run(42, faults, Honesty::Honest).unwrap();

    assert_eq!(first, run(42, faults, Honesty::Honest).unwrap());
}

/// Shows that the checks can fail at all.
#[test]
fn a_disk_that_forgets_synced_writes_is_noticed() {
    let faults = Faults { crashes: true, network: true, members: false };

    let broken = (0..40).filter(|seed| run(*seed, faults, Honesty::ForgetsOnCrash).is_err()).count();

    assert!(broken > 0);
}
