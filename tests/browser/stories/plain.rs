//! What must hold on every page: names, order, contrast, both themes, and reading without scripts.

use crate::signed_in;
use tidemill_browser::{Browser, Site};

/// Runs that pages can be about, and the pages.
pub(crate) fn pages(site: &Site) -> Vec<String> {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        site.trigger("move_warehouse", "on_and_on");
        site.trigger("spend_budget", "plain");
        site.triggered("orders_daily", "plain", "Failed");
        site.triggered("stock_count", "plain", "Failed");
        site.triggered("tickets_daily", "plain", "Failed");
        site.stands("move_warehouse", "on_and_on", "Running");
    });
    let pages = [
        "/",
        "/dags",
        "/runs",
        "/workers",
        "/loads",
        "/checks",
        "/search?q=plain",
        "/dags/orders_daily",
        "/dags/prices_weekly",
        "/dags/orders_daily?run=plain",
        "/dags/orders_daily/graph",
        "/dags/sales_report/trigger",
        "/dags/orders_daily/runs/plain",
        "/dags/orders_daily/runs/plain?tab=graph",
        "/dags/orders_daily/runs/plain?tab=gantt",
        "/dags/orders_daily/runs/plain?tab=params",
        "/dags/orders_daily/runs/plain?tab=events",
        "/dags/move_warehouse/runs/on_and_on",
        "/dags/move_warehouse/runs/on_and_on/do/cancel",
        "/dags/spend_budget/runs/plain",
        "/dags/stock_count/runs/plain",
        "/dags/stock_count/runs/plain/do/retry",
        "/dags/stock_count/runs/plain/tasks/count",
        "/dags/orders_daily/runs/plain/tasks/load",
        "/dags/orders_daily/runs/plain/tasks/load/clear?scope=downstream",
        "/dags/orders_daily/runs/plain/tasks/load/mark",
        "/dags/orders_daily/runs/plain/tasks/load/alike",
        "/dags/move_warehouse/runs/on_and_on/priority",
        "/variables",
        "/connections",
        "/pools",
        "/audit",
    ];
    pages.map(ToOwned::to_owned).to_vec()
}

fn without_barriers(browser: &Browser<'_>, theme: &str) {
    let mut found = Vec::new();
    browser.set_theme(theme);
    for page in pages(browser.site()) {
        browser.open(&page);
        browser.sees("h1", "");
        let barriers = browser.barriers().into_iter();
        found.extend(barriers.map(|barrier| format!("{page}: {barrier}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_page_can_be_used_by_keys_heard_and_read_in_the_light_theme() {
    signed_in(|browser| without_barriers(browser, "light"));
}

#[test]
fn every_page_can_be_used_by_keys_heard_and_read_in_the_dark_theme() {
    signed_in(|browser| without_barriers(browser, "dark"));
}

#[test]
fn the_dark_theme_is_chosen_and_stays() {
    signed_in(|browser| {
        let ground = "return getComputedStyle(document.body).backgroundColor";
        browser.open("/");
        let light = browser.eval(ground);
        browser.press("Light or dark");
        let dark = browser.eval(ground);
        assert_ne!(light, dark);
        browser.open("/dags");
        assert_eq!(browser.eval(ground), dark);
        browser.press("Light or dark");
        assert_eq!(browser.eval(ground), light);
    });
}

#[test]
fn everything_is_read_without_scripts() {
    signed_in(|browser| {
        let pages = pages(browser.site());
        browser.set_scripts(false);
        for page in &pages {
            browser.open(page);
            browser.sees("h1", "");
            browser.holds(
                "no part that only scripts fill",
                "return !document.documentElement.classList.contains('has-js')",
            );
        }
        browser.open("/dags/orders_daily/runs/plain/tasks/load");
        browser.sees(".view", tidemill_browser::shop::CAUSE);
        browser.fill("Find", "orders_0007");
        browser.press("Find");
        browser.sees(".hits", "orders_0007.csv: 1,000 rows");
        browser.press("Retry");
        browser.sees(".preview", "load");
    });
}
