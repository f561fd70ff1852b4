//! What the store promises, on both databases: each test is a function over a [`place::Place`] and runs on PostgreSQL and
//! on SQLite. PostgreSQL is started by the first test that needs it; without it the tests fail.

mod accesses;
mod big;
mod chains;
mod checks;
mod cleans;
mod cluster;
mod commits;
mod finders;
mod found;
mod healths;
mod hints;
mod lives;
mod logins;
mod model;
mod outboxes;
mod pages;
mod place;
mod plans;
mod results;
mod round_trip;
mod sample;
mod schema;
mod sturdy;
mod unknown;

/// Makes a test of each function, on both databases.
macro_rules! on_both {
    ($($module:ident: $($name:ident),+;)+) => {
        mod postgres {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    crate::$module::$name(&crate::place::Place::postgres().await).await;
                }
            )+)+
        }
        mod sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    crate::$module::$name(&crate::place::Place::sqlite().await).await;
                }
            )+)+
        }
    };
}

on_both! {
    accesses:
        a_password_that_is_changed_ends_the_other_sessions,
        a_stale_change_is_refused_with_who_changed,
        a_user_comes_back_as_they_were_made,
        access_never_touches_what_the_leader_writes,
        changes_at_once_come_one_after_the_other,
        every_change_is_in_the_audit_log_in_order,
        grants_are_given_and_taken,
        one_of_many_makes_the_first_admin,
        the_last_admin_stays,
        who_is_disabled_is_out_everywhere;
    chains:
        a_clean_takes_the_beginning_and_nobody_takes_more,
        lines_from_before_there_was_a_chain_are_left_alone,
        many_who_change_access_make_one_chain,
        what_was_not_done_is_in_no_chain,
        what_was_noted_elsewhere_is_asked_for,
        whatever_somebody_does_by_hand_is_found,
        whoever_takes_over_goes_on_with_the_chain;
    checks:
        a_run_may_end_a_moment_after_its_last_task,
        each_check_finds_what_it_is_there_for;
    cleans:
        a_run_that_somebody_clears_meanwhile_stays_whole,
        what_is_of_no_run_goes_by_age,
        whoever_stops_after_a_step_leaves_whole_runs,
        whole_runs_go_and_those_still_needed_stay,
        runs_that_went_are_known_until_their_logs_went;
    commits:
        a_batch_that_comes_twice_is_written_once,
        a_huge_commit_is_one_commit,
        a_leader_that_was_replaced_changes_nothing,
        a_row_that_is_not_there_undoes_the_whole_commit,
        a_second_run_for_a_date_undoes_the_whole_commit,
        numbers_that_were_given_are_never_forgotten,
        of_two_who_commit_the_same_batch_one_does,
        racing_leaders_commit_one_after_the_other,
        the_lead_goes_to_one_at_a_time,
        what_a_database_cannot_hold_is_made_fit_and_wedges_nobody;
    finders:
        a_row_that_somebody_spoilt_is_named,
        outputs_are_found_by_their_attempts,
        runs_are_found_by_their_dates,
        runs_that_have_ended_are_read_back_when_asked_for,
        the_numbers_of_all_runs_that_match_are_found;
    found:
        loads_are_found_by_their_job,
        notes_on_tasks_are_found_for_the_grid;
    healths:
        a_probe_commits_and_changes_nothing,
        the_database_tells_how_it_keeps_what_was_committed;
    hints:
        a_broken_line_only_costs_time,
        many_hints_are_few,
        who_listens_is_told;
    lives:
        each_commit_is_one_beat_and_looking_is_none,
        marks_change_with_what_they_stand_for_and_nothing_else;
    logins:
        a_session_is_touched_once_a_minute_and_ends,
        a_token_works_until_it_is_revoked_or_over,
        tries_to_sign_in_are_counted_in_windows,
        what_is_over_is_forgotten;
    outboxes:
        letters_are_narrowed_to_dags_before_they_are_cut,
        a_relay_that_was_too_slow_changes_nothing,
        what_fails_is_tried_later_until_it_is_dead,
        what_is_due_is_taken_by_one_relay;
    pages:
        attempts_are_listed_by_task_and_by_run,
        days_are_counted_by_state,
        loads_are_listed_page_after_page,
        runs_are_listed_page_after_page,
        the_grid_sums_up_mapped_tasks,
        the_logs_are_listed_page_after_page,
        versions_are_listed_with_how_many_runs_have_them,
        what_people_set_is_listed,
        things_are_found_by_their_names;
    plans:
        nothing_reads_a_whole_table;
    results:
        checks_are_listed_page_after_page,
        each_check_comes_once_with_its_last_results,
        loads_are_summed_day_by_day,
        rows_come_with_the_names_of_their_run_and_task;
    round_trip:
        a_row_that_is_replaced_has_nothing_of_the_old_one,
        every_active_row_comes_back_as_it_was_written;
    schema:
        a_changed_schema_is_refused,
        a_newer_schema_is_refused,
        a_server_that_is_not_there_is_told_from_one_that_is_busy,
        an_address_that_is_none_says_what_one_is,
        an_empty_database_becomes_ours_once,
        every_statement_is_understood,
        somebody_elses_database_is_refused_and_left_alone,
        steps_that_are_missing_are_named_and_not_taken_by_those_who_may_not;
    sturdy:
        callers_that_go_away_leave_nothing_open,
        nobody_is_turned_away_by_thirty_two_writers;
}
