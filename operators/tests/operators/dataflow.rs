//! Dataflow: templates launched once, batch to the end, streaming until it runs.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill::prelude::*;
use tidemill_operators::{DataflowJob, DataflowRan, DataflowStop};

use crate::kit::Kit;
use crate::remote::{self, Service, attempt, until_done};

const FLEX: Service = Service {
    name: "dataflow",
    submit: "dataflow.projects.locations.flexTemplates.launch",
    get: "dataflow.projects.locations.jobs.get",
    cancel: "dataflow.projects.locations.jobs.update",
    fails_as: ErrorKind::Transient,
};

const CLASSIC: Service = Service {
    submit: "dataflow.projects.locations.templates.launch",
    ..FLEX
};

const JOBS: &str = "/v1b3/projects/shop/locations/europe-west1/jobs";

fn kit() -> Kit {
    Kit::with(remote::programs())
}

fn batch() -> DataflowJob {
    DataflowJob::flex("gs://templates/count.json").param("day", "{ds}")
}

fn stream() -> DataflowJob {
    DataflowJob::template("gs://templates/stream").named("events")
}

/// Jobs of the sandbox by their states, the newest first.
fn states(kit: &Kit) -> Vec<String> {
    let jobs = kit.good("GET", JOBS, Value::Null);
    let jobs = jobs["jobs"].as_array().cloned().unwrap_or_default();
    let state = |job: &Value| job["currentState"].as_str().unwrap_or_default().to_owned();
    jobs.iter().map(state).collect()
}

#[test]
fn a_batch_job_runs_to_its_end_with_what_it_counted() {
    let kit = kit();
    let job = batch().label("team", "crm").max_workers(3);
    let ran = attempt(&kit, &job, (1, 1), None);
    let output: DataflowRan = ran.output();
    assert_eq!(output.state, "JOB_STATE_DONE");
    assert_eq!(output.metrics["rows"], 3.0);
    assert!(
        ran.logged(&output.url) && ran.logged("counting"),
        "{:?}",
        ran.log
    );
    let seen = kit.good("GET", &format!("{JOBS}/{}", output.id), Value::Null);
    assert_eq!(seen["labels"]["team"], "crm");
    assert_eq!(seen["labels"]["tidemill-task"], "task");
    let day = json!({"namespace": "template", "key": "day", "strValue": "2025-01-31"});
    assert_eq!(seen["pipelineDescription"]["displayData"], json!([day]));
}

#[test]
fn jobs_accepted_are_epochs() {
    remote::one_job_whatever_is_lost(FLEX, kit, &batch());
    remote::later_attempts_adopt(FLEX, kit, &batch());
    remote::one_job_an_epoch(FLEX, kit, &batch());
    remote::a_kill_at_any_moment_leaves_one_job(FLEX, kit, &batch());
    remote::the_engine_launches_once_an_epoch(FLEX, kit, &batch());
    remote::what_nobody_reported_is_released(FLEX, &kit(), &batch());
    remote::a_stranger_is_refused(FLEX, &kit(), &batch(), &batch().param("full", "yes"));
    remote::later_attempts_adopt(CLASSIC, kit, &stream());
}

#[test]
fn of_a_streaming_job_the_task_is_done_when_it_runs() {
    let kit = kit();
    let output: DataflowRan = attempt(&kit, &stream(), (1, 1), None).output();
    assert_eq!(
        (output.name.as_str(), output.state.as_str()),
        ("events", "JOB_STATE_RUNNING")
    );
    // Another launch under this name is refused, and a replacement takes its place.
    let taken = attempt(&kit, &stream(), (2, 1), None);
    assert_eq!(taken.error().kind, ErrorKind::Permanent);
    assert!(taken.error().message.contains("`events` runs already"));
    for fault in ["lost_after", "lost_before", "truncated"] {
        let before = CLASSIC.accepted(&kit);
        kit.fault_of("dataflow", CLASSIC.submit, (0, 1), json!(fault));
        let epoch = u32::try_from(before).expect("small") + 10;
        let new: DataflowRan = until_done(&kit, &stream().replacing(), epoch).output();
        assert_ne!(new.id, output.id);
        assert_eq!(CLASSIC.accepted(&kit), before + 1, "{fault}");
    }
    let states = states(&kit);
    assert_eq!(states[0], "JOB_STATE_RUNNING");
    assert!(
        states[1..].iter().all(|state| state == "JOB_STATE_UPDATED"),
        "{states:?}"
    );
    let nameless = DataflowJob::template("gs://templates/stream").replacing();
    let refused = attempt(&kit, &nameless, (9, 1), None);
    assert!(
        refused.error().help.contains(".named("),
        "{}",
        refused.error()
    );
}

#[test]
fn a_streaming_job_is_drained_and_a_batch_job_cancelled() {
    let kit = kit();
    let running: DataflowRan = attempt(&kit, &stream(), (1, 1), None).output();
    kit.fault_of("dataflow", FLEX.cancel, (0, 1), json!("lost_after"));
    let drain = DataflowStop::drain("events");
    assert!(attempt(&kit, &drain, (1, 1), None).result.is_ok());
    assert_eq!(states(&kit), ["JOB_STATE_DRAINED"]);
    // There is nothing to do any more.
    let again = attempt(&kit, &drain, (1, 2), None);
    assert!(again.logged("no Dataflow job `events` is active"));
    assert!(
        attempt(&kit, &DataflowStop::cancel(running.id), (1, 3), None)
            .result
            .is_ok()
    );

    let second: DataflowRan = attempt(&kit, &stream(), (2, 1), None).output();
    assert!(
        attempt(&kit, &DataflowStop::cancel(second.id), (1, 1), None)
            .result
            .is_ok()
    );
    assert_eq!(states(&kit)[0], "JOB_STATE_CANCELLED");
}

#[test]
fn a_watched_streaming_job_is_drained_when_its_task_is_cancelled() {
    let kit = kit();
    let watched = stream().watched().draining();
    let stop = Some(Duration::from_secs(3600));
    let ran = attempt(&kit, &watched, (1, 1), stop);
    assert_eq!(ran.error().kind, ErrorKind::Cancelled);
    assert!(kit.effects(FLEX.cancel)[0].contains("JOB_STATE_DRAINED"));
    // That it was drained is a good end for whoever watches.
    let output: DataflowRan = attempt(&kit, &watched, (1, 2), None).output();
    assert_eq!(output.state, "JOB_STATE_DRAINED");
}

#[test]
fn what_is_wrong_with_a_launch_is_named() {
    let kit = kit();
    let wrong = attempt(
        &kit,
        &DataflowJob::flex("templates/count.json"),
        (1, 1),
        None,
    );
    assert_eq!(wrong.error().kind, ErrorKind::Permanent);
    assert!(
        wrong.error().message.contains("not the path of a template"),
        "{}",
        wrong.error()
    );
    let breaks = attempt(&kit, &DataflowJob::flex("gs://t/breaks.json"), (1, 1), None);
    assert!(
        breaks.error().message.contains("no such table"),
        "{}",
        breaks.error()
    );
    let quota = json!({"status": {"status": 429, "retry_after": 7}});
    kit.fault_of("dataflow", FLEX.submit, (0, 50), quota);
    let spent = attempt(&kit, &batch(), (3, 1), None);
    assert_eq!(spent.error().kind, ErrorKind::Quota, "{}", spent.error());
    assert_eq!(FLEX.accepted(&kit), 1);
}
