//! Dataproc: jobs, batches and clusters, once each.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill::prelude::*;
use tidemill::testing::{DagRun, valid};
use tidemill_operators::{
    DataprocBatch, DataprocCluster, DataprocDeleteCluster, DataprocJob, DataprocRan, DataprocReady,
};

use crate::kit::Kit;
use crate::remote::{self, Service, attempt};

const JOBS: Service = Service {
    name: "dataproc",
    submit: "dataproc.projects.regions.jobs.submit",
    get: "dataproc.projects.regions.jobs.get",
    cancel: "dataproc.projects.regions.jobs.cancel",
    fails_as: ErrorKind::Transient,
};

const BATCHES: Service = Service {
    name: "dataproc",
    submit: "dataproc.projects.locations.batches.create",
    get: "dataproc.projects.locations.batches.get",
    cancel: "dataproc.projects.regions.operations.cancel",
    fails_as: ErrorKind::Transient,
};

const CREATE: &str = "dataproc.projects.regions.clusters.create";
const DELETE: &str = "dataproc.projects.regions.clusters.delete";
const CLUSTERS: &str = "/v1/projects/shop/regions/europe-west1/clusters";

fn kit() -> Kit {
    Kit::with(remote::programs())
}

/// A sandbox with the cluster `etl`.
fn with_cluster() -> Kit {
    let kit = kit();
    kit.good(
        "POST",
        CLUSTERS,
        json!({"clusterName": "etl", "config": {}}),
    );
    let made = attempt(&kit, &DataprocCluster::named("etl").shared(), (1, 1), None);
    let ready: DataprocReady = made.output();
    assert_eq!(
        (ready.name.as_str(), ready.project.as_str()),
        ("etl", "shop")
    );
    kit
}

fn job() -> DataprocJob {
    DataprocJob::pyspark("gs://code/count.py")
        .on("etl")
        .arg("--day={ds}")
}

fn batch() -> DataprocBatch {
    DataprocBatch::pyspark("gs://code/count.py")
        .arg("--day={ds}")
        .property("spark.executor.memory", "4g")
}

#[test]
fn a_job_runs_to_its_end_and_its_log_is_in_the_tasks() {
    let kit = with_cluster();
    let ran = attempt(&kit, &job(), (1, 1), None);
    let output: DataprocRan = ran.output();
    assert_eq!(output.region, "europe-west1");
    assert!(output.url.contains(&output.id), "{}", output.url);
    assert!(output.driver_log.starts_with("gs://"));
    assert!(ran.logged(&output.url), "{:?}", ran.log);
    assert!(
        ran.logged("[driver] ") && ran.logged("counting"),
        "{:?}",
        ran.log
    );
    let path = format!("/v1/projects/shop/regions/europe-west1/jobs/{}", output.id);
    let seen = kit.good("GET", &path, Value::Null);
    assert_eq!(seen["pysparkJob"]["args"], json!(["--day=2025-01-31"]));
    assert_eq!(seen["labels"]["tidemill-dag"], "remote");
    assert_eq!(seen["labels"]["tidemill-key"], output.id.as_str());
}

#[test]
fn jobs_accepted_are_epochs() {
    remote::one_job_whatever_is_lost(JOBS, with_cluster, &job());
    remote::later_attempts_adopt(JOBS, with_cluster, &job());
    remote::one_job_an_epoch(JOBS, with_cluster, &job());
    remote::a_kill_at_any_moment_leaves_one_job(JOBS, with_cluster, &job());
    remote::the_engine_launches_once_an_epoch(JOBS, with_cluster, &job());
    remote::what_nobody_reported_is_released(JOBS, &with_cluster(), &job());
    remote::a_stranger_is_refused(JOBS, &with_cluster(), &job(), &job().arg("--full"));
}

