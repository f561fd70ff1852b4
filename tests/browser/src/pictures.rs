//! The pictures of `docs/images`, taken of the site that [`crate::demo`] describes.

use std::path::Path;

use serde_json::json;

use crate::browser::Browser;
use crate::demo;
use crate::site::Site;
use crate::stage::Stage;

const WIDE: (u32, u32) = (1_200, 740);
/// A grid with its legend.
const HIGH: u32 = 790;

/// Takes them all, into this folder.
///
/// # Panics
/// If one cannot be taken.
pub fn take(program: &Path, into: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("demo.db").display());
    let logs = folder.path().join("logs");
    demo::write(&url, &logs, crate::wall());
    let logs = logs.display().to_string();
    let site = Site::over(program, "demo", &["--database", &url, "--logs", &logs]);
    // What runs tonight.
    site.put_up("hold.publish");
    site.put_up("hold.evaluate");
    for (dag, run) in [
        ("catalog_eu", "after_price_change"),
        ("features_nightly", "new_sessions"),
    ] {
        site.trigger(dag, run);
        site.stands(dag, run, "Running");
    }
    site.tell(&json!({"trigger": {"dag": "sales_report", "name": "board_november"}}));
    let stage = Stage::start(program, site);
    std::fs::create_dir_all(into).expect("a folder for pictures");
    stage.tell("pictures", |browser| {
        browser.sign_in();
        pages(browser, into);
    });
}

fn pages(browser: &Browser<'_>, into: &Path) {
    let shoot = |name: &str, ready: (&str, &str)| {
        browser.sees(ready.0, ready.1);
        // The time of the reader replaces UTC, and fonts are there.
        browser.holds(
            "the page to be complete",
            "return document.readyState === 'complete' && document.fonts.status === 'loaded'",
        );
        let picture = browser.picture();
        std::fs::write(into.join(format!("{name}.png")), picture).expect("a picture is written");
    };
    browser.set_screen(WIDE.0, WIDE.1);
    browser.open("/");
    shoot("home", ("main", "Needs a person"));
    browser.open("/dags");
    shoot("dags", ("main", "orders_daily"));
    browser.set_screen(WIDE.0, HIGH);
    browser.open("/dags/orders_daily");
    let failed =
        "return document.querySelector('#grid thead th:last-child a').getAttribute('href')";
    let run = browser.eval(failed);
    let run = run.as_str().expect("the last run has a page").to_owned();
    shoot("grid", ("#grid", "refresh_dashboard"));
    browser.set_screen(WIDE.0, WIDE.1);
    browser.open("/dags/orders_daily/graph");
    shoot("graph", (".graph svg", "refresh_dashboard"));
    browser.open(&run);
    shoot("run", ("h1", "scheduled"));
    browser.open(&format!("{run}?tab=gantt"));
    shoot("gantt", ("svg.gantt", "orders"));
    let task = format!("{run}/tasks/load.revenue_table");
    browser.open(&task);
    shoot("task", (".log.runs", "quota exceeded"));
    browser.open(&format!("{task}?find=shop.revenue#log"));
    browser.sees("[data-found]", " of ");
    browser.eval("document.querySelector('#log').scrollIntoView()");
    shoot("log", (".view li.hit", "shop.revenue"));
    browser.open("/dags/sales_report/trigger");
    shoot("trigger", ("main", "Who gets it"));
    browser.open("/loads");
    shoot("loads", (".charts", "Rows loaded a day"));
    browser.open("/checks?table=shop.orders");
    shoot("checks", ("[data-fresh=checks]", "unique"));
    browser.set_screen(WIDE.0, HIGH);
    browser.set_theme("dark");
    browser.open("/dags/orders_daily");
    shoot("dark", ("#grid", "refresh_dashboard"));
    browser.set_theme("light");
    browser.set_screen(390, 844);
    browser.open(&task);
    shoot("phone", (".cause", "quota exceeded"));
}
