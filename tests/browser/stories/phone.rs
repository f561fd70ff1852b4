//! On a phone, in the middle of the night.

use crate::plain::pages;
use crate::signed_in;

#[test]
fn a_failed_task_is_retried_on_a_phone() {
    signed_in(|browser| {
        let site = browser.site();
        site.triggered("orders_daily", "by_phone", "Failed");
        browser.set_screen(390, 844);
        browser.open("/");
        browser.sees("[data-fresh=failed]", "orders_daily");
        browser.open("/dags/orders_daily/runs/by_phone");
        browser.press("load");
        browser.sees(".cause", tidemill_browser::shop::CAUSE);
        browser.press("Retry");
        site.put_up("mended.by_phone");
        browser.press("Run 2 tasks again");
        browser.sees("[data-fresh=state]", "Success");
    });
}

#[test]
fn no_page_is_wider_than_a_phone() {
    signed_in(|browser| {
        let pages = pages(browser.site());
        browser.set_screen(390, 844);
        let mut wide = Vec::new();
        for page in pages {
            browser.open(&page);
            browser.sees("h1", "");
            let over = browser.overhang();
            if over > 0 {
                wide.push(format!("{page} is {over} pixels wider"));
            }
        }
        assert!(wide.is_empty(), "{}", wide.join("\n"));
    });
}
