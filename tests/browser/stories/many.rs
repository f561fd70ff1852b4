//! Many runs at once.

use crate::signed_in;

#[test]
fn runs_that_failed_are_retried_together() {
    signed_in(|browser| {
        let site = browser.site();
        for run in ["together_1", "together_2"] {
            site.triggered("orders_daily", run, "Failed");
        }
        browser.open("/runs?dag=orders_daily&state=failed&name=together");
        browser.counts("[data-fresh=runs] tbody tr", 2);
        browser.click("details.many summary");
        browser.press("Retry what failed");
        browser.sees("main", "2 runs of 1 DAG");
        browser.sees("main", "4 tasks would change");
        for run in ["together_1", "together_2"] {
            site.put_up(&format!("mended.{run}"));
        }
        browser.press("Retry what failed: 2 runs");
        browser.arrives("/runs?dag=orders_daily");
        for run in ["together_1", "together_2"] {
            site.stands("orders_daily", run, "Success");
        }
    });
}

#[test]
fn days_of_the_past_are_filled_and_their_progress_is_seen() {
    signed_in(|browser| {
        browser.expect("status of 422");
        browser.open("/dags/sales_by_day");
        browser.press("Backfill …");
        browser.fill("From", "2024-01-05");
        browser.fill("to", "2024-01-03");
        browser.press("Show what it would make");
        browser.sees("[role=alert]", "Nothing was made");
        browser.fill("to", "2024-01-07");
        browser.press("Show what it would make");
        browser.sees("main", "3 runs would be made");
        browser.press("Make the backfill");
        browser.sees("h1", "Backfill");
        browser.sees("[data-fresh=head]", "3 of 3");
        browser.open("/backfills");
        browser.sees("main", "sales_by_day");
    });
}
