//! Finding one's way around: less of a grid, a nearer Gantt, the part of a log that matters, times as somebody else saw them.

use tidemill_browser::browser::key;

use crate::signed_in;

#[test]
fn a_grid_shows_what_is_around_a_task_and_all_of_it_again() {
    signed_in(|browser| {
        let site = browser.site();
        site.triggered("prices_weekly", "around", "Success");
        browser.open("/dags/prices_weekly");
        browser.counts("#grid tbody tr", 4);
        browser.click("#grid tbody th[title='read.list']");
        browser.arrives("task=read.list&side=both");
        browser.lists("#grid tbody th", &["read", "list", "publish"]);
        browser.pick("with", "what is before");
        browser.press("Show");
        browser.arrives("side=upstream");
        browser.lists("#grid tbody th", &["read", "list"]);
        browser.press("Show all tasks");
        browser.counts("#grid tbody tr", 4);
        // And by keys alone.
        browser.eval("document.querySelector('#grid tbody th').focus()");
        browser.keys(&[key::DOWN, key::DOWN, key::DOWN, key::ENTER]);
        browser.arrives("task=publish");
    });
}

#[test]
fn dragging_over_the_gantt_shows_that_part_and_its_address_too() {
    signed_in(|browser| {
        let site = browser.site();
        site.trigger("move_warehouse", "zoomed");
        site.stands("move_warehouse", "zoomed", "Running");
        browser.open("/dags/move_warehouse/runs/zoomed?tab=gantt");
        browser.sees("svg.gantt", "pack");
        // Parts are at least a second long.
        browser.holds(
            "a run of some seconds",
            "const span = Number(document.querySelector('svg.gantt').dataset.span); \
             if (span > 4000) return true; \
             if (!window.again) window.again = setTimeout(() => location.reload(), 1000); return false",
        );
        browser.eval(
            "const svg = document.querySelector('svg.gantt'); const box = svg.getBoundingClientRect(); \
             const at = (part) => ({ bubbles: true, cancelable: true, button: 0, pointerType: 'mouse', \
               clientX: box.left + box.width * part, clientY: box.top + 40 }); \
             svg.dispatchEvent(new PointerEvent('pointerdown', at(0.3))); \
             svg.dispatchEvent(new PointerEvent('pointermove', at(0.5))); \
             svg.dispatchEvent(new PointerEvent('pointerup', at(0.7)))",
        );
        browser.arrives("zoom=");
        browser.sees(".zoom", "Whole run");
        let span = browser.eval("return Number(document.querySelector('svg.gantt').dataset.from)");
        assert!(span.as_f64() > Some(0.0), "{span}");
        browser.keys(&["0"]);
        browser.misses(".zoom a[data-key='0']");
        site.put_up("go.zoomed");
        site.stands("move_warehouse", "zoomed", "Success");
    });
}

#[test]
fn the_group_of_a_log_that_failed_is_open_and_the_others_are_not() {
    signed_in(|browser| {
        browser
            .site()
            .triggered("fruit_import", "grouped", "Failed");
        browser.open("/dags/fruit_import/runs/grouped/tasks/import");
        browser.sees(".log.runs .view", "pears have no price");
        browser.holds(
            "other groups folded",
            "const words = document.querySelector('.view').textContent; \
             return words.includes('Read the files') && !words.includes('file 7 was read') \
               && words.includes('apples cost 3') && words.includes('Tidy up') && !words.includes('removed the copies')",
        );
        browser.press("Fold groups");
        browser.sees(".log.runs .view", "file 7 was read");
    });
}

#[test]
fn a_link_shows_times_as_they_were_to_whoever_copied_it() {
    signed_in(|browser| {
        browser.site().triggered("prices_weekly", "zone", "Success");
        let run = "/dags/prices_weekly/runs/zone";
        browser.open(run);
        browser.sees("h1", "zone");
        browser.keys(&["u"]);
        browser.arrives("tz=utc");
        browser.keys(&["u"]);
        browser.arrives("tz=local");
        browser.open(&format!("{run}?tz=utc"));
        browser.sees(".facts", "UTC");
        browser.open(&format!("{run}/tasks/publish?tz=utc"));
        browser.holds(
            "the zone in the links of lines",
            "return document.querySelector('.view a[data-line]')?.search.includes('tz=utc')",
        );
        // The reader's own choice is as it was.
        browser.open(run);
        browser.sees("h1", "zone");
        browser.holds(
            "local times",
            "return ![...document.querySelectorAll('.facts time')].some((time) => time.textContent.endsWith('UTC'))",
        );
    });
}
