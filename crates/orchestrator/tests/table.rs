//! What the orchestrator does in small clusters, case by case.

use testkit::check;

#[track_caller]
fn plans(cluster: &str, expected: &str) {
    check(orchestrator::plan, cluster, expected);
}

mod scaling {
    use super::plans;

    #[test]
    fn a_service_gets_its_replicas_numbered_from_one() {
        plans("web x3", "+web.1 running | +web.2 running | +web.3 running");
    }

    #[test]
    fn a_satisfied_service_is_left_alone() {
        plans("node a | web x2 : 1→a running, 2→a starting", "");
        plans("web x2 : 1 new, 2 pending", "");
        plans("web x0", "");
    }

    #[test]
    fn scaling_up_takes_the_lowest_free_slots() {
        plans("node a | web x4 : 2→a running, 4→a running", "+web.1 running | +web.3 running");
    }

    #[test]
    fn scaling_to_zero_removes_every_task() {
        plans(
            "node a | web x0 : 1→a running, 2 pending, 3→a failed",
            "web.1→a to-remove | -web.2 | -web.3→a",
        );
    }

    #[test]
    fn crowded_nodes_lose_first() {
        plans("node a | node b | web x2 : 1→a running, 2→a running, 3→b running", "web.2→a to-remove");
    }

    #[test]
    fn tasks_without_a_node_go_before_placed_ones() {
        plans("node a | web x2 : 1 pending, 2→a running, 3→a running", "-web.1");
    }

    #[test]
    fn tasks_that_do_not_run_go_before_running_ones() {
        plans("node a | web x2 : 1→a starting, 2→a running, 3→a running", "web.1→a to-remove");
    }

    #[test]
    fn among_equals_high_slots_go_first() {
        plans(
            "node a | node b | node c | web x1 : 1→a running, 2→b running, 3→c running",
            "web.2→b to-remove | web.3→c to-remove",
        );
    }

    #[test]
    fn slots_with_two_tasks_go_before_all() {
        plans(
            "node a | node b | web x1 order=start-first v2 status=updating : \
             1→a running v1, 1→b starting v2 made=5s, 2→a running v2",
            "web completed | web.1→a to-remove | web.1→b to-remove",
        );
    }

    #[test]
    fn the_history_of_a_removed_slot_goes_with_it() {
        plans(
            "node a | web x1 : 1→a running, 2→a running, 2→a failed to-shutdown",
            "web.2→a to-remove | -web.2→a",
        );
    }
}

mod removal {
    use super::plans;

    #[test]
    fn tasks_of_a_removed_service_are_to_be_removed() {
        plans("node a | gone web : 1→a running", "web.1→a to-remove");
    }

    #[test]
    fn tasks_that_never_ran_or_ended_are_deleted_with_their_spec() {
        plans(
            "node a | gone web : 1 pending, 2→a failed, 3→a complete",
            "-web.1 | -web.2→a | -web.3→a | -web v1",
        );
    }

    #[test]
    fn a_task_that_still_stops_is_waited_for() {
        plans("node a | gone web : 1→a running to-remove", "");
        plans("node a | gone web : 1→a shutdown to-remove", "-web.1→a | -web v1");
    }

    #[test]
    fn a_task_whose_node_is_gone_is_not_waited_for() {
        plans("gone web : 1→a running to-remove", "-web.1→a | -web v1");
    }

    #[test]
    fn a_task_on_a_node_that_is_down_is_waited_for() {
        plans("node a down | gone web : 1→a running to-remove", "");
    }

    #[test]
    fn orphans_are_deleted() {
        plans("gone web : 1→a orphaned to-remove", "-web.1→a | -web v1");
    }
}
