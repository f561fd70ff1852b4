//! Databricks: runs under a token, statements by their comment, updates of pipelines by what was there before.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill::prelude::*;
use tidemill::testing::valid;
use tidemill_operators::{
    DatabricksCluster, DatabricksPipeline, DatabricksRan, DatabricksRows, DatabricksRunNow,
    DatabricksStatement, DatabricksSubmitRun, DatabricksTask, DatabricksUpdated,
};

use crate::kit::Kit;
use crate::remote::{self, Service, attempt, until_done};

const SUBMIT: Service = Service {
    name: "databricks",
    submit: "databricks.jobs.runs.submit",
    get: "databricks.jobs.runs.get",
    cancel: "databricks.jobs.runs.cancel",
    fails_as: ErrorKind::Transient,
};

const RUN_NOW: Service = Service {
    submit: "databricks.jobs.runNow",
    ..SUBMIT
};

const STATEMENTS: Service = Service {
    submit: "databricks.statements.execute",
    get: "databricks.statements.get",
    cancel: "databricks.statements.cancel",
    fails_as: ErrorKind::Permanent,
    ..SUBMIT
};

const UPDATES: Service = Service {
    submit: "databricks.pipelines.updates.start",
    get: "databricks.pipelines.updates.get",
    cancel: "databricks.pipelines.stop",
    ..SUBMIT
};

const LIST_UPDATES: &str = "databricks.pipelines.updates.list";
const REPAIR: &str = "databricks.jobs.runs.repair";

fn kit() -> Kit {
    Kit::with(remote::programs())
}

fn notebook() -> DatabricksTask {
    DatabricksTask::notebook("/Shared/count").param("day", "{ds}")
}

fn submit() -> DatabricksSubmitRun {
    DatabricksSubmitRun::of(notebook())
}

/// A sandbox with the job `report`.
fn with_job() -> Kit {
    let kit = kit();
    let task = json!({"task_key": "main", "notebook_task": {"notebook_path": "/Shared/count"}});
    let job =
        json!({"name": "report", "tasks": [task], "parameters": [{"name": "day", "default": ""}]});
    kit.good("POST", "/api/2.2/jobs/create", job);
    kit
}

fn report() -> DatabricksRunNow {
    DatabricksRunNow::named("report").param("day", "{ds}")
}

fn statement() -> DatabricksStatement {
    DatabricksStatement::of("SELECT 1 AS one, '{ds}' AS day").on("0123abcd")
}

#[test]
fn a_run_gives_what_its_tasks_ended_with() {
    let kit = kit();
    let run = submit().named("nightly").and(
        DatabricksTask::spark_python("/Shared/count.py")
            .named("second")
            .after("main"),
    );
    let ran = attempt(&kit, &run, (1, 1), None);
    let output: DatabricksRan = ran.output();
    assert_eq!(output.state, "SUCCESS");
    let main: Value = serde_json::from_str(&output.outputs["main"]).unwrap();
    assert_eq!(main, json!({"rows": 3, "day": "2025-01-31"}));
    assert_eq!(output.outputs.len(), 2);
    assert!(
        ran.logged(&output.url) && ran.logged("[main] counting"),
        "{:?}",
        ran.log
    );
    let path = format!("/api/2.2/jobs/runs/get?run_id={}", output.run_id);
    let seen = kit.good("GET", &path, Value::Null);
    let name = seen["run_name"].as_str().unwrap();
    assert!(name.starts_with("nightly [t"), "{name}");
}

#[test]
fn every_kind_of_task_is_what_the_api_calls_it() {
    let shown = |task: DatabricksTask| serde_json::to_value(task).unwrap()["task"].clone();
    let cluster = DatabricksCluster::of("15.4.x-scala2.12")
        .node("n2-highmem-4")
        .autoscale(2, 8)
        .conf("spark.sql.shuffle.partitions", "64");
    assert_eq!(
        shown(
            DatabricksTask::spark_jar("shop.Load")
                .arg("{ds}")
                .new_cluster(cluster)
                .library(json!({"jar": "/Volumes/x.jar"}))
        ),
        json!({
            "task_key": "main",
            "spark_jar_task": {"main_class_name": "shop.Load", "parameters": [{"$text": "{ds}"}]},
            "new_cluster": {
                "spark_version": "15.4.x-scala2.12", "node_type_id": "n2-highmem-4",
                "autoscale": {"min_workers": 2, "max_workers": 8},
                "spark_conf": {"spark.sql.shuffle.partitions": "64"},
            },
            "libraries": [{"jar": "/Volumes/x.jar"}],
        })
    );
    assert_eq!(
        shown(
            DatabricksTask::dbt("dbt deps")
                .arg("dbt run")
                .named("dbt")
                .on_cluster("c1")
        ),
        json!({"task_key": "dbt", "dbt_task": {"commands": ["dbt deps", "dbt run"]}, "existing_cluster_id": "c1"})
    );
    assert_eq!(
        shown(
            DatabricksTask::python_wheel("shop", "load")
                .param("day", "{ds}")
                .in_environment("shop")
        ),
        json!({
            "task_key": "main", "environment_key": "shop",
            "python_wheel_task": {"package_name": "shop", "entry_point": "load", "named_parameters": {"day": {"$text": "{ds}"}}},
        })
    );
    assert_eq!(
        shown(DatabricksTask::sql_file("/q.sql", "w").param("a", "1"))["sql_task"],
        json!({"file": {"path": "/q.sql"}, "warehouse_id": "w", "parameters": {"a": "1"}})
    );
    assert_eq!(
        shown(DatabricksTask::pipeline("p").full_refresh())["pipeline_task"],
        json!({"pipeline_id": "p", "full_refresh": true})
    );
}

