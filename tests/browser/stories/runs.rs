//! Runs and DAGs that are stopped, held back and answered.

use crate::signed_in;

#[test]
fn a_run_is_cancelled() {
    signed_in(|browser| {
        let site = browser.site();
        site.trigger("move_warehouse", "to_be_cancelled");
        site.stands("move_warehouse", "to_be_cancelled", "Running");
        browser.open("/dags/move_warehouse/runs/to_be_cancelled");
        browser.press("Cancel");
        browser.sees("main", "The run ends as cancelled");
        browser.press("Cancel the run");
        browser.sees(".said", "is cancelled");
        browser.mark();
        browser.sees("[data-fresh=head] .head", "Cancelled");
        assert!(browser.is_marked(), "the page was loaded again");
    });
}

#[test]
fn a_running_task_ends_before_their_eyes() {
    signed_in(|browser| {
        let site = browser.site();
        site.trigger("move_warehouse", "watched");
        browser.open("/dags/move_warehouse/runs/watched");
        browser.sees("[data-fresh=tasks]", "Running");
        browser.mark();
        site.put_up("go.watched");
        browser.sees("[data-fresh=head] .head", "Success");
        assert!(browser.is_marked(), "the page was loaded again");
    });
}

#[test]
fn a_dag_is_paused_and_goes_on() {
    signed_in(|browser| {
        browser.open("/dags/nightly_backup");
        browser.press("Pause");
        browser.sees(".said", "nightly_backup is paused");
        browser.sees(".head", "Paused");
        browser.open("/dags?q=nightly");
        browser.sees("[data-fresh=dags]", "Paused");
        browser.press("Resume");
        browser.sees(".said", "nightly_backup goes on");
    });
}

#[test]
fn a_question_is_answered_and_the_run_goes_on() {
    signed_in(|browser| {
        let site = browser.site();
        site.trigger("spend_budget", "asked");
        browser.open("/dags/spend_budget/runs/asked");
        browser.sees(".facts", "");
        tidemill_browser::until("the question", || {
            browser.reload();
            browser.words(".question")
        });
        browser.sees(".question", "Spend 120 euros?");
        browser.click(".question .choices a");
        browser.sees("main", "Your answer: approve");
        browser.press("Answer");
        browser.sees(".said", "is answered");
        browser.sees("[data-fresh=head] .head", "Success");
    });
}

#[test]
fn a_run_is_found_by_the_beginning_of_its_name_and_by_its_state() {
    signed_in(|browser| {
        browser
            .site()
            .triggered("prices_weekly", "findme_today", "Success");
        browser.open("/runs");
        browser.fill("Name begins with", "findme");
        browser.press("Show");
        browser.counts("[data-fresh=runs] tbody tr", 1);
        browser.sees("[data-fresh=runs]", "findme_today");
        browser.pick("State", "failed");
        browser.press("Show");
        browser.sees("main", "No run is like this");
        browser.press("Show all");
        browser.sees("[data-fresh=runs]", "findme_today");
    });
}
