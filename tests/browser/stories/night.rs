//! What makes somebody fast who is called at night.

use tidemill_browser::browser::key;
use tidemill_browser::shop::CAUSE;

use crate::signed_in;

const ORDERS: &str = "/dags/orders_daily/runs";

#[test]
fn lines_of_a_log_come_while_somebody_looks() {
    signed_in(|browser| {
        let site = browser.site();
        site.trigger("move_warehouse", "spoken");
        site.stands("move_warehouse", "spoken", "Running");
        browser.open("/dags/move_warehouse/runs/spoken/tasks/pack");
        browser.sees("[data-says]", "live");
        browser.mark();
        site.put_up("speak.spoken");
        browser.sees(".view li", "half of it is packed");
        site.put_up("go.spoken");
        browser.sees("[data-fresh=state]", "Success");
        browser.holds(
            "the log to be over",
            "return !document.querySelector('[data-says]').textContent.includes('live')",
        );
        assert!(browser.is_marked(), "the page was loaded again");
    });
}

#[test]
fn picked_lines_go_into_a_chat_as_markdown() {
    signed_in(|browser| {
        let site = browser.site();
        site.triggered("orders_daily", "quoted", "Failed");
        browser.open(&format!("{ORDERS}/quoted/tasks/load?line=1-2#log"));
        browser.sees("[data-picked-says]", "lines 1 to 2");
        browser.eval(
            "Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { window.copied = text; } } })",
        );
        browser.keys(&["y"]);
        browser.sees("[data-copied]", "copied");
        let copied = browser.eval("return window.copied");
        let copied = copied.as_str().unwrap_or_default();
        assert!(copied.starts_with('['), "{copied}");
        for wanted in ["lines 1 to 2", "#L1-L2", "```text\n1 "] {
            assert!(copied.contains(wanted), "{wanted} in {copied}");
        }
        browser.press("Retry from here");
        browser.sees(".preview", "load");
    });
}

#[test]
fn a_failure_is_compared_with_the_last_success() {
    signed_in(|browser| {
        let site = browser.site();
        site.put_up("mended.good_day");
        site.triggered("orders_daily", "good_day", "Success");
        site.triggered("orders_daily", "bad_day", "Failed");
        browser.open(&format!("{ORDERS}/bad_day"));
        browser.sees(".roots", CAUSE);
        browser.sees(".roots", "1 task could not run because of it");
        browser.open(&format!("{ORDERS}/bad_day/tasks/load"));
        browser.keys(&["d"]);
        browser.arrives("/compare");
        browser.sees(".compare .differs", "");
        browser.sees(".diffed .came", CAUSE);
    });
}

#[test]
fn brackets_lead_to_the_run_before_and_the_run_after() {
    signed_in(|browser| {
        let site = browser.site();
        for run in ["first_count", "second_count"] {
            site.triggered("stock_count", run, "Failed");
        }
        browser.open("/dags/stock_count/runs/second_count");
        browser.sees("h1", "second_count");
        browser.keys(&["["]);
        browser.holds(
            "another run",
            "return document.querySelector('h1') && document.querySelector('h1').textContent !== 'second_count'",
        );
        browser.keys(&["]"]);
        browser.sees("h1", "second_count");
        browser.keys(&["2"]);
        browser.arrives("only=failed");
    });
}

#[test]
fn the_palette_does_what_the_buttons_do() {
    signed_in(|browser| {
        let site = browser.site();
        site.triggered("orders_daily", "commanded", "Failed");
        browser.open(&format!("{ORDERS}/commanded"));
        browser.keys(&["/"]);
        browser.counts("#palette[open]", 1);
        browser.keys(&[key::ESCAPE]);
        browser.misses("#palette[open]");
        browser.keys(&["/"]);
        for letter in ["r", "e", "t", "r", "y"] {
            browser.keys(&[letter]);
        }
        browser.sees("#palette [aria-selected=true]", "Retry what failed");
        browser.keys(&[key::ENTER]);
        browser.arrives("/do/retry");
        browser.sees("h1", "Retry what failed");
    });
}

#[test]
fn the_palette_pauses_a_dag_and_leads_to_its_trigger() {
    signed_in(|browser| {
        let command = |letters: &str, wanted: &str| {
            browser.keys(&["/"]);
            browser.counts("#palette[open]", 1);
            for letter in letters.chars() {
                browser.keys(&[&letter.to_string()]);
            }
            browser.sees("#palette [aria-selected=true]", wanted);
            browser.keys(&[key::ENTER]);
        };
        browser.open("/dags/sales_report");
        command("pause sales_rep", "Pause sales_report");
        browser.sees(".banner", "Paused");
        command("resume sales_rep", "Resume sales_report");
        browser.misses(".banner");
        browser.open("/");
        command("trigger sales_rep", "Trigger sales_report");
        browser.arrives("/dags/sales_report/trigger");
        browser.sees("h1", "");
    });
}

#[test]
fn a_list_is_kept_under_a_name_and_found_again() {
    signed_in(|browser| {
        browser.open("/runs?state=failed&kind=manual&name=");
        browser.press("Keep this view");
        browser.fill("Name of this view", "failed by hand");
        browser.press("Keep");
        browser.sees(".views .on", "failed by hand");
        browser.open("/runs");
        browser.press("failed by hand");
        browser.arrives("state=failed&kind=manual");
        browser.click("[aria-label='Forget the view failed by hand']");
        browser.misses(".views a");
    });
}
