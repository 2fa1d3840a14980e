//! What containers do, one fact per test.

mod isolation;
mod life;
mod log;

use crate::host::Test;

/// All tests, in the order they run.
pub const TESTS: &[Test] = &[
    ("program_runs_and_its_output_is_logged", log::program_runs_and_its_output_is_logged),
    ("following_a_log_ends_with_the_container", log::following_a_log_ends_with_the_container),
    ("log_files_rotate_at_their_size", log::log_files_rotate_at_their_size),
    ("terminal_gives_one_stream", log::terminal_gives_one_stream),
    ("exit_code_and_signals_are_reported", life::exit_code_and_signals_are_reported),
    ("stop_asks_and_then_kills", life::stop_asks_and_then_kills),
    ("container_outlives_its_handle", life::container_outlives_its_handle),
    ("killed_shim_takes_its_container_along", life::killed_shim_takes_its_container_along),
    ("shim_killed_while_nobody_watches_is_noticed", life::shim_killed_while_nobody_watches_is_noticed),
    ("exit_while_nobody_watches_is_kept", life::exit_while_nobody_watches_is_kept),
    ("unknown_command_is_refused_in_dockers_words", life::unknown_command_is_refused_in_dockers_words),
    ("ended_container_starts_again_with_its_files", life::ended_container_starts_again_with_its_files),
    ("created_container_can_be_removed", life::created_container_can_be_removed),
    ("bad_specs_leave_nothing_behind", life::bad_specs_leave_nothing_behind),
    ("init_reaps_orphans_and_forwards_signals", life::init_reaps_orphans_and_forwards_signals),
    ("many_start_at_once", life::many_start_at_once),
    ("limits_are_kept_by_the_cgroup", isolation::limits_are_kept_by_the_cgroup),
    ("container_is_in_its_own_cgroup_everywhere", isolation::container_is_in_its_own_cgroup_everywhere),
    ("chosen_cpus_and_shares_are_kept", isolation::chosen_cpus_and_shares_are_kept),
    ("impossible_limit_is_named_and_leaves_nothing", isolation::impossible_limit_is_named_and_leaves_nothing),
    ("out_of_memory_is_reported", isolation::out_of_memory_is_reported),
    ("seccomp_is_on_without_no_new_privileges", isolation::seccomp_is_on_without_no_new_privileges),
    ("no_new_privileges_is_set_when_asked_for", isolation::no_new_privileges_is_set_when_asked_for),
    ("capabilities_are_dockers", isolation::capabilities_are_dockers),
    ("privileged_has_everything", isolation::privileged_has_everything),
    ("kernel_files_are_masked", isolation::kernel_files_are_masked),
    ("container_cannot_change_its_own_limits", isolation::container_cannot_change_its_own_limits),
    ("devices_are_limited", isolation::devices_are_limited),
    ("read_only_root_refuses_writes", isolation::read_only_root_refuses_writes),
    ("user_is_found_by_name", isolation::user_is_found_by_name),
    ("containers_do_not_see_each_other", isolation::containers_do_not_see_each_other),
    ("mounts_and_files_are_placed", isolation::mounts_and_files_are_placed),
    ("mounts_leave_the_writable_layer_empty", isolation::mounts_leave_the_writable_layer_empty),
    (
        "symbolic_links_of_an_image_do_not_reach_the_host",
        isolation::symbolic_links_of_an_image_do_not_reach_the_host,
    ),
    ("network_namespace_is_joined", isolation::network_namespace_is_joined),
];
