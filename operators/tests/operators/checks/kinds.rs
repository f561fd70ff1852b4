//! Kinds that Great Expectations' verdicts do not cover, or not by type: what passes, what fails, and how many rows.

use tidemill_operators::checks::{CheckStatus, Checks, MatchOn, column};

use super::kit::{Both, Table};

fn orders() -> Both {
    Both::new(&[
        Table::new(
            "orders",
            "id:INT64|customer:INT64|status:STRING|amount:NUMERIC|rate:FLOAT64|day:DATE|at:TIMESTAMP|paid:BOOL
             1|10|new|1.10|0.5|2026-01-01|2026-01-01 10:00:00|true
             2|11|paid|2.20|NaN|2026-01-02|2026-01-02 10:00:00|false
             3|12|paid|3.30|\\N|2026-01-03|2026-02-01 08:00:00|\\N
             4|\\N|PAID|4.40|1.5|\\N|\\N|true",
        ),
        Table::new("other", "id:INT64\n1\n2\n3\n4"),
    ])
}

fn said(both: &Both, checks: Checks) -> (CheckStatus, Option<i64>) {
    let report = both.ask(&checks);
    assert_eq!(report.results.len(), 1);
    (report.results[0].status, report.results[0].unexpected)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one line a case")]
fn every_kind_says_what_it_should() {
    use CheckStatus::{Failed, Passed};
    let both = orders();
    let on = || Checks::on("shop.orders");
    let cases: Vec<(Checks, CheckStatus, Option<i64>)> = vec![
        (on().row_count(1, 4), Passed, None),
        (on().row_count(1, 4).strict_max(), Failed, None),
        (on().row_count_equals(4), Passed, None),
        (on().row_count_of("shop.other"), Passed, None),
        (on().column_count_equals(8), Passed, None),
        (on().column_count(9, ()), Failed, None),
        (on().columns_include(["id", "at"]), Passed, None),
        (on().columns_are(["id", "at"]), Failed, None),
        (
            on().columns_in_order([
                "id", "customer", "status", "amount", "rate", "day", "at", "paid",
            ]),
            Passed,
            None,
        ),
        (on().column_exists("amount"), Passed, None),
        (on().column_exists_at("id", 1), Failed, None),
        (on().not_null("rate"), Failed, Some(2)),
        (on().not_null("rate").mostly(0.5), Passed, Some(2)),
        (on().null("rate").mostly(0.5), Passed, Some(2)),
        (on().unique("status"), Failed, Some(2)),
        (on().in_set("status", ["new", "paid"]), Failed, Some(1)),
        (
            on().in_set("day", ["2026-01-01", "2026-01-02"]),
            Failed,
            Some(1),
        ),
        (on().in_set("paid", [true]), Failed, Some(1)),
        (on().not_in_set("customer", [12]), Failed, Some(1)),
        (on().between("amount", 1.1, 4.4), Passed, Some(0)),
        (
            on().between("amount", 1.1, 4.4).strict_min(),
            Failed,
            Some(1),
        ),
        (on().at_least("day", "2026-01-02"), Failed, Some(1)),
        (on().at_most("at", "2026-01-02T10:00:00Z"), Failed, Some(1)),
        (on().of_types("customer", ["INT64", "bigint"]), Passed, None),
        (on().of_types("status", ["INT64", "bigint"]), Failed, None),
        (on().matches("status", "^[a-z]+$"), Failed, Some(1)),
        (on().not_matches("status", "A"), Failed, Some(1)),
        (
            on().matches_list("status", ["^n", "^p"], MatchOn::Any),
            Failed,
            Some(1),
        ),
        (
            on().not_matches_list("status", ["^n", "^P"]),
            Failed,
            Some(2),
        ),
        (on().like("status", "pa%"), Failed, Some(2)),
        (on().not_like("status", "pa%"), Failed, Some(2)),
        (
            on().like_list("status", ["p%", "%d"], MatchOn::All),
            Failed,
            Some(2),
        ),
        (on().not_like_list("status", ["p%", "P%"]), Failed, Some(3)),
        (on().length("status", 4, ()), Failed, Some(1)),
        (on().length_equals("status", 4), Failed, Some(1)),
        (on().max("day", (), "2026-01-03"), Passed, None),
        (on().max("day", (), "2026-01-03").strict_max(), Failed, None),
        (on().min("amount", 1.1, 1.1), Passed, None),
        (on().mean("rate", 1, 1), Passed, None),
        (on().median("amount", 2.75, 2.75), Passed, None),
        (on().sum("amount", 11, 11), Passed, None),
        (on().stdev("customer", 1, 1), Passed, None),
        (
            on().quantiles("customer", [(0.5, 11, 11), (0.9, 12, 12)]),
            Passed,
            None,
        ),
        (on().unique_count("status", 3, 3), Passed, None),
        (on().unique_proportion("status", 0.75, 0.75), Passed, None),
        (
            on().distinct_in_set("status", ["new", "paid"]),
            Failed,
            None,
        ),
        (
            on().distinct_contain_set("status", ["new", "paid"]),
            Passed,
            None,
        ),
        (
            on().distinct_equal_set("status", ["new", "paid", "PAID"]),
            Passed,
            None,
        ),
        (on().pair_equal("id", "customer"), Failed, Some(4)),
        (on().pair_greater("customer", "id"), Failed, Some(1)),
        (on().pair_at_least("at", "day"), Passed, Some(0)),
        (
            on().pair_in_set("id", "status", [(1, "new"), (2, "paid")]),
            Failed,
            Some(2),
        ),
        (on().unique_together(["status", "paid"]), Passed, Some(0)),
        (on().unique_within_row(["id", "customer"]), Passed, Some(0)),
        (on().sum_of_row(["id", "customer"], 11), Failed, Some(3)),
        (on().most_common_in_set("status", ["paid"]), Passed, None),
        (on().most_common_in_set("id", [1]).ties_okay(), Passed, None),
        (on().z_score_below("amount", 1.0), Failed, Some(2)),
        (
            on().z_score_below_above_mean("amount", 1.0),
            Failed,
            Some(1),
        ),
        (
            on().increasing("amount").sorted_by("id").strictly(),
            Passed,
            Some(0),
        ),
        (on().decreasing("amount").sorted_by("id"), Failed, Some(3)),
        (on().strftime("status", "%Y"), Failed, Some(4)),
        (on().date_parses("status"), Failed, Some(4)),
        (on().json_parses("status"), Failed, Some(4)),
        (
            on().json_schema("status", serde_json::json!({"type": "object"})),
            Failed,
            Some(4),
        ),
        (
            on().no_rows("SELECT id FROM {batch} WHERE amount < 0"),
            Passed,
            Some(0),
        ),
        (
            on().no_rows("SELECT id FROM {batch}")
                .row_condition("id > 2"),
            Failed,
            Some(2),
        ),
        (
            on().between("amount", 0, 1)
                .row_condition(column("status").equals("paid")),
            Failed,
            Some(2),
        ),
        (
            on().only(column("id").one_of([1, 2])).row_count_equals(2),
            Passed,
            None,
        ),
        (
            on().in_set("customer", [10, 11, 12]).nulls_fail(),
            Failed,
            Some(1),
        ),
    ];
    for (checks, status, unexpected) in cases {
        let id = checks.ids().join("");
        assert_eq!(
            said(&both, checks.clone()),
            (status, unexpected),
            "{id}: {checks:#?}"
        );
    }
}

#[test]
fn what_does_not_fit_is_an_error_of_its_own() {
    let both = orders();
    let checks = Checks::on("shop.orders")
        .not_null("custmer")
        .between("status", 1, 2)
        .between("amount", 5, 1)
        .between("amount", (), ())
        .matches("amount", "x")
        .between("day", "2026-13-01", ())
        .increasing("id")
        .no_rows("SELECT nothing FROM nowhere")
        .no_rows("SELECT 1) AS q; DROP TABLE orders; SELECT (1")
        .row_count_equals(4);
    let report = both.ask(&checks);
    let (last, wrong) = report.results.split_last().expect("results");
    for result in wrong {
        assert_eq!(result.status, CheckStatus::Error, "{result:#?}");
    }
    assert_eq!(last.status, CheckStatus::Passed);
    assert!(
        wrong[0].cause.contains("did you mean `customer`?"),
        "{}",
        wrong[0].cause
    );
    assert!(
        report
            .message()
            .starts_with("shop.orders: not_null(custmer): cannot be checked: ")
    );
}
