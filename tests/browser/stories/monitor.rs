//! What was loaded, and whether the data is as it should be.

use crate::signed_in;

const CAUSE: &str = "3 of 4,000 rows have no opened_at";

#[test]
fn a_load_is_found_with_its_numbers_and_leads_to_its_task() {
    signed_in(|browser| {
        let site = browser.site();
        site.triggered("tickets_daily", "loaded", "Failed");
        browser.open("/loads?table=shop.tickets");
        browser.sees(".charts", "Rows loaded a day");
        browser.sees("[data-fresh=loads]", "4,000");
        browser.open("/loads?table=elsewhere");
        browser.sees(".empty", "No load is like this.");
        browser.open("/dags/tickets_daily/runs/loaded/tasks/load");
        browser.sees("[data-fresh=loads]", "4,000 rows");
        browser.click("[data-fresh=loads] a.what");
        browser.arrives("/dags/tickets_daily/loads/");
        browser.sees(".facts", "5,000");
        browser.sees(".sources", "gs://shop-crm/tickets/loaded.parquet");
        assert_eq!(browser.barriers(), Vec::<String>::new());
        browser.press("load");
        browser.arrives("/runs/loaded/tasks/load");
        browser.open("/");
        browser.sees("[data-fresh=today]", "rows in");
    });
}

#[test]
fn a_check_that_failed_shows_its_rows_and_the_sql_that_gives_them() {
    signed_in(|browser| {
        let site = browser.site();
        site.triggered("tickets_daily", "checked", "Failed");
        browser.open("/dags/tickets_daily/runs/checked/tasks/check");
        browser.sees("[data-fresh=checks]", CAUSE);
        browser.press("not_null(opened_at)");
        browser.arrives("/dags/tickets_daily/checks/");
        browser.sees(".msg", CAUSE);
        browser.sees(".sample", "t-404");
        browser.sees(".sample", "***");
        browser.sees(".sql", "WHERE opened_at IS NULL");
        assert_eq!(browser.barriers(), Vec::<String>::new());
        browser.set_screen(390, 844);
        assert_eq!(browser.overhang(), 0, "on a phone");
        browser.open("/checks?table=shop.tickets");
        browser.sees("[data-fresh=checks]", "unique(ticket_id)");
        browser.sees("[data-fresh=checks] .marks", "");
        assert_eq!(browser.overhang(), 0, "on a phone");
    });
}
