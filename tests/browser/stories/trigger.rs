//! Making a run.

use crate::signed_in;

#[test]
fn a_wrong_value_is_told_beside_its_field_and_nothing_is_lost() {
    signed_in(|browser| {
        browser.open("/dags/sales_report");
        browser.press("Trigger");
        browser.pick("market", "us");
        browser.fill("title", "NOT SMALL");
        browser.fill("days", "30");
        browser.fill("Name of the run", "for_the_board");
        browser.fill("Why, for the others (optional)", "the board asked");
        browser.expect("status of 422");
        browser.press("Trigger");
        browser.sees("[role=alert]", "No run was made");
        let beside = browser.sees("#t-title", "^[a-z_]+$");
        assert!(!beside.is_empty());
        browser.holds(
            "the field to be marked",
            "return document.querySelector('#p-title').getAttribute('aria-invalid') === 'true' && \
             document.querySelectorAll('[aria-invalid]').length === 1",
        );
        let kept = [
            "market",
            "title",
            "days",
            "Name of the run",
            "Why, for the others (optional)",
        ];
        assert_eq!(
            kept.map(|field| browser.filled(field)),
            ["us", "NOT SMALL", "30", "for_the_board", "the board asked"]
        );
        browser.fill("title", "board");
        browser.press("Trigger");
        browser.arrives("/dags/sales_report/runs/for_the_board");
        browser.sees("main", "the board asked");
        browser.sees("[data-fresh=head] .head", "Success");
        browser.press("Params");
        browser.sees("main", "board");
    });
}

#[test]
fn a_dag_without_params_is_triggered_from_the_list_by_one_click() {
    signed_in(|browser| {
        browser.open("/dags?q=prices_weekly");
        browser.press("Trigger");
        browser.sees(".said", "prices_weekly");
        browser.sees("[data-fresh=dags]", "Success");
    });
}
