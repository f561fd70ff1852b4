//! Time, versions, other tables, and values from outside.

use tidemill::prelude::*;
use tidemill_operators::checks::{Background, CheckStatus, Checks, Dialect, Source, Versions};

use super::kit::{Both, Table, noon};

#[test]
fn versions_are_one_after_another() {
    let both = Both::new(&[Table::new(
        "history",
        "id:INT64|f:DATE|t:DATE
         1|2026-01-01|2026-01-05
         1|2026-01-05|\\N
         2|2026-01-01|2026-01-09
         2|2026-01-05|\\N
         3|2026-01-01|2026-01-02
         4|2026-01-01|2026-01-02
         4|2026-01-04|\\N
         5|2026-01-01|\\N
         5|2026-01-02|\\N",
    )]);
    let on = || Checks::on("shop.history");
    let report = both.ask(&on().one_version(Versions::of(["id"], "f", "t")));
    let result = &report.results[0];
    assert_eq!(result.unexpected, Some(5), "{result:#?}");
    assert_eq!(
        result.observed,
        "3 of a key without exactly one current version, 2 overlap the next version, 1 leave a gap"
    );
    let report =
        both.ask(&on().one_version(Versions::of(["id"], "f", "t").gaps_allowed().any_current()));
    assert_eq!(report.results[0].unexpected, Some(2));
}

#[test]
fn other_tables_are_compared() {
    let both = Both::new(&[
        Table::new(
            "facts",
            "id:INT64|c:INT64|v:NUMERIC\n1|1|1.5\n2|9|2.5\n3|\\N|3",
        ),
        Table::new("customers", "id:INT64\n1\n1\n2"),
        Table::new("raw", "id:INT64|v:NUMERIC\n1|1.5\n2|2.5\n3|3\n4|1"),
    ]);
    let on = || Checks::on("shop.facts");
    let report = both.ask(
        &on()
            .references("c", "shop.customers", "id")
            .as_in_source(Source::table("shop.raw").sum_of("v"))
            .as_in_source(Source::table("shop.raw").sum_of("v").within_percent(25.0))
            .as_in_source(Source::rows("3").sum("v", 7)),
    );
    let found: Vec<_> = report
        .results
        .iter()
        .map(|result| (result.status, result.unexpected))
        .collect();
    assert_eq!(
        found,
        [
            (CheckStatus::Failed, Some(1)),
            (CheckStatus::Failed, None),
            (CheckStatus::Passed, None),
            (CheckStatus::Passed, None)
        ]
    );
    assert_eq!(
        report.results[1].observed,
        "rows: 3 against 4 in the source; sum of v: 7 against 8 in the source"
    );
    assert_eq!(report.results[0].sample[0]["c"].as_deref(), Some("9"));
}

#[test]
fn age_and_volume_are_judged() {
    let both = Both::new(&[
        Table::new(
            "events",
            "at:TIMESTAMP|day:DATE\n2026-02-01 06:00:00|2026-01-31\n\\N|\\N",
        ),
        Table::new("empty", "at:TIMESTAMP"),
    ]);
    let report = both.ask(
        &Checks::on("shop.events")
            .fresh("at", hours(6))
            .fresh("at", hours(5))
            .fresh_within("at", hours(5), hours(7))
            .fresh("day", hours(36)),
    );
    let found: Vec<_> = report.results.iter().map(|result| result.status).collect();
    use CheckStatus::{Failed, Passed, Warned};
    assert_eq!(found, [Passed, Failed, Warned, Passed]);
    assert!(!report.results[2].blocks());
    assert_eq!(
        both.ask(&Checks::on("shop.empty").fresh("at", hours(1)))
            .results[0]
            .status,
        Failed
    );
    let volume = Checks::on("shop.events").usual_volume(3.0);
    let ask = |counts: &[i64]| {
        let background = Background::at(noon()).rows_before(counts.iter().copied());
        both.ask_with(&volume, &background).results[0].status
    };
    assert_eq!(ask(&[100, 101, 99, 100, 102, 98, 100]), Failed);
    assert_eq!(ask(&[2, 3, 2, 1, 2, 2, 2]), Passed);
    assert_eq!(ask(&[100]), Passed);
}

#[test]
fn values_from_outside_stay_values() {
    let hostile = [
        "'; DROP TABLE x; --",
        "\\'; SELECT 1; --",
        "\\",
        "''",
        "a\nb",
        "`",
        "\"",
        "{ds}",
        "日本\u{7}",
        "$$",
    ];
    let rows: Vec<String> = hostile
        .iter()
        .map(|text| text.replace('\\', "\\\\").replace('\n', "\u{1}"))
        .collect();
    let mut table = Table::new("odd", &format!("v:STRING\n{}", rows.join("\n")));
    for row in &mut table.rows {
        row[0] = row[0].take().map(|text| text.replace('\u{1}', "\n"));
    }
    let both = Both::new(&[table]);
    let report = both.ask(
        &Checks::on("shop.odd")
            .in_set("v", hostile)
            .not_in_set("v", hostile),
    );
    assert_eq!(
        report.results[0].unexpected,
        Some(0),
        "{:#?}",
        report.results[0]
    );
    assert_eq!(report.results[1].unexpected, Some(10));
    for dialect in [Dialect::BigQuery, Dialect::Postgres] {
        let column = tidemill_operators::checks::Column::new("a", "TEXT");
        assert!(
            Checks::on("a`; DROP")
                .row_count_equals(1)
                .sql(dialect, &[column])
                .is_err()
                || dialect == Dialect::Postgres
        );
    }
}

#[test]
fn masked_columns_never_leave_the_database() {
    let both = Both::new(&[Table::new("people", "id:INT64|mail:STRING\n1|ada@x\n2|bob")]);
    let checks = Checks::on("shop.people")
        .key(["id"])
        .masked(["mail"])
        .matches("mail", "@")
        .max("mail", (), "a")
        .json_parses("mail")
        .no_rows("SELECT mail FROM {batch}");
    let report = both.ask(&checks);
    let text = serde_json::to_string(&report).expect("JSON");
    assert!(!text.contains("bob") && !text.contains("ada@x"), "{text}");
    let row = &report.results[0].sample[0];
    assert_eq!(
        (row["id"].as_deref(), row["mail"].as_deref()),
        (Some("2"), Some("***"))
    );
}