#[test]
fn batches_accepted_are_epochs() {
    remote::one_job_whatever_is_lost(BATCHES, kit, &batch());
    remote::later_attempts_adopt(BATCHES, kit, &batch());
    remote::one_job_an_epoch(BATCHES, kit, &batch());
    remote::a_kill_at_any_moment_leaves_one_job(BATCHES, kit, &batch());
    remote::the_engine_launches_once_an_epoch(BATCHES, kit, &batch());
    remote::what_nobody_reported_is_released(BATCHES, &kit(), &batch());
    remote::a_stranger_is_refused(BATCHES, &kit(), &batch(), &batch().arg("--full"));
}

#[test]
fn a_batch_says_where_it_is_and_what_it_wrote() {
    let kit = kit();
    let ran = attempt(&kit, &batch(), (1, 1), None);
    let output: DataprocRan = ran.output();
    assert!(
        output.url.contains("/batches/europe-west1/"),
        "{}",
        output.url
    );
    assert!(ran.logged("counting"), "{:?}", ran.log);
    let failed = attempt(
        &kit,
        &DataprocBatch::pyspark("gs://code/breaks.py"),
        (2, 1),
        None,
    );
    assert!(failed.error().message.contains("no such table"));
    assert!(failed.error().help.contains("driver's log"));
}

#[test]
fn what_is_wrong_with_a_job_is_named() {
    let kit = with_cluster();
    let nowhere = attempt(&kit, &DataprocJob::pyspark("gs://c/count.py"), (1, 1), None);
    assert!(nowhere.error().message.contains("names no cluster"));
    let missing = attempt(&kit, &job().on("elt"), (1, 1), None);
    assert_eq!(missing.error().kind, ErrorKind::Permanent);
    assert!(
        missing
            .error()
            .message
            .contains("there is no cluster `elt` in region `europe-west1`"),
        "{}",
        missing.error()
    );
    let forbidden = json!({"forbidden": {"permission": "dataproc.jobs.create"}});
    kit.fault_of("dataproc", JOBS.submit, (0, 1), forbidden);
    let refused = attempt(&kit, &job(), (1, 1), None);
    assert!(
        refused
            .error()
            .message
            .contains("lacks the permission `dataproc.jobs.create`"),
        "{}",
        refused.error()
    );
    // Kinds that this sandbox does not run say so, and nothing runs.
    let hive = attempt(&kit, &DataprocJob::hive("SELECT 1").on("etl"), (1, 1), None);
    assert_eq!(hive.error().kind, ErrorKind::Permanent);
    assert_eq!(JOBS.accepted(&kit), 0);
}

#[test]
fn every_kind_of_job_is_what_the_api_calls_it() {
    let shown = |job: DataprocJob| serde_json::to_value(job).unwrap()["job"].clone();
    assert_eq!(
        shown(
            DataprocJob::spark("shop.Load")
                .jar("gs://c/load.jar")
                .property("a.b", "1")
        ),
        json!({"sparkJob": {"mainClass": "shop.Load", "jarFileUris": ["gs://c/load.jar"], "properties": {"a.b": "1"}}})
    );
    assert_eq!(
        shown(
            DataprocJob::spark_sql("SELECT 1")
                .query("SELECT 2")
                .variable("day", "{ds}")
        ),
        json!({"sparkSqlJob": {
            "queryList": {"queries": ["SELECT 1", "SELECT 2"]}, "scriptVariables": {"day": {"$text": "{ds}"}},
        }})
    );
    for (job, kind) in [
        (DataprocJob::hive_file("gs://c/x.hql"), "hiveJob"),
        (DataprocJob::pig("x"), "pigJob"),
        (DataprocJob::presto("x"), "prestoJob"),
        (DataprocJob::trino("x"), "trinoJob"),
        (DataprocJob::hadoop_jar("gs://c/x.jar"), "hadoopJob"),
        (DataprocJob::flink_jar("gs://c/x.jar"), "flinkJob"),
        (DataprocJob::spark_r("gs://c/x.R"), "sparkRJob"),
    ] {
        assert!(shown(job)[kind].is_object(), "{kind}");
    }
}

