//! What containers do, one fact per test.

mod exec;
mod isolation;
mod life;
mod log;
mod rest;
mod restore;
mod streams;

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
    ("exec_is_in_the_container", exec::exec_is_in_the_container),
    ("exec_joins_every_cgroup_and_namespace", exec::exec_joins_every_cgroup_and_namespace),
    ("exec_has_the_rights_of_its_container", exec::exec_has_the_rights_of_its_container),
    ("exec_is_refused_in_dockers_words", exec::exec_is_refused_in_dockers_words),
    ("exec_reads_its_input_to_the_end", exec::exec_reads_its_input_to_the_end),
    ("exec_has_a_terminal", exec::exec_has_a_terminal),
    ("exec_outlives_its_handle_and_its_code_is_kept", exec::exec_outlives_its_handle_and_its_code_is_kept),
    ("exec_that_nobody_watches_runs_to_its_end", exec::exec_that_nobody_watches_runs_to_its_end),
    ("many_execs_at_once", exec::many_execs_at_once),
    (
        "container_laid_out_costs_no_process_and_is_found_again",
        rest::container_laid_out_costs_no_process_and_is_found_again,
    ),
    ("stopped_container_is_redefined", rest::stopped_container_is_redefined),
    (
        "what_is_half_made_is_cleaned_and_what_was_whole_is_kept",
        rest::what_is_half_made_is_cleaned_and_what_was_whole_is_kept,
    ),
    ("many_starts_at_once_make_one_run", rest::many_starts_at_once_make_one_run),
    ("nothing_stops_when_the_daemon_dies", restore::nothing_stops_when_the_daemon_dies),
    ("who_attaches_before_the_start_misses_nothing", streams::who_attaches_before_the_start_misses_nothing),
    ("input_ends_with_its_first_writer_if_asked_for", streams::input_ends_with_its_first_writer_if_asked_for),
    ("input_outlives_its_writers_otherwise", streams::input_outlives_its_writers_otherwise),
    (
        "slow_reader_makes_the_container_wait_and_loses_nothing",
        streams::slow_reader_makes_the_container_wait_and_loses_nothing,
    ),
    ("terminal_echoes_interrupts_and_has_a_size", streams::terminal_echoes_interrupts_and_has_a_size),
    ("size_of_a_terminal_is_set_before_the_start", streams::size_of_a_terminal_is_set_before_the_start),
    ("container_without_a_log_is_still_heard", streams::container_without_a_log_is_still_heard),
    (
        "waiting_viewer_sees_the_end_of_a_container_that_cannot_start",
        streams::waiting_viewer_sees_the_end_of_a_container_that_cannot_start,
    ),
];
