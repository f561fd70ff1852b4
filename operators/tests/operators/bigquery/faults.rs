//! Exactly once: whatever is lost, repeated or killed, a launch is one job, and its rows are there once.

use serde_json::{Value, json};
use tidemill::prelude::*;
use tidemill::testing::TaskRun;
use tidemill_operators::bigquery::{Column, LoadToBigQuery};
use tidemill_operators::{BigQueryLoad, Partitioning};

use super::{INSERT, deaths, kit, launches, ran, ran_as, rows};
use crate::credentials::keyed;
use crate::kit::Kit;

const DAY: &str = "2025-01-31";

fn load() -> [(&'static str, LoadToBigQuery); 4] {
    let into = || LoadToBigQuery::csv("gs://raw/in/*.csv").into("crm.t");
    let with = |load: LoadToBigQuery| {
        load.columns([
            Column::nullable("id", "INT64"),
            Column::nullable("day", "DATE"),
        ])
    };
    [
        ("job", with(into().append(Dedup::job_id()))),
        (
            "partition",
            with(into().append(Dedup::partition("{ds}"))).partitioned_by(Partitioning::day("day")),
        ),
        ("key", with(into().append(Dedup::key(["id"])))),
        ("truncate", with(into().truncate())),
    ]
}

fn files(kit: &Kit) {
    kit.put("in%2Fa.csv", format!("1,{DAY}\n2,{DAY}\n"));
    kit.put("in%2Fb.csv", format!("3,{DAY}\n"));
}

fn once(kit: &Kit, what: &str) {
    assert_eq!(
        rows(kit, "SELECT id FROM crm.t ORDER BY id"),
        "1 2 3",
        "{what}"
    );
    assert_eq!(launches(kit), 1, "{what}");
    let left = rows(kit, "SELECT table_name FROM crm.INFORMATION_SCHEMA.TABLES");
    assert_eq!(left, "t", "{what}");
}

fn figures(load: &BigQueryLoad, what: &str) {
    let figures = (load.rows, load.files, load.rows_before, load.rows_after);
    assert_eq!(figures, (3, 2, Some(0), Some(3)), "{what}");
}

#[test]
fn a_reply_that_is_lost_or_odd_changes_nothing() {
    for (name, load) in load() {
        for fault in [
            json!("lost_before"),
            json!("lost_after"),
            json!("truncated"),
            json!("html"),
            json!({ "status": { "status": 503, "retry_after": 7 } }),
            json!({ "status": { "status": 500 } }),
            json!({ "status": { "status": 429, "retry_after": 7 } }),
            json!({ "latency": { "ms": 30 } }),
        ] {
            let kit = kit();
            files(&kit);
            kit.fault_of("bigquery", INSERT, (0, 2), fault.clone());
            kit.fault_of("bigquery", "bigquery.jobs.get", (1, 2), fault.clone());
            let what = format!("{name} {fault}");
            let ran = ran(&kit, load.clone());
            figures(&ran.output(), &what);
            assert_eq!(ran.loads.len(), 1, "{what}");
            once(&kit, &what);
        }
    }
}

#[test]
fn a_token_that_ends_while_a_job_is_watched_is_renewed() {
    for (name, load) in load() {
        let kit = kit();
        files(&kit);
        // After the launch, while its job is looked at.
        for (method, after) in [(INSERT, 0), ("bigquery.jobs.get", 1)] {
            kit.fault_of("bigquery", method, (after, 1), json!("expired_token"));
        }
        let dag = super::dag(load);
        let task = TaskRun::of(&dag, "task").day(DAY).connection(keyed(&kit));
        figures(&task.run().output(), name);
        assert!(
            kit.asked("oauth2.token").len() == 3,
            "{name}: it was renewed twice"
        );
        once(&kit, name);
    }
}

#[test]
fn two_attempts_of_one_launch_at_a_time_are_one_job() {
    for (name, load) in load() {
        let kit = kit();
        files(&kit);
        kit.fault_of(
            "bigquery",
            "bigquery.*",
            (0, 200),
            json!({ "latency": { "ms": 5 } }),
        );
        std::thread::scope(|scope| {
            let attempts = [1, 2, 3].map(|attempt| {
                let (kit, load) = (&kit, load.clone());
                scope.spawn(move || ran_as(kit, load, (attempt, 1)))
            });
            for attempt in attempts {
                let ran = attempt.join().expect("it works");
                // A staging table may be cleared away by another one that was faster; its job is found the next time.
                if let Err(error) = &ran.result {
                    assert!(error.kind.is_retried(), "{name}: {error}");
                } else {
                    assert_eq!(ran.output::<BigQueryLoad>().rows, 3, "{name}");
                }
            }
        });
        kit.no_faults();
        figures(&ran_as(&kit, load, (4, 1)).output(), name);
        once(&kit, name);
    }
}

#[test]
fn many_files_are_one_change_whatever_fails() {
    for (name, load) in load() {
        let load = load.files_per_job(1);
        let kit = kit();
        files(&kit);
        let ran = ran(&kit, load.clone());
        figures(&ran.output(), name);
        once(&kit, name);
        let loads = super::jobs(&kit)
            .iter()
            .filter(|id| id.ends_with("_0") || id.ends_with("_1"))
            .count();
        assert_eq!(loads, 2, "{name}");
        let over = deaths().find(|nth| killed(name, &load, (*nth, &json!("lost_after"))));
        assert!(over.is_some_and(|steps| steps >= 8), "{name}: {over:?}");
    }
}

#[test]
fn files_that_come_meanwhile_are_loaded_from_the_beginning() {
    let kit = kit();
    files(&kit);
    let [(_, load), ..] = load();
    let load = load.files_per_job(1);
    // The first attempt ends after its first part.
    let dies = (6..40).find(|nth| {
        kit.fault_of(
            "bigquery",
            "bigquery.*",
            (*nth, 1_000),
            json!("lost_before"),
        );
        let ran = ran(&kit, load.clone());
        kit.no_faults();
        assert!(ran.result.is_err(), "it did not die in time");
        super::jobs(&kit).len() == 1
    });
    assert!(dies.is_some());
    kit.put("in%2FA.csv", format!("7,{DAY}\n"));
    let done: BigQueryLoad = ran_as(&kit, load, (2, 1)).output();
    assert_eq!((done.rows, done.files), (4, 3));
    assert_eq!(rows(&kit, "SELECT id FROM crm.t ORDER BY id"), "1 2 3 7");
    assert_eq!(launches(&kit), 1);
}

/// Ends an attempt after its `nth` request to BigQuery, in every way: what it sent then was done or not, and it hears nothing any
/// more. Then the same launch is tried again. Says whether the first attempt came to its end.
fn killed(name: &str, load: &LoadToBigQuery, (nth, fault): (u32, &Value)) -> bool {
    let kit = kit();
    files(&kit);
    kit.fault_of("bigquery", "bigquery.*", (nth, 100_000), fault.clone());
    let first = ran(&kit, load.clone());
    let is_over = first.result.is_ok();
    kit.no_faults();
    let what = format!("{name}, {fault} after {nth} requests");
    if !is_over {
        assert!(first.error().kind.is_retried(), "{what}: {}", first.error());
    }
    let second = ran_as(&kit, load.clone(), (2, 1));
    assert!(second.result.is_ok(), "{what}: {:?}", second.result);
    figures(&second.output(), &what);
    assert_eq!(
        (second.loads.len(), second.loads[0].rows_loaded),
        (1, 3),
        "{what}"
    );
    once(&kit, &what);
    is_over
}

#[test]
fn an_attempt_that_dies_at_any_step_is_taken_up_by_the_next() {
    for (name, load) in load() {
        for fault in [json!("lost_before"), json!("lost_after")] {
            let over = deaths().find(|nth| killed(name, &load, (*nth, &fault)));
            let steps = over.expect("it comes to its end");
            assert!(steps >= 4, "{name}: it has steps to die at, {steps}");
        }
    }
}

#[test]
fn a_job_that_failed_is_launched_again_under_another_key() {
    let kit = kit();
    files(&kit);
    let [(_, load), ..] = load();
    let fails = json!({ "job_fails": { "message": "backend" } });
    kit.fault_of("bigquery", INSERT, (0, 1), fails);
    let failed = ran(&kit, load.clone());
    assert_eq!(failed.loads[0].status, "failed");
    assert_eq!(failed.loads[0].rows_after, None);
    // The same launch finds its failed job, and starts no other.
    let same = ran_as(&kit, load.clone(), (2, 1));
    assert_eq!(same.error().message, failed.error().message);
    assert_eq!(launches(&kit), 1);
    figures(&ran_as(&kit, load, (3, 2)).output(), "another launch");
    assert_eq!(launches(&kit), 2);
}

#[test]
fn a_strangers_job_under_our_key_is_never_adopted() {
    let kit = kit();
    files(&kit);
    let [(_, load), (_, other), ..] = load();
    figures(&ran(&kit, load).output(), "ours");
    let refused = ran(&kit, other);
    assert_eq!(refused.error().kind, ErrorKind::Permanent);
    assert!(
        refused.error().message.contains("another request made it"),
        "{}",
        refused.error()
    );
    once(&kit, "a stranger's");
}

#[test]
fn a_job_that_vanished_is_lost_and_an_append_is_not_repeated() {
    for (name, load) in load() {
        let kit = kit();
        files(&kit);
        kit.fault_of("bigquery", INSERT, (0, 1), json!("job_vanishes"));
        let lost = ran(&kit, load);
        let kind = if name == "job" {
            ErrorKind::Permanent
        } else {
            ErrorKind::Lost
        };
        assert_eq!(lost.error().kind, kind, "{name}: {}", lost.error());
        assert!(lost.took >= std::time::Duration::from_secs(60), "{name}");
    }
}

#[test]
fn a_job_is_cancelled_with_its_task() {
    let kit = kit();
    files(&kit);
    kit.fault_of("bigquery", INSERT, (0, 1), json!("job_stuck"));
    let [(_, load), ..] = load();
    let dag = super::dag(load);
    let task = TaskRun::of(&dag, "task").day(DAY);
    let ran = task.connection(kit.google()).cancel_after(minutes(5)).run();
    assert_eq!(ran.error().kind, ErrorKind::Cancelled);
    let asked = kit.effects("bigquery.jobs.cancel");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("asked to end"));
}

