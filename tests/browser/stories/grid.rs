//! The grid, without a mouse.

use tidemill_browser::browser::key;

use crate::signed_in;

#[test]
fn the_grid_is_walked_by_arrows_and_enter_opens_a_run() {
    signed_in(|browser| {
        let site = browser.site();
        site.triggered("prices_weekly", "week_1", "Success");
        site.triggered("prices_weekly", "week_2", "Success");
        browser.open("/dags/prices_weekly");
        browser.sees("#grid tbody", "publish");
        let rows = |browser: &tidemill_browser::Browser<'_>| {
            browser.eval("return [...document.querySelectorAll('#grid tbody tr')].filter((row) => !row.hidden).length")
        };
        browser.eval("document.querySelector('#grid tbody th').focus()");
        // The first row is the group: Enter folds it and unfolds it.
        assert_eq!(rows(browser), 4);
        browser.keys(&[key::ENTER]);
        assert_eq!(rows(browser), 2);
        browser.keys(&[key::ENTER]);
        assert_eq!(rows(browser), 4);
        browser.keys(&[key::DOWN, key::RIGHT]);
        browser.holds(
            "the focus on the first run of the first task",
            "const at = document.activeElement; \
             return at.tagName === 'TD' && at.cellIndex === 1 && at.parentElement.rowIndex === 2",
        );
        browser.keys(&[key::ENTER]);
        browser.arrives("/dags/prices_weekly/runs/");
        browser.sees("h1", "");
    });
}

#[test]
fn a_run_is_looked_at_as_a_graph_and_as_a_chart() {
    signed_in(|browser| {
        browser
            .site()
            .triggered("prices_weekly", "drawn", "Success");
        browser.open("/dags/prices_weekly/runs/drawn");
        browser.press("Graph");
        browser.sees(".graph svg", "publish");
        browser.press("Gantt");
        browser.sees("main svg.gantt", "publish");
    });
}

#[test]
fn a_key_leads_to_each_section_and_tells_of_the_others() {
    signed_in(|browser| {
        browser.open("/");
        browser.keys(&["g", "d"]);
        browser.arrives("/dags");
        browser.sees("h1", "DAGs");
        browser.keys(&["?"]);
        browser.sees("dialog[open]", "these keys");
        browser.keys(&[key::ESCAPE]);
        browser.misses("dialog[open]");
        browser.keys(&["/"]);
        browser.counts("#palette[open]", 1);
        browser.keys(&["p", "r", "i", "c", "e"]);
        browser.sees("#palette [role=option]", "prices_weekly");
        browser.keys(&[key::ENTER]);
        browser.sees("h1", "prices_weekly");
    });
}
