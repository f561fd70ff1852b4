//! Any bytes, anywhere a text comes in: an answer, never a panic.

use proptest::prelude::*;
use serde_json::{Value, json};
use tidemill_core::author::Dag;
use tidemill_core::params::{Limits, ParamKind, ParamSpec, complete, schema};
use tidemill_core::prelude::*;
use tidemill_core::snapshot::Snapshot;
use tidemill_core::spec::{DagSpec, IntoSchedule};
use tidemill_core::{check, diff, id, span, text};
use tidemill_macros::task;

#[task]
fn take(text: String) -> TaskResult {
    let _ = text;
    Ok(())
}

/// Texts that look like what they are not, besides plain noise.
fn texts() -> impl Strategy<Value = String> {
    let almost = "[{}:.%a-zA-Z0-9_ \\-]{0,40}";
    let placeholder = "\\{(ds|interval_start|params|out|item|var)[:.{}%YmdQ\u{e9}]{0,6}\\}?";
    prop_oneof![
        any::<String>(),
        almost.prop_map(String::from),
        placeholder.prop_map(String::from)
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(texts(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A definition that is valid JSON of the right shape in most places and nonsense in one.
fn broken_spec() -> impl Strategy<Value = Value> {
    let spec = Dag::build("d", |dag| {
        dag.schedule(Cron::daily().tz("Europe/Berlin"))
            .start("2025-01-01");
        let a = dag.empty("a");
        dag.map("m", take, ["x", "y"])
            .after(&a)
            .writes(Table::named("t.{ds}").append(Dedup::partition("{ds}")));
        dag.group("g", |group| group.empty("b").setup());
    });
    let spec = serde_json::to_value(spec.spec()).expect("a definition is JSON");
    (json(), any::<prop::sample::Index>()).prop_map(move |(value, at)| {
        let mut spec = spec.clone();
        let mut paths = Vec::new();
        pointers(&spec, String::new(), &mut paths);
        if let Some(place) = spec.pointer_mut(at.get::<String>(&paths)) {
            *place = value;
        }
        spec
    })
}

fn pointers(value: &Value, here: String, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| pointers(value, format!("{here}/{key}"), into)),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(nth, value)| pointers(value, format!("{here}/{nth}"), into));
        }
        _ => {}
    }
    into.push(here);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_take_any_text(name in texts()) {
        let good = id::check_name(&name).is_ok();
        prop_assert_eq!(good, id::TaskId::parse(&name).is_ok());
        let dag = Dag::build(&name, |dag| {
            dag.empty(&name);
            dag.group(&name, |group| group.empty(&name));
            dag.empty("last").after(name.as_str());
        });
        prop_assert!(!dag.problems().is_empty(), "a task and a group of one name");
    }

    #[test]
    fn placeholders_take_any_text(written in texts()) {
        let dag = Dag::build("d", |dag| dag.call("take", take, written.as_str()));
        prop_assert_eq!(text::parse(&written).is_err(), dag.problems().iter().any(|problem| !problem.help.is_empty() && problem.message.contains("(in `")));
    }

    #[test]
    fn schedules_and_lengths_of_time_take_any_text(written in texts()) {
        let _ = written.as_str().into_schedule();
        let _ = Cron::daily_at(&written).tz(written.clone()).into_schedule();
        if let Ok(length) = span::parse(&written) {
            prop_assert_eq!(span::parse(&span::text(length)), Ok(length));
        }
        let dag = Dag::build("d", |dag| {
            dag.schedule(written.as_str()).start(&written).end(&written);
            dag.empty("a");
        });
        let _ = dag.spec().version();
    }

    #[test]
    fn params_take_any_json(given in json(), pattern in texts(), kind in 0..7_usize) {
        let kinds = [ParamKind::Text, ParamKind::Integer, ParamKind::Number, ParamKind::Boolean, ParamKind::Date,
            ParamKind::Instant, ParamKind::List(Box::new(ParamSpec::of::<String>("item")))];
        let spec = ParamSpec {
            name: "p".to_owned(),
            description: String::new(),
            kind: kinds[kind].clone(),
            optional: false,
            default: Some(given.clone()),
            limits: Limits { pattern: Some(pattern), min: Some(0.0), length_max: Some(3), ..Limits::default() },
        };
        let _ = schema(std::slice::from_ref(&spec));
        let _ = complete(std::slice::from_ref(&spec), &given);
        let alone = spec.check(&given).is_empty();
        prop_assert_eq!(complete(&[spec], &json!({ "p": given })).is_ok(), alone);
    }

    #[test]
    fn snapshots_take_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Snapshot::parse(&bytes);
    }

    #[test]
    fn snapshots_take_any_json_in_any_place(spec in broken_spec()) {
        let file = json!({ "tidemill_snapshot": 1, "dags": [{ "version": "x", "dag": spec }] }).to_string();
        if let Ok(snapshot) = Snapshot::parse(file.as_bytes()) {
            let dags: Vec<DagSpec> = snapshot.dags.into_iter().map(|entry| entry.dag).collect();
            let _ = check::definition(&dags[0].definition);
            let _ = dags[0].version();
            let none: [DagSpec; 0] = [];
            let _ = diff::plan(&dags, &none);
        }
    }
}
