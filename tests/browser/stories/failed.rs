//! Something failed in the night.

use tidemill_browser::shop::CAUSE;

use crate::signed_in;

const TASK: &str = "/dags/orders_daily/runs";

#[test]
fn from_home_to_the_cause_to_a_retry_that_turns_green_before_their_eyes() {
    signed_in(|browser| {
        let site = browser.site();
        site.trigger("orders_daily", "friday");
        site.triggered("orders_daily", "saturday", "Failed");
        site.stands("orders_daily", "friday", "Failed");
        browser.open("/");
        let seen = browser.sees("[data-fresh=failed] ul", CAUSE);
        assert!(seen.contains("orders_daily · load"), "{seen}");
        assert!(seen.contains("runs, one cause"), "{seen}");
        browser.open(&format!("{TASK}/friday/tasks/load"));
        browser.sees(".cause", "ask the shop to mend its export");
        browser.sees("[data-says]", "340 lines");
        browser.sees(".view li.error", CAUSE);
        browser.holds(
            "the first error to be in view",
            "const line = document.querySelector('.view li.error')?.getBoundingClientRect(); \
             const view = document.querySelector('.view').getBoundingClientRect(); \
             return Boolean(line) && line.top >= view.top && line.bottom <= view.bottom",
        );
        browser.press("Retry");
        browser.sees(".preview", "This would run again");
        browser.lists(".changes .what", &["load", "report"]);
        site.put_up("mended.friday");
        browser.press("Run 2 tasks again");
        browser.sees(".said", "2 tasks run again");
        browser.mark();
        browser.sees("[data-fresh=state]", "Success");
        assert!(browser.is_marked(), "the page was loaded again");
        site.stands("orders_daily", "friday", "Success");
    });
}

#[test]
fn what_is_cleared_is_what_the_preview_showed() {
    signed_in(|browser| {
        let site = browser.site();
        site.put_up("mended.cleared");
        site.triggered("orders_daily", "cleared", "Success");
        browser.open(&format!("{TASK}/cleared/tasks/load"));
        browser.press("Clear downstream");
        browser.sees(".preview", "This would run again");
        browser.lists(".changes .what", &["load", "report"]);
        browser.pick("What", "This task only");
        browser.press("Show");
        browser.arrives("scope=this");
        browser.lists(".changes .what", &["load"]);
        browser.pick("What", "The whole run");
        browser.press("Show");
        browser.arrives("scope=run");
        browser.counts(".changes .what", 3);
        browser.press("Run 3 tasks again");
        browser.sees(".said", "3 tasks run again");
        site.stands("orders_daily", "cleared", "Success");
        browser.open(&format!("{TASK}/cleared"));
        browser.press("Events");
        browser.sees("[data-fresh=events]", "ada");
    });
}

#[test]
fn of_two_who_retry_the_second_is_told_who_was_first() {
    signed_in(|browser| {
        let site = browser.site();
        site.triggered("orders_daily", "contested", "Failed");
        browser.expect("status of 409");
        browser.open(&format!("{TASK}/contested/tasks/load/clear?scope=blocked"));
        browser.sees(".preview", "load");
        browser.in_another_tab(|browser| {
            site.put_up("mended.contested");
            browser.open(&format!("{TASK}/contested/tasks/load/clear?scope=blocked"));
            browser.press("Run 2 tasks again");
            browser.sees(".said", "2 tasks run again");
            site.stands("orders_daily", "contested", "Success");
        });
        browser.press("Run 2 tasks again");
        browser.sees("main", "Ada cleared it");
        browser.sees("main", "Look again before you change it");
    });
}

#[test]
fn a_task_is_marked_as_success_with_a_note() {
    signed_in(|browser| {
        let site = browser.site();
        site.triggered("orders_daily", "excused", "Failed");
        browser.open(&format!("{TASK}/excused/tasks/load"));
        browser.press("Mark");
        browser.pick("As", "Success: what follows can run");
        browser.press("Show");
        browser.sees(".preview", "load");
        browser.press("Mark 2 tasks");
        browser.holds(
            "the browser to ask for a note",
            "return document.querySelector('textarea[name=note]').matches(':invalid')",
        );
        browser.fill("Note", "the file was loaded by hand");
        browser.press("Mark 2 tasks");
        browser.sees("[data-fresh=state]", "Success");
        site.stands("orders_daily", "excused", "Success");
        browser.open(&format!("{TASK}/excused"));
        browser.sees(".note", "the file was loaded by hand");
    });
}

#[test]
fn all_that_failed_in_a_run_is_retried_at_once() {
    signed_in(|browser| {
        let site = browser.site();
        site.triggered("stock_count", "monday", "Failed");
        browser.open("/dags/stock_count/runs/monday");
        browser.sees("[data-fresh=tasks]", "1 Failed");
        browser.press("Retry what failed");
        browser.sees("main", "count[2]");
        site.put_up("mended.monday");
        browser.press("Retry what failed");
        browser.sees(".said", "runs again where it failed");
        browser.mark();
        browser.sees("[data-fresh=head] .head", "Success");
        assert!(browser.is_marked(), "the page was loaded again");
    });
}
