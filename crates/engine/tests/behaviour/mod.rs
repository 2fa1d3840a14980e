//! What containers do for their users, one fact per test.

mod attach;
mod create;
mod exec;
mod files;
mod health;
mod leftovers;
mod life;
mod mounts;
mod network;
mod restart;
mod tasks;

use crate::host::Test;

/// All tests, in the order they run.
pub const TESTS: &[Test] = &[
    ("containers_are_named_found_and_described", create::containers_are_named_found_and_described),
    ("what_cannot_be_made_leaves_nothing", create::what_cannot_be_made_leaves_nothing),
    (
        "what_cannot_be_started_stays_created_and_says_why",
        create::what_cannot_be_started_stays_created_and_says_why,
    ),
    ("programs_run_as_they_are_told", create::programs_run_as_they_are_told),
    ("new_volumes_are_filled_from_the_image", mounts::new_volumes_are_filled_from_the_image),
    ("nocopy_and_subpath_are_kept_to", mounts::nocopy_and_subpath_are_kept_to),
    ("volumes_without_names_go_with_their_container", mounts::volumes_without_names_go_with_their_container),
    ("volumes_in_use_are_not_removed", mounts::volumes_in_use_are_not_removed),
    ("containers_share_the_volumes_of_another", mounts::containers_share_the_volumes_of_another),
    ("directories_of_the_host_are_bound_and_made", mounts::directories_of_the_host_are_bound_and_made),
    ("volumes_travel_as_archives", mounts::volumes_travel_as_archives),
    ("published_ports_lead_to_the_container", network::published_ports_lead_to_the_container),
    ("taken_ports_are_refused_or_passed_over", network::taken_ports_are_refused_or_passed_over),
    ("modes_decide_what_is_seen", network::modes_decide_what_is_seen),
    ("verbs_refuse_what_makes_no_sense", life::verbs_refuse_what_makes_no_sense),
    ("containers_end_by_signals_and_begin_again", life::containers_end_by_signals_and_begin_again),
    ("names_and_limits_change", life::names_and_limits_change),
    ("lists_begin_with_what_was_made_last", life::lists_begin_with_what_was_made_last),
    ("files_of_a_container_are_found_on_the_host", life::files_of_a_container_are_found_on_the_host),
    ("unknown_users_are_refused_as_docker_does", life::unknown_users_are_refused_as_docker_does),
    ("processes_are_listed_as_ps_does", life::processes_are_listed_as_ps_does),
    ("unused_containers_are_pruned", life::unused_containers_are_pruned),
    ("many_come_and_go_at_once", life::many_come_and_go_at_once),
    ("files_go_in_and_out_running_or_not", files::files_go_in_and_out_running_or_not),
    ("files_stay_where_the_container_could_not_write", files::files_stay_where_the_container_could_not_write),
    ("half_made_and_half_removed_containers_go", leftovers::half_made_and_half_removed_containers_go),
    (
        "running_containers_are_kept_with_all_they_have",
        leftovers::running_containers_are_kept_with_all_they_have,
    ),
    (
        "tasks_are_containers_that_their_services_care_for",
        tasks::tasks_are_containers_that_their_services_care_for,
    ),
    ("tasks_may_share_the_hosts_network", tasks::tasks_may_share_the_hosts_network),
    ("commands_say_what_they_do_and_how_they_ended", exec::commands_say_what_they_do_and_how_they_ended),
    ("commands_are_told_of_as_events", exec::commands_are_told_of_as_events),
    ("commands_that_cannot_be_executed_say_so", exec::commands_that_cannot_be_executed_say_so),
    ("commands_take_input_to_its_end", exec::commands_take_input_to_its_end),
    ("commands_run_as_they_are_told", exec::commands_run_as_they_are_told),
    ("terminals_of_commands_are_resized_and_left", exec::terminals_of_commands_are_resized_and_left),
    ("commands_need_a_container_that_runs", exec::commands_need_a_container_that_runs),
    ("commands_outlive_the_daemon", exec::commands_outlive_the_daemon),
    (
        "who_attaches_before_the_start_hears_everything",
        attach::who_attaches_before_the_start_hears_everything,
    ),
    ("earlier_output_comes_first", attach::earlier_output_comes_first),
    ("input_for_one_client_ends_with_it", attach::input_for_one_client_ends_with_it),
    ("terminals_are_left_by_their_keys", attach::terminals_are_left_by_their_keys),
    ("logs_are_read_as_asked_for", attach::logs_are_read_as_asked_for),
    ("figures_agree_with_the_kernels", attach::figures_agree_with_the_kernels),
    ("health_follows_the_check", health::health_follows_the_check),
    ("checks_that_hang_are_killed", health::checks_that_hang_are_killed),
    ("containers_without_a_check_have_no_health", health::containers_without_a_check_have_no_health),
    ("checks_go_on_under_another_daemon", health::checks_go_on_under_another_daemon),
    ("failures_are_restarted_as_often_as_allowed", restart::failures_are_restarted_as_often_as_allowed),
    ("what_is_stopped_by_hand_stays_stopped", restart::what_is_stopped_by_hand_stays_stopped),
    ("waiting_containers_can_be_stopped_and_removed", restart::waiting_containers_can_be_stopped_and_removed),
    (
        "another_daemon_keeps_what_runs_and_starts_what_should",
        restart::another_daemon_keeps_what_runs_and_starts_what_should,
    ),
    ("removal_at_the_end_is_waited_for", restart::removal_at_the_end_is_waited_for),
];