fn clustered() -> Dag {
    Dag::build("clustered", |dag| {
        dag.schedule(Cron::daily());
        let name = "clean-{ds_nodash}";
        let made = dag
            .add("cluster", DataprocCluster::named(name).workers(2))
            .setup();
        let job = DataprocJob::pyspark("gs://code/count.py").on(name);
        let cleaned = dag.add("clean", job).after(&made);
        dag.add("remove", DataprocDeleteCluster::named(name))
            .after(&cleaned)
            .teardown(&made);
    })
}

#[test]
fn a_cluster_is_there_for_a_run_and_gone_after_it() {
    for fault in [
        None,
        Some((CREATE, json!("lost_after"))),
        Some((CREATE, json!("truncated"))),
        Some((DELETE, json!("lost_after"))),
        Some((JOBS.submit, json!("lost_after"))),
    ] {
        let kit = kit();
        if let Some((method, kind)) = &fault {
            kit.fault_of("dataproc", method, (0, 2), kind.clone());
        }
        let dag = valid(clustered());
        let google = kit.google().with("region", "europe-west1");
        let ran = DagRun::of(&dag).connection(google).run();
        ran.assert_success();
        assert_eq!(kit.effects(CREATE).len(), 1, "{fault:?}");
        assert_eq!(kit.effects(DELETE).len(), 1, "{fault:?}");
        let left = kit.good("GET", CLUSTERS, Value::Null);
        assert_eq!(left["clusters"].as_array().map_or(0, Vec::len), 0);
    }
}

#[test]
fn a_cluster_is_made_once_and_one_of_somebody_else_is_left_alone() {
    let kit = kit();
    let cluster = DataprocCluster::named("own").workers(2);
    for (epoch, nth) in [(1, 1), (1, 2), (2, 3)] {
        let ready: DataprocReady = attempt(&kit, &cluster, (epoch, nth), None).output();
        assert!(ready.url.contains("/own/"));
    }
    assert_eq!(kit.effects(CREATE).len(), 1);
    let other = attempt(&kit, &cluster.clone().workers(3), (1, 3), None);
    assert!(
        other.error().message.contains("otherwise than"),
        "{}",
        other.error()
    );

    kit.good(
        "POST",
        CLUSTERS,
        json!({"clusterName": "theirs", "config": {}}),
    );
    let theirs = DataprocCluster::named("theirs");
    let refused = attempt(&kit, &theirs, (1, 1), None);
    assert_eq!(refused.error().kind, ErrorKind::Permanent);
    assert!(refused.error().message.contains("this run did not make it"));
    let spared = attempt(&kit, &DataprocDeleteCluster::named("theirs"), (1, 1), None);
    assert!(spared.logged("is left alone"));
    assert!(kit.effects(DELETE).is_empty());
    let any = DataprocDeleteCluster::named("theirs").of_anybody();
    for _ in 0..2 {
        assert!(attempt(&kit, &any, (1, 1), None).result.is_ok());
    }
    assert_eq!(kit.effects(DELETE).len(), 1);
}

#[test]
fn a_cluster_that_comes_up_broken_is_deleted_and_made_anew() {
    let kit = kit();
    let fails = json!({"job_fails": {"message": "no addresses left"}});
    kit.fault_of("dataproc", CREATE, (0, 1), fails);
    let cluster = DataprocCluster::named("own");
    let broken = attempt(&kit, &cluster, (1, 1), None);
    assert_eq!(broken.error().kind, ErrorKind::Transient);
    assert!(attempt(&kit, &cluster, (2, 2), None).result.is_ok());
    assert_eq!(
        (kit.effects(CREATE).len(), kit.effects(DELETE).len()),
        (2, 1)
    );
}

#[test]
fn a_cluster_that_nobody_waits_for_any_more_is_deleted() {
    let kit = kit();
    kit.fault_of("dataproc", CREATE, (0, 1), json!("job_stuck"));
    let stop = Some(Duration::from_secs(600));
    let stopped = attempt(&kit, &DataprocCluster::named("own"), (1, 1), stop);
    assert_eq!(stopped.error().kind, ErrorKind::Cancelled);
    assert_eq!(kit.effects(DELETE).len(), 1);
}