#[test]
fn runs_accepted_are_epochs() {
    remote::one_job_whatever_is_lost(SUBMIT, kit, &submit());
    remote::later_attempts_adopt(SUBMIT, kit, &submit());
    remote::one_job_an_epoch(SUBMIT, kit, &submit());
    remote::a_kill_at_any_moment_leaves_one_job(SUBMIT, kit, &submit());
    remote::the_engine_launches_once_an_epoch(SUBMIT, kit, &submit());
    remote::what_nobody_reported_is_released(SUBMIT, &kit(), &submit());
    let other = DatabricksSubmitRun::of(notebook().param("full", "yes"));
    remote::a_stranger_is_refused(SUBMIT, &kit(), &submit(), &other);
}

#[test]
fn runs_of_a_job_accepted_are_epochs() {
    remote::one_job_whatever_is_lost(RUN_NOW, with_job, &report());
    remote::later_attempts_adopt(RUN_NOW, with_job, &report());
    remote::one_job_an_epoch(RUN_NOW, with_job, &report());
    remote::a_kill_at_any_moment_leaves_one_job(RUN_NOW, with_job, &report());
    remote::the_engine_launches_once_an_epoch(RUN_NOW, with_job, &report());
}

#[test]
fn statements_accepted_are_epochs() {
    remote::one_job_whatever_is_lost(STATEMENTS, kit, &statement());
    remote::later_attempts_adopt(STATEMENTS, kit, &statement());
    remote::one_job_an_epoch(STATEMENTS, kit, &statement());
    remote::the_engine_launches_once_an_epoch(STATEMENTS, kit, &statement());
    remote::what_nobody_reported_is_released(STATEMENTS, &kit(), &statement());
    remote::a_stranger_is_refused(STATEMENTS, &kit(), &statement(), &statement().rows(5));
}

#[test]
fn a_statement_gives_its_rows() {
    let kit = kit();
    let rows: DatabricksRows = attempt(&kit, &statement(), (1, 1), None).output();
    assert_eq!(rows.columns, ["one", "day"]);
    assert_eq!(
        rows.rows,
        [[Some("1".to_owned()), Some("2025-01-31".to_owned())]]
    );
    let nowhere = attempt(&kit, &DatabricksStatement::of("SELECT 1"), (1, 1), None);
    assert!(nowhere.error().message.contains("names no warehouse"));
}

#[test]
fn a_job_is_found_by_its_name_or_number() {
    let kit = with_job();
    let by_name: DatabricksRan = attempt(&kit, &report(), (1, 1), None).output();
    let by_number = DatabricksRunNow::job(by_name.job_id.to_string());
    let again: DatabricksRan = attempt(&kit, &by_number, (2, 1), None).output();
    assert_eq!(again.job_id, by_name.job_id);
    let missing = attempt(&kit, &DatabricksRunNow::named("rapport"), (3, 1), None);
    assert_eq!(missing.error().kind, ErrorKind::Permanent);
    assert!(
        missing
            .error()
            .message
            .contains("there is no Databricks job `rapport`")
    );
    let task = json!({"task_key": "main", "notebook_task": {"notebook_path": "/Shared/count"}});
    let second = json!({"name": "report", "tasks": [task]});
    kit.good("POST", "/api/2.2/jobs/create", second);
    let twice = attempt(&kit, &report(), (4, 1), None);
    assert!(
        twice.error().message.contains("several Databricks jobs"),
        "{}",
        twice.error()
    );
}

