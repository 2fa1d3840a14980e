//! What the orchestrator does in small clusters, case by case.

use testkit::{check, story};

#[track_caller]
fn plans(cluster: &str, expected: &str) {
    check(orchestrator::plan, cluster, expected);
}

#[track_caller]
fn happens(cluster: &str, steps: &[(&str, &str)]) {
    story(orchestrator::plan, cluster, steps);
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

mod restarting {
    use super::{happens, plans};

    #[test]
    fn a_failed_task_is_replaced_in_its_slot_after_the_delay() {
        happens(
            "node a | web x2 : 1→a running, 2→a failed 0s",
            &[
                ("", "web.2→a to-shutdown | +web.2 ready"),
                ("pass 4.9s", ""),
                ("pass 0.1s", "web.2 to-running"),
            ],
        );
    }

    #[test]
    fn every_end_is_replaced_under_any() {
        for end in ["complete", "shutdown", "failed", "rejected", "orphaned"] {
            plans(&format!("node a | web : 1→a {end}"), "web.1→a to-shutdown | +web.1 ready");
        }
    }

    #[test]
    fn a_clean_exit_is_not_replaced_under_on_failure() {
        plans("node a | web restart=failure : 1→a complete", "web.1→a to-shutdown");
        plans("node a | web restart=failure : 1→a failed", "web.1→a to-shutdown | +web.1 ready");
        plans("node a | web restart=failure : 1→a complete to-shutdown", "");
    }

    #[test]
    fn nothing_is_replaced_under_none_and_the_slot_stays_taken() {
        plans("node a | web x2 restart=none : 1→a failed", "web.1→a to-shutdown | +web.2 running");
        plans("node a | web x2 restart=none : 1→a failed to-shutdown, 2→a running", "");
    }

    #[test]
    fn the_delay_of_the_policy_counts() {
        happens(
            "node a | web delay=60s : 1→a failed 0s",
            &[("", "web.1→a to-shutdown | +web.1 ready"), ("pass 59s", ""), ("pass 1s", "web.1 to-running")],
        );
        happens("node a | web delay=0s : 1→a failed 0s", &[("", "web.1→a to-shutdown | +web.1 running")]);
    }

    #[test]
    fn a_task_rejected_within_its_delay_is_replaced_only_after_it() {
        happens(
            "node a | web : 1→a failed 0s",
            &[
                ("", "web.1→a to-shutdown | +web.1 ready"),
                ("pass 1s, web.1 @a rejected", ""),
                ("pass 3.9s", ""),
                ("pass 0.1s", "web.1→a to-shutdown | +web.1 ready"),
            ],
        );
    }

    #[test]
    fn attempts_are_counted_per_slot() {
        plans(
            "node a | web x2 attempts=2 : 1→a failed 0s, 1→a failed to-shutdown made=4000s, \
             1→a failed to-shutdown made=5000s, 2→a failed",
            "web.1→a to-shutdown | web.2→a to-shutdown | +web.2 ready",
        );
    }

    #[test]
    fn attempts_before_the_window_do_not_count() {
        let cluster = |made: &str| {
            format!(
                "node a | web attempts=1 window=100s : 1→a failed 0s made={made}, 1→a failed to-shutdown made=900s"
            )
        };
        plans(&cluster("50s"), "web.1→a to-shutdown");
        plans(&cluster("150s"), "web.1→a to-shutdown | +web.1 ready | -web.1→a");
    }

    #[test]
    fn attempts_of_another_version_do_not_count() {
        plans(
            "node a | web v2 attempts=1 : 1→a failed v2, 1→a failed v1 to-shutdown made=4000s, \
             1→a failed v1 to-shutdown made=5000s",
            "web.1→a to-shutdown | +web.1 ready v2 | -web.1→a | -web.1→a | -web v1",
        );
    }

    #[test]
    fn a_failed_task_of_an_old_version_is_replaced_by_the_current_one() {
        plans("node a | web v2 status=paused : 1→a failed v1 0s", "web.1→a to-shutdown | +web.1 running v2");
    }
}

mod losing_nodes {
    use super::{happens, plans};

    #[test]
    fn tasks_of_a_node_that_is_down_are_replaced_at_once() {
        plans(
            "node a | node b down | web x2 : 1→a running, 2→b running",
            "web.2→b to-shutdown | +web.2 running",
        );
    }

    #[test]
    fn tasks_of_a_removed_node_are_replaced_at_once() {
        plans("web : 1→a running", "web.1→a to-shutdown | +web.1 running");
        plans("web : 1→a orphaned", "web.1→a to-shutdown | +web.1 running");
    }

    #[test]
    fn a_drained_nodes_task_is_stopped_before_its_replacement_starts() {
        happens(
            "node a drain | web : 1→a running",
            &[
                ("", "web.1→a to-shutdown | +web.1 ready"),
                ("pass 3s", ""),
                ("web.1→a shutdown", "web.1 to-running"),
            ],
        );
    }

    #[test]
    fn a_task_that_does_not_stop_is_waited_for_a_minute() {
        happens(
            "node a drain | web : 1→a running",
            &[
                ("", "web.1→a to-shutdown | +web.1 ready"),
                ("pass 59.9s", ""),
                ("pass 0.1s", "web.1 to-running"),
            ],
        );
    }

    #[test]
    fn nobody_waits_for_a_task_whose_node_went_down_meanwhile() {
        happens(
            "node a drain | web : 1→a running",
            &[("", "web.1→a to-shutdown | +web.1 ready"), ("node a drain down", "web.1 to-running")],
        );
    }

    #[test]
    fn nodes_that_pause_or_are_silent_for_a_moment_keep_their_tasks() {
        for word in ["pause", "unknown", "disconnected"] {
            plans(&format!("node a {word} | web : 1→a running"), "");
        }
    }

    #[test]
    fn a_lost_task_without_restart_is_not_replaced() {
        plans("node a down | web restart=none : 1→a running", "web.1→a to-shutdown");
    }

    #[test]
    fn a_node_that_returns_gets_nothing_back() {
        happens(
            "node a | node b down | web x1 : 1→b running",
            &[
                ("", "web.1→b to-shutdown | +web.1 running"),
                ("web.1 @a running", ""),
                ("node b", ""),
                ("web.1→b shutdown", ""),
            ],
        );
    }
}

mod updating {
    use super::{happens, plans};

    #[test]
    fn one_slot_at_a_time_is_stopped_and_replaced() {
        happens(
            "node a | web x2 v2 : 1→a running v1, 2→a running v1",
            &[
                ("", "web updating | web.1→a to-shutdown | +web.1 ready v2"),
                ("web.1 @a ready", ""),
                ("web.1→a ready", ""),
                ("pass 1s", ""),
            ],
        );
    }

    #[test]
    fn the_replacement_starts_when_the_old_task_has_stopped() {
        happens(
            "node a | node b | web x2 v2 : 1→a running v1, 2→a running v1",
            &[
                ("", "web updating | web.1→a to-shutdown | +web.1 ready v2"),
                ("web.1 @b ready", ""),
                ("web.1→a shutdown", "web.1→b to-running"),
                ("web.1→b running", "web.2→a to-shutdown | +web.2 ready v2"),
                ("web.2 @b ready, web.2→a shutdown", "web.2→b to-running"),
                ("web.2→b running", ""),
                ("pass 4.9s", ""),
                ("pass 0.1s", "web completed"),
            ],
        );
    }

    #[test]
    fn start_first_keeps_the_old_task_until_the_new_one_runs() {
        happens(
            "node a | node b | web v2 order=start-first : 1→a running v1",
            &[
                ("", "web updating | +web.1 running v2"),
                ("web.1 @b starting", ""),
                ("web.1→b running", "web.1→a to-shutdown"),
                ("pass 5s", "web completed"),
            ],
        );
    }

    #[test]
    fn parallelism_counts_slots() {
        plans(
            "node a | web x5 v2 parallel=2 : \
             1→a running v1, 2→a running v1, 3→a running v1, 4→a running v1, 5→a running v1",
            "web updating | web.1→a to-shutdown | web.2→a to-shutdown | +web.1 ready v2 | +web.2 ready v2",
        );
    }

    #[test]
    fn parallelism_of_zero_takes_all_slots() {
        plans(
            "node a | web x2 v2 parallel=0 : 1→a running v1, 2→a running v1",
            "web updating | web.1→a to-shutdown | web.2→a to-shutdown | +web.1 ready v2 | +web.2 ready v2",
        );
    }

    #[test]
    fn the_next_slot_waits_for_the_delay() {
        happens(
            "node a | node b | web x2 v2 pause=10s order=start-first : 1→a running v1, 2→a running v1",
            &[
                ("", "web updating | +web.1 running v2"),
                ("web.1 @b running", "web.1→a to-shutdown"),
                ("pass 9.9s", ""),
                ("pass 0.1s", "+web.2 running v2"),
                ("web.2 @b running", "web.2→a to-shutdown"),
                ("pass 10.9s", ""),
                ("pass 0.1s", "web completed"),
            ],
        );
    }

    #[test]
    fn an_update_waits_without_end_for_a_task_that_stays_pending() {
        happens(
            "node a | web x2 v2 order=start-first : 1→a running v1, 2→a running v1",
            &[("", "web updating | +web.1 running v2"), ("pass 100000s", "")],
        );
    }

    #[test]
    fn a_failing_task_pauses_the_update() {
        happens(
            "node a | node b | web x2 v2 order=start-first : 1→a running v1, 2→a running v1",
            &[
                ("", "web updating | +web.1 running v2"),
                ("web.1 @b failed", "web paused | web.1→b to-shutdown | +web.1 ready v2"),
                ("pass 100s", "web.1 to-running"),
            ],
        );
    }

    #[test]
    fn a_paused_update_stays_until_the_next() {
        plans("node a | web x2 v2 status=paused : 1→a running v2, 2→a running v1", "");
        happens(
            "node a | web x2 v2 status=paused : 1→a running v2, 2→a running v1",
            &[("service web x2 v3", "web updating | web.1→a to-shutdown | +web.1 ready v3 ")],
        );
    }

    #[test]
    fn failures_up_to_the_ratio_are_accepted() {
        happens(
            "node a | node b | web x2 v2 ratio=0.5 order=start-first : 1→a running v1, 2→a running v1",
            &[
                ("", "web updating | +web.1 running v2"),
                ("web.1 @b failed", "web.1→b to-shutdown | +web.1 ready v2 | +web.2 running v2"),
                ("web.2 @b failed", "web paused | web.2→b to-shutdown | +web.2 ready v2"),
            ],
        );
    }

    #[test]
    fn failures_are_not_counted_when_the_update_is_to_go_on() {
        happens(
            "node a | node b | web x2 v2 on-failure=continue order=start-first : 1→a running v1, 2→a running v1",
            &[
                ("", "web updating | +web.1 running v2"),
                ("web.1 @b failed", "web.1→b to-shutdown | +web.1 ready v2 | +web.2 running v2"),
                ("web.2 @b running", "web.2→a to-shutdown | web completed"),
            ],
        );
    }

    #[test]
    fn a_failing_update_is_rolled_back_if_asked() {
        happens(
            "node a | node b | web x2 on-failure=rollback order=start-first : 1→a running, 2→a running",
            &[
                (
                    "service web x2 v2 on-failure=rollback order=start-first",
                    "web updating | +web.1 running v2",
                ),
                ("web.1 @b running", "web.1→a to-shutdown | +web.2 running v2"),
                (
                    "web.1→a shutdown, web.2 @b failed",
                    "web v1 rollback_started | web.2→b to-shutdown | web.1→b to-shutdown | +web.1 ready",
                ),
                ("web.1→b shutdown", "web.1 to-running"),
                ("web.1 @a running", ""),
                ("pass 5s", "web rollback_completed"),
            ],
        );
    }

    #[test]
    fn a_failing_rollback_is_paused() {
        plans(
            "node a | web x2 status=rollback_started/10s : 1→a failed made=5s 0s, 2→a running",
            "web rollback_paused | web.1→a to-shutdown | +web.1 ready",
        );
    }

    #[test]
    fn a_rollback_without_an_earlier_spec_pauses() {
        plans(
            "node a | web v2 status=updating/10s on-failure=rollback : 1→a failed made=5s 0s",
            "web paused | web.1→a to-shutdown | +web.1 ready v2",
        );
    }

    #[test]
    fn scaling_does_not_update() {
        plans("node a | web x2 v2 : 1→a running", "+web.2 running v2");
    }

    #[test]
    fn a_dead_slot_that_is_taken_is_updated_too() {
        plans(
            "node a | web v2 restart=none : 1→a complete v1 to-shutdown",
            "web updating | +web.1 running v2",
        );
    }

    #[test]
    fn a_second_update_replaces_the_tasks_of_the_first() {
        happens(
            "node a | node b | web order=start-first : 1→a running",
            &[
                ("service web v2 order=start-first", "web updating | +web.1 running v2"),
                ("web.1 @b starting", ""),
                (
                    "service web v3 order=start-first",
                    "web updating | web.1→b to-shutdown | +web.1 running v3",
                ),
                ("web.1 @a running", "web.1→a to-shutdown"),
            ],
        );
    }

    #[test]
    fn removing_every_slot_ends_the_update() {
        plans("web x0 v2 status=updating", "web completed");
    }
}

mod reaping {
    use super::plans;

    #[test]
    fn history_beyond_the_limit_goes_oldest_first() {
        plans(
            "cluster history=2 | node a | web : 1→a running, 1→a failed to-shutdown 10s, 1→a failed to-shutdown 20s",
            "-web.1→a",
        );
    }

    #[test]
    fn a_negative_limit_keeps_everything() {
        plans(
            "cluster history=-1 | node a | web : 1→a running, 1→a failed to-shutdown, 1→a failed to-shutdown, \
             1→a failed to-shutdown, 1→a failed to-shutdown, 1→a failed to-shutdown, 1→a failed to-shutdown",
            "",
        );
    }

    #[test]
    fn a_limit_of_zero_keeps_the_living_only() {
        plans(
            "cluster history=0 | node a | web : 1→a running, 1→a failed to-shutdown made=9000s",
            "-web.1→a",
        );
    }

    #[test]
    fn the_last_of_a_finished_slot_is_kept_whatever_the_limit() {
        plans("cluster history=0 | node a | web restart=none : 1→a complete to-shutdown", "");
    }

    #[test]
    fn a_task_that_still_stops_is_kept() {
        plans("cluster history=0 | node a | web : 1→a running, 1→a running to-shutdown made=9000s", "");
    }

    #[test]
    fn attempts_set_the_limit() {
        plans(
            "node a | web attempts=1 : 1→a running, 1→a failed to-shutdown made=4000s, \
             1→a failed to-shutdown made=5000s 2000s",
            "-web.1→a",
        );
    }

    #[test]
    fn specs_that_nothing_refers_to_are_deleted() {
        plans("node a | web v3 previous=v2 : 1→a running v3", "");
        plans("node a | web v2 : 1→a running v2, 1→a failed v1 to-shutdown made=9000s", "");
        plans(
            "cluster history=0 | node a | web v2 : 1→a running v2, 1→a failed v1 to-shutdown made=9000s",
            "-web.1→a | -web v1",
        );
    }
}
