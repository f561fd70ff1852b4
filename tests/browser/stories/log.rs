//! A log of a hundred thousand lines.

use tidemill_browser::browser::key;
use tidemill_browser::shop::{LINES, NEEDLE};

use crate::signed_in;

const TASK: &str = "/dags/export_rows/runs/long/tasks/export";

/// Each story reads the same log: nobody changes it.
fn written(browser: &tidemill_browser::Browser<'_>) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| browser.site().triggered("export_rows", "long", "Success"));
}

#[test]
fn a_line_is_found_by_its_words() {
    signed_in(|browser| {
        written(browser);
        browser.open(TASK);
        browser.sees("[data-says]", &format!("{LINES} lines"));
        browser.keys(&["f"]);
        browser.holds(
            "the focus in the search",
            "return document.activeElement.name === 'find'",
        );
        browser.fill("Find", "needle");
        browser.keys(&[key::ENTER]);
        browser.sees("[data-found]", "1 of 1");
        let line = browser.sees(".view li.hit", "here is the needle in the haystack");
        assert!(line.starts_with(&NEEDLE.to_string()), "{line}");
        browser.pick("Level", "warn");
        browser.sees("[data-says]", "1 shown");
    });
}

#[test]
fn a_link_leads_to_a_line() {
    signed_in(|browser| {
        written(browser);
        browser.open(&format!("{TASK}?line=70000-70002#log"));
        let line = browser.sees(".view li.on", "row 70000 of");
        assert!(line.starts_with("70000"), "{line}");
        browser.counts(".view li.on", 3);
    });
}

#[test]
fn a_long_log_scrolls_without_a_stop() {
    signed_in(|browser| {
        written(browser);
        browser.open(TASK);
        browser.sees(".log.runs .view", &format!("row {LINES} of"));
        browser.eval(
            "window.late = []; new PerformanceObserver((list) => { for (const one of list.getEntries()) late.push(one.duration) })\
             .observe({ type: 'longtask' })",
        );
        for part in [0.1, 0.9, 0.35, 0.5] {
            browser.eval(&format!(
                "const view = document.querySelector('.view'); view.scrollTop = {part} * (view.scrollHeight - view.clientHeight)"
            ));
            // Rows in view have their words, from this part of the log.
            browser.holds(
                "the lines of that part",
                &format!(
                    "const rows = [...document.querySelectorAll('.view .lines li')]; \
                     const first = Number(rows[0]?.querySelector('a')?.textContent); \
                     return rows.length > 3 && Math.abs(first / {LINES} - {part}) < 0.01 && !rows.some((row) => row.matches('.wait'))"
                ),
            );
        }
        let rows = browser.eval("return document.querySelectorAll('.view .lines li').length");
        assert!(rows.as_u64() < Some(200), "{rows} lines are in the page");
        // A second would be a stop; what is over fifty milliseconds counts as long.
        let late = browser.eval("return Math.max(0, ...window.late)");
        assert!(
            late.as_f64() < Some(1_000.0),
            "the page stood still for {late} ms"
        );
        browser.eval("document.querySelector('.view').focus()");
        browser.keys(&[key::HOME]);
        browser.sees(".view .lines li", "row 1 of");
        browser.keys(&[key::END]);
        browser.sees(".view .lines li:last-child", &format!("row {LINES} of"));
    });
}