#[test]
fn a_run_that_fails_is_repaired_before_another_is_made() {
    let fails = json!({"job_fails": {"message": "out of memory"}});
    for fault in [None, Some("lost_after"), Some("lost_before"), Some("html")] {
        let kit = with_job();
        kit.fault_of("databricks", RUN_NOW.submit, (0, 1), fails.clone());
        if let Some(fault) = fault {
            kit.fault_of("databricks", REPAIR, (0, 1), json!(fault));
        }
        let ran = until_done(&kit, &report().repairs(2), 1);
        assert!(ran.result.is_ok(), "{fault:?}: {:?}", ran.result);
        assert!(ran.logged("what failed in it runs again"));
        assert_eq!(RUN_NOW.accepted(&kit), 1, "{fault:?}");
        assert_eq!(kit.effects(REPAIR).len(), 1, "{fault:?}");
    }
    // A run that is beyond repair is the task's failure.
    let kit = with_job();
    let task = json!({"task_key": "main", "notebook_task": {"notebook_path": "/Shared/breaks"}});
    kit.good(
        "POST",
        "/api/2.2/jobs/create",
        json!({"name": "bad", "tasks": [task]}),
    );
    let ran = attempt(
        &kit,
        &DatabricksRunNow::named("bad").repairs(2),
        (1, 1),
        None,
    );
    assert_eq!(ran.error().kind, ErrorKind::Transient);
    assert!(
        ran.error().message.contains("no such table"),
        "{}",
        ran.error()
    );
    assert_eq!(kit.effects(REPAIR).len(), 2);
    assert_eq!(RUN_NOW.accepted(&kit), 1);
}

/// A sandbox with a pipeline, and that pipeline's identifier.
fn with_pipeline(notebook: &str) -> (Kit, String) {
    let kit = kit();
    let library = json!({"notebook": {"path": notebook}});
    let made = kit.good(
        "POST",
        "/api/2.0/pipelines",
        json!({"name": "orders", "libraries": [library]}),
    );
    let id = made["pipeline_id"].as_str().expect("it works").to_owned();
    (kit, id)
}

