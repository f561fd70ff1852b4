//! A kill at every place of a step.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tidemill_warehouse::tables::{DatasetId, DatasetMeta, TableMeta};
use tidemill_warehouse::{Field, Kind, Schema};

use super::spec::Spec;
use super::step::{Step, count, moved, read};
use crate::services::storage::Storage;
use crate::state::{Settings, State};

const SUB: &str = "projects/p/subscriptions/s";
const JOB: &str = "dataflow/projects/p/locations/eu/jobs/j";

/// Where a step is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kill {
    Read,
    Objects,
    Tables,
    Counted,
    Written,
    HalfSettled,
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_323_045, 0).expect("it works")
}

fn open(folder: &Path, at: DateTime<Utc>) -> State {
    let anywhere = ([127, 0, 0, 1], 0).into();
    let settings = Settings::new(folder.to_owned(), anywhere, Arc::new(move || at));
    State::open(&settings, "http://sandbox".to_owned()).expect("it works")
}

fn spec() -> Spec {
    serde_json::from_value(json!({
        "subscription": SUB, "topic": null, "project": "p", "table": "d.t", "by": null, "tables": {},
        "dead": null, "ignore_unknown": false, "directory": "gs://lake/x", "prefix": "o-", "suffix": "", "window": 60,
    }))
    .expect("it works")
}

/// Ten messages, one of them a dead letter, a bucket and a table.
fn prepared(state: &State) {
    let dataset = DatasetMeta {
        location: "US".to_owned(),
        friendly_name: None,
        description: None,
        labels: std::collections::BTreeMap::new(),
        table_expiration_ms: None,
        partition_expiration_ms: None,
        access: None,
    };
    let warehouse = state.bigquery.warehouse();
    let id = DatasetId::new("p", "d");
    warehouse.create_dataset(&id, dataset).expect("it works");
    let meta = TableMeta::new(Schema {
        fields: vec![Field::new("n", Kind::Int64)],
    });
    warehouse
        .create_table(&id.table("t"), meta, Vec::new())
        .expect("it works");
    state
        .storage
        .make_bucket("lake", "p", start())
        .expect("it works");
    state
        .pubsub
        .subscribe(SUB, "projects/p/topics/t")
        .expect("it works");
    let texts = (0..10).map(|n| match n {
        7 => "seven".to_owned(),
        n => format!("{{\"n\": {n}}}"),
    });
    state.pubsub.fill("projects/p/topics/t", texts, start());
}

/// A step until it is killed there; nothing of it is cleaned up.
fn killed(state: State, at: Kill) {
    let beside = state.jobs.beside();
    let (mut batch, messages, mut ready) = read(beside, &spec(), start())
        .expect("it works")
        .expect("there are messages");
    if at >= Kill::Objects {
        ready.write_objects(beside, start()).expect("it works");
    }
    if at >= Kill::Tables {
        ready
            .write_tables(beside.bigquery.warehouse())
            .expect("it works");
    }
    if at >= Kill::Counted {
        count(beside, JOB, &batch, &messages, &ready).expect("it works");
    }
    if at >= Kill::Written {
        batch.written = true;
        beside
            .streams
            .pending
            .put(SUB, batch.clone())
            .expect("it works");
    }
    if at >= Kill::HalfSettled {
        let half = &batch.numbers()[..5];
        beside.pubsub.settle(SUB, half, start()).expect("it works");
    }
    std::mem::forget((ready, state));
}

fn lines(storage: &Storage) -> usize {
    let all = storage
        .under(&Storage::place("gs://lake/x/").expect("it works"))
        .expect("it works");
    all.iter()
        .map(|one| {
            let held = storage.hold(&one.place).expect("it works");
            let text = std::fs::read_to_string(&held.path).expect("it works");
            text.lines().count()
        })
        .sum()
}

#[tokio::test]
async fn every_message_is_there_once_wherever_a_step_is_killed() {
    for kill in [
        Kill::Read,
        Kill::Objects,
        Kill::Tables,
        Kill::Counted,
        Kill::Written,
        Kill::HalfSettled,
    ] {
        let folder = tempfile::tempdir().expect("it works");
        let state = open(folder.path(), start());
        prepared(&state);
        killed(state, kill);
        // Later than any deadline: what is not acknowledged is given out again.
        let state = open(folder.path(), start() + TimeDelta::hours(1));
        let beside = state.jobs.beside();
        let mut steps = 0;
        while moved(beside, JOB, &spec(), false).expect("it works") != Step::Nothing {
            steps += 1;
            assert!(steps < 5, "{kill:?}");
        }
        let rows = |name: &str| {
            let id = DatasetId::new("p", "d").table(name);
            beside
                .bigquery
                .warehouse()
                .table(&id)
                .expect("it works")
                .rows()
        };
        assert_eq!((rows("t"), rows("t_error_records")), (9, 1), "{kill:?}");
        assert_eq!(lines(&state.storage), 10, "{kill:?}");
        assert_eq!(beside.pubsub.backlog(SUB), (0, None), "{kill:?}");
        let counts = beside.streams.counts.get(JOB).expect("it works");
        assert_eq!(
            (counts.elements, counts.rows, counts.dead),
            (10, 9, 1),
            "{kill:?}"
        );
    }
}
