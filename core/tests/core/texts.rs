//! Placeholders: what they are filled in with, and that values are never read as placeholders.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tidemill_core::text::{FillError, TextError, Values, fill, fill_json, parse};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn filled(text: &str) -> Result<String, FillError> {
    let params =
        json!({ "region": "eu", "deep": { "list": [1, "two"] }, "braces": "{ds}", "none": null });
    let item = json!({ "table": "orders" });
    let outputs = [
        ("extract".to_owned(), json!({ "rows": 7 })),
        ("g.load".to_owned(), json!("done")),
    ];
    let variables = [("bucket".to_owned(), "gs://b".to_owned())];
    fill(
        text,
        &Values {
            interval: (at("2025-01-31T23:00:00Z"), at("2025-02-01T23:00:00Z")),
            zone: chrono_tz::Europe::Berlin,
            dag_id: "crm",
            run_id: "r1",
            run_type: "scheduled",
            task_id: "load",
            map_index: Some(3),
            attempt: 2,
            launch_key: "tkey",
            params: &params,
            item: Some(&item),
            outputs: &outputs,
            variables: &variables,
        },
    )
}

#[test]
fn every_placeholder_has_its_value_in_the_dags_time_zone() {
    for (text, expected) in [
        ("{ds}", "2025-02-01"),
        ("{ds_nodash}", "20250201"),
        ("{ts}", "2025-02-01T00:00:00+01:00"),
        ("{interval_start}", "2025-02-01T00:00:00+01:00"),
        ("{interval_start:%Y/%m/%d}", "2025/02/01"),
        ("{interval_end:%H:%M}", "00:00"),
        (
            "{dag_id}.{task_id}[{map_index}] try {attempt}",
            "crm.load[3] try 2",
        ),
        ("{run_type} {run_id} {launch_key}", "scheduled r1 tkey"),
        ("{item.table} {item}", r#"orders {"table":"orders"}"#),
        (
            "{params.region} {params.deep.list.1} {params.none}",
            "eu two ",
        ),
        ("{out.extract.rows} {out.g.load}", "7 done"),
        ("{var.bucket}/x", "gs://b/x"),
        ("no placeholders, ünïcode ✓", "no placeholders, ünïcode ✓"),
    ] {
        assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn doubled_braces_are_literal_and_values_are_not_read_again() {
    assert_eq!(filled("{{ds}} }}{{").as_deref(), Ok("{ds} }{"));
    assert_eq!(filled("{{{ds}}}").as_deref(), Ok("{2025-02-01}"));
    assert_eq!(filled("{params.braces}").as_deref(), Ok("{ds}"));
}

#[test]
fn a_missing_value_is_named() {
    assert_eq!(
        filled("{params.nothing}"),
        Err(FillError::Missing {
            name: "params.nothing".to_owned()
        })
    );
    assert_eq!(
        filled("{out.nobody.x}"),
        Err(FillError::Missing {
            name: "out.nobody.x".to_owned()
        })
    );
}

#[test]
fn malformed_texts_say_where_and_how_to_mend() {
    assert_eq!(parse("ab{ds"), Err(TextError::Unclosed { at: 3 }));
    assert_eq!(parse("a}b"), Err(TextError::Stray { at: 2 }));
    assert_eq!(parse("{a{ds}"), Err(TextError::Unclosed { at: 1 }));
    for (text, help) in [
        ("{interval_strat}", "did you mean `{interval_start}`?"),
        ("{param.region}", "did you mean `{params.region}`?"),
        ("{execution_date}", "did you mean `{interval_start}`?"),
        ("{ds:%Y}", "remove the colon and what follows it"),
    ] {
        assert_eq!(parse(text).unwrap_err().help(), help, "{text}");
    }
    let unknown = parse("{qqqqqqqqqqqq}").unwrap_err().help();
    assert!(
        unknown.contains("ds_nodash") && unknown.contains("params.NAME"),
        "{unknown}"
    );
    assert!(matches!(
        parse("{params..x}"),
        Err(TextError::Unknown { .. })
    ));
}

#[test]
fn only_marked_strings_of_an_operator_are_filled() {
    let mut config =
        json!({ "uri": { "$text": "x/{run_id}" }, "regex": r"\d{4}", "list": [{ "$text": "{{" }] });
    let none = Value::Null;
    let values = Values {
        interval: (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH),
        zone: chrono_tz::UTC,
        dag_id: "d",
        run_id: "r",
        run_type: "manual",
        task_id: "t",
        map_index: None,
        attempt: 1,
        launch_key: "k",
        params: &none,
        item: None,
        outputs: &[],
        variables: &[],
    };
    fill_json(&mut config, &values).unwrap();
    assert_eq!(
        config,
        json!({ "uri": "x/r", "regex": r"\d{4}", "list": ["{"] })
    );
}