fn updates(kit: &Kit, pipeline: &str) -> Vec<Value> {
    let path = format!("/api/2.0/pipelines/{pipeline}/updates");
    let list = kit.good("GET", &path, Value::Null);
    list["updates"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_pipeline_is_updated_once_whatever_is_lost() {
    for fault in ["lost_before", "lost_after", "truncated", "html"] {
        for count in [1, 3] {
            for method in [UPDATES.submit, UPDATES.get, LIST_UPDATES] {
                let (kit, id) = with_pipeline("/Shared/count");
                kit.fault_of("databricks", method, (0, count), json!(fault));
                let ran = until_done(&kit, &DatabricksPipeline::update(&id), 1);
                let updated: DatabricksUpdated = ran.output();
                assert_eq!(updated.pipeline_id, id);
                assert_eq!(UPDATES.accepted(&kit), 1, "{fault} {count} {method}");
            }
        }
    }
    // One that is refused for good says so, and one that nobody hears of ends some time.
    let (kit, id) = with_pipeline("/Shared/count");
    kit.fault_of("databricks", UPDATES.submit, (0, 100), json!("lost_before"));
    let never = attempt(&kit, &DatabricksPipeline::update(&id), (1, 1), None);
    assert_eq!(never.error().kind, ErrorKind::Ambiguous);
    assert_eq!(UPDATES.accepted(&kit), 0);
    let missing = attempt(&kit, &DatabricksPipeline::update("nothing"), (1, 1), None);
    assert_eq!(missing.error().kind, ErrorKind::Permanent);
    assert!(
        missing
            .error()
            .message
            .contains("there is no pipeline `nothing`")
    );
}

#[test]
fn an_update_is_watched_to_its_end() {
    let (kit, id) = with_pipeline("/Shared/breaks");
    let failed = attempt(&kit, &DatabricksPipeline::update(&id), (1, 1), None);
    assert_eq!(failed.error().kind, ErrorKind::Transient);
    assert!(
        failed.error().message.contains("no such table"),
        "{}",
        failed.error()
    );

    let (kit, id) = with_pipeline("/Shared/count");
    kit.fault_of("databricks", UPDATES.submit, (0, 1), json!("job_vanishes"));
    let lost = attempt(&kit, &DatabricksPipeline::update(&id), (1, 1), None);
    assert_eq!(lost.error().kind, ErrorKind::Lost);
    kit.fault_of("databricks", UPDATES.submit, (0, 1), json!("job_stuck"));
    let stop = Some(Duration::from_secs(3600));
    let full = DatabricksPipeline::update(&id).full_refresh();
    let stopped = attempt(&kit, &full, (2, 1), stop);
    assert_eq!(stopped.error().kind, ErrorKind::Cancelled);
    assert_eq!(kit.effects(UPDATES.cancel).len(), 1);
    assert_eq!(updates(&kit, &id)[0]["full_refresh"], true);
}

#[test]
fn an_update_that_is_active_is_waited_for() {
    let (kit, id) = with_pipeline("/Shared/count");
    kit.fault_of("databricks", UPDATES.submit, (0, 1), json!("job_stuck"));
    let path = format!("/api/2.0/pipelines/{id}/updates");
    kit.good("POST", &path, json!({"full_refresh": true}));
    // While it is there nothing is taken, and nothing of somebody else's is stopped.
    let stop = Some(Duration::from_secs(3600));
    let waits = attempt(&kit, &DatabricksPipeline::update(&id), (1, 1), stop);
    assert_eq!(waits.error().kind, ErrorKind::Cancelled);
    assert!(
        waits.error().message.contains("another update is active"),
        "{}",
        waits.error()
    );
    assert!(kit.effects(UPDATES.cancel).is_empty());
    kit.good("POST", &format!("/api/2.0/pipelines/{id}/stop"), json!({}));
    let ran = attempt(&kit, &DatabricksPipeline::update(&id), (1, 2), None);
    assert!(ran.result.is_ok(), "{:?}", ran.result);
    assert_eq!(UPDATES.accepted(&kit), 2);
}

#[test]
fn a_pipeline_is_updated_once_whenever_a_worker_is_killed() {
    for moment in 1..=16 {
        let (kit, id) = with_pipeline("/Shared/count");
        kit.fault_of("databricks", UPDATES.submit, (0, 100), json!("job_stuck"));
        let dag = valid(Dag::build("remote", |dag| {
            dag.schedule(Cron::daily());
            dag.add("task", DatabricksPipeline::update(&id));
        }));
        let (ctx, task) = remote::worker(&kit, &dag);
        // What was there before is on record; then the worker is killed while it asks.
        let Ok(Outcome::Deferred { handle, .. }) = kit.run(task.run(&ctx)) else {
            panic!("it waits");
        };
        let (ctx, task) = remote::worker(&kit, &dag);
        remote::kill_at(&kit, moment, task.resume(&ctx, handle.clone()));
        let (ctx, task) = remote::worker(&kit, &dag);
        let mut handle = handle;
        for _ in 0..3 {
            let Ok(Outcome::Deferred { handle: next, .. }) = kit.run(task.resume(&ctx, handle))
            else {
                panic!("it waits");
            };
            handle = next;
        }
        assert!(handle["update"].is_string(), "{moment}: {handle}");
        assert_eq!(UPDATES.accepted(&kit), 1, "{moment}");
        // And whoever has only what was noted stops it.
        kit.run(task.cancel(&ctx, Some(handle))).expect("it works");
        assert_eq!(kit.effects(UPDATES.cancel).len(), 1, "{moment}");
    }
}

#[test]
fn an_outage_while_an_update_is_watched_asks_for_no_other() {
    let (kit, id) = with_pipeline("/Shared/count");
    let down = json!({"status": {"status": 503}});
    kit.fault_of("databricks", UPDATES.get, (0, 200), down.clone());
    kit.fault_of("databricks", LIST_UPDATES, (1, 60), down);
    let ran = attempt(&kit, &DatabricksPipeline::update(&id), (1, 1), None);
    assert!(ran.result.is_ok(), "{:?}", ran.result);
    assert!(ran.took > Duration::from_secs(600), "{:?}", ran.took);
    assert_eq!(UPDATES.accepted(&kit), 1);
}

#[test]
fn two_updates_that_could_be_ours_are_an_error_and_no_third_is_asked_for() {
    let (kit, id) = with_pipeline("/Shared/count");
    let dag = valid(Dag::build("remote", |dag| {
        dag.schedule(Cron::daily());
        dag.add("task", DatabricksPipeline::update(&id));
    }));
    let (ctx, task) = remote::worker(&kit, &dag);
    let Ok(Outcome::Deferred { handle, .. }) = kit.run(task.run(&ctx)) else {
        panic!("it waits");
    };
    let path = format!("/api/2.0/pipelines/{id}/updates");
    for _ in 0..2 {
        kit.good("POST", &path, json!({}));
        while updates(&kit, &id)[0]["state"] != "COMPLETED" {}
    }
    let error = kit
        .run(task.resume(&ctx, handle))
        .expect_err("it is unclear");
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(
        error.message.contains("it is unclear which update"),
        "{error}"
    );
    assert_eq!(UPDATES.accepted(&kit), 2);
}