#[test]
fn a_cancel_that_comes_too_late_says_what_was_loaded() {
    let kit = kit();
    files(&kit);
    let [(_, load), ..] = load();
    let dag = super::dag(load);
    // By the clock of the attempt nothing is looked at before it is cancelled; the job is done long before.
    kit.fault_of(
        "bigquery",
        "bigquery.jobs.cancel",
        (0, 1),
        json!({ "latency": { "ms": 1_000 } }),
    );
    let task = TaskRun::of(&dag, "task").day(DAY).connection(kit.google());
    let ran = task.cancel_after(std::time::Duration::from_millis(1)).run();
    assert_eq!(ran.error().kind, ErrorKind::Cancelled);
    assert!(ran.logged("was done before it could be cancelled"));
    assert_eq!(
        (ran.loads[0].rows_loaded, &*ran.loads[0].status),
        (3, "success")
    );
}

#[test]
fn a_staging_table_that_is_gone_is_filled_by_another_launch() {
    let kit = kit();
    files(&kit);
    let [_, _, (_, load), _] = load();
    // The first attempt fills it, and hears nothing any more.
    kit.fault_of(
        "bigquery",
        "bigquery.tables.patch",
        (0, 100_000),
        json!("lost_before"),
    );
    assert!(ran(&kit, load.clone()).error().kind.is_retried());
    kit.no_faults();
    let names = rows(&kit, "SELECT table_name FROM crm.INFORMATION_SCHEMA.TABLES");
    assert!(names.starts_with("tidemill_stage_t"), "{names}");
    super::sql(&kit, &format!("DROP TABLE crm.{names}"));
    let lost = ran_as(&kit, load.clone(), (2, 1));
    assert!(
        !lost.error().kind.is_retried() || lost.error().kind == ErrorKind::Lost,
        "{}",
        lost.error()
    );
    assert_eq!(lost.loads[0].status, "failed");
    figures(&ran_as(&kit, load, (3, 2)).output(), "another launch");
    once(&kit, "gone");
}

#[test]
fn rows_that_cannot_be_read_leave_no_staging_table() {
    let kit = kit();
    kit.put("in%2Fa.csv", "x,y\n");
    let [_, _, (_, load), _] = load();
    let failed = ran(&kit, load);
    assert_eq!(failed.error().kind, ErrorKind::Data, "{}", failed.error());
    assert_eq!(
        (failed.loads.len(), &*failed.loads[0].status),
        (1, "failed")
    );
    assert!(failed.loads[0].job_id.is_some());
    let left = rows(&kit, "SELECT table_name FROM crm.INFORMATION_SCHEMA.TABLES");
    assert_eq!(left, "");
}
