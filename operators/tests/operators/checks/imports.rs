//! Suites of Great Expectations and schemas of dbt.

use tidemill_operators::checks::{dbt, gx};

#[test]
fn what_a_suite_has_that_is_not_known_is_named_with_its_place() {
    let suite = |expectation: &str| {
        let text = format!(
            r#"{{"expectations": [{{"type": "expect_table_row_count_to_equal", "kwargs": {{"value": 1}}}}, {expectation}]}}"#
        );
        gx::suite(&text, "t")
            .expect_err("it is refused")
            .to_string()
    };
    assert_eq!(
        suite(r#"{"type": "expect_column_values_to_be_nul", "kwargs": {"column": "a"}}"#),
        "expectations[1]: `expect_column_values_to_be_nul`: there is no check for this expectation; did you mean `expect_column_values_to_be_null`?"
    );
    assert_eq!(
        suite(
            r#"{"type": "expect_column_values_to_be_null", "kwargs": {"column": "a", "moslty": 1}}"#
        ),
        "expectations[1]: `expect_column_values_to_be_null`: its argument `moslty` is not known"
    );
    assert!(
        suite(r#"{"type": "expect_column_values_to_be_null", "kwargs": {}}"#)
            .ends_with("it has no `column`")
    );
}

#[test]
fn a_schema_of_dbt_becomes_checks() {
    let yaml = r#"
version: 2
sources:
  - name: raw
    schema: landing
    tables:
      - name: orders
        loaded_at_field: at
        freshness: {warn_after: {count: 12, period: hour}, error_after: {count: 1, period: day}}
models:
  - name: orders
    tests:
      - dbt_utils.unique_combination_of_columns: {combination_of_columns: [a, b]}
      - dbt_expectations.expect_table_row_count_to_be_between: {min_value: 1}
    columns:
      - name: id
        data_tests:
          - unique
          - not_null: {config: {severity: warn, where: "a > 1"}}
          - relationships: {to: "source('raw', 'orders')", field: id}
      - name: status
        tests:
          - accepted_values: {arguments: {values: [new, paid]}}
          - dbt_utils.accepted_range: {min_value: 0, inclusive: false}
"#;
    let checks = dbt::schema(yaml, "shop").expect("it is read");
    assert_eq!(
        checks
            .iter()
            .map(|checks| checks.table())
            .collect::<Vec<_>>(),
        ["shop.orders", "landing.orders"]
    );
    assert_eq!(
        checks[0].ids(),
        [
            "unique_together(a, b)",
            "row_count",
            "unique(id)",
            "not_null(id)",
            "references(id)",
            "in_set(status)",
            "between(status)"
        ]
    );
    assert_eq!(checks[1].ids(), ["fresh(at)"]);
    let unknown = "models: [{name: m, columns: [{name: c, tests: [my_test]}]}]";
    assert_eq!(
        dbt::schema(unknown, "shop")
            .expect_err("it is refused")
            .to_string(),
        "models.m.c: `my_test`: there is no check for this test"
    );
}
