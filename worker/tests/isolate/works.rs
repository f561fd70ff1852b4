//! An isolated attempt is like one inside the worker.

use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use tidemill_core::operator::{Host, Level, Outcome, TaskError};
use tidemill_core::span::{minutes, seconds};
use tidemill_worker::isolate::{self, Act, NOT_A_CHILD};

use crate::host::{Remembers, facts, program, ran, runtime};
use crate::tasks::{job, job_to, shell_job};

crate::tests![
    it_returns_what_the_task_returns,
    it_knows_its_facts_to_the_last_null,
    every_outcome_comes_back,
    it_is_resumed_and_cancelled,
    lines_and_progress_arrive_in_order,
    connections_and_variables_are_asked_of_the_worker,
    the_environment_is_clean,
    the_shell_operator_works_inside,
    many_run_at_once,
    by_hand_it_is_refused,
];

fn it_returns_what_the_task_returns() {
    assert_eq!(
        ran(&job("return")).0,
        Ok(Outcome::Done(json!("1970-01-01")))
    );
}

fn it_knows_its_facts_to_the_last_null() {
    let mut job = job("facts");
    job.facts.item = Some(Value::Null);
    let (result, _) = ran(&job);
    let expected = serde_json::to_value(facts()).expect("JSON");
    assert_eq!(result, Ok(Outcome::Done(expected)));
    // `null` is an item, and can be filled in.
    job.spec.config["with"] = json!({ "$text": "<{item}>" });
    job.spec.config["what"] = json!("return");
    assert_eq!(ran(&job).0, Ok(Outcome::Done(json!("<>"))));
}

fn every_outcome_comes_back() {
    let skipped = Outcome::Skipped {
        why: "no rows".to_owned(),
    };
    let deferred = Outcome::Deferred {
        handle: Value::Null,
        wait: seconds(30),
        why: "not there yet".to_owned(),
    };
    for (what, result) in [
        ("skip", Ok(skipped)),
        ("defer", Ok(deferred)),
        ("job failed", Ok(Outcome::Failed(TaskError::data("line 3")))),
        (
            "quota",
            Err(TaskError::quota("too much", Some(minutes(5))).help("ask for more")),
        ),
        ("this", Err(TaskError::permanent("nobody does `this`"))),
    ] {
        assert_eq!(ran(&job(what)).0, result, "{what}");
    }
}

fn it_is_resumed_and_cancelled() {
    let (result, _) = ran(&job_to(Act::Resume(json!(7))));
    assert_eq!(result, Ok(Outcome::Done(json!(["resumed", 7]))));
    for (handle, said) in [(Some(Value::Null), "Some(Null)"), (None, "None")] {
        let (result, host) = ran(&job_to(Act::Cancel(handle)));
        assert_eq!(result, Ok(Outcome::Done(Value::Null)));
        assert_eq!(host.of(Level::Info), [format!("cancelling {said}")]);
    }
}

fn lines_and_progress_arrive_in_order() {
    let (result, host) = ran(&job("say"));
    assert!(result.is_ok());
    let mut info = host.of(Level::Info);
    info.sort_unstable();
    assert_eq!(info, ["a line", "printed"]);
    let mut warn = host.of(Level::Warn);
    warn.sort_unstable();
    assert_eq!(warn, ["a warning\nof two", "complained"]);
    let progress = host.progress.lock().expect("no panic").clone();
    assert_eq!(
        progress,
        [(0.5, "half".to_owned()), (0.0, "odd".to_owned())]
    );
}

fn connections_and_variables_are_asked_of_the_worker() {
    let (result, _) = ran(&job("ask"));
    let expected = json!(["crm.test", "s3cret", "gs://bucket"]);
    assert_eq!(result, Ok(Outcome::Done(expected)));
}

fn the_environment_is_clean() {
    // Cargo gives this process variables that are not on the list.
    assert!(std::env::vars_os().any(|(name, _)| name == "CARGO_MANIFEST_DIR"));
    let Ok(Outcome::Done(Value::Array(names))) = ran(&job("environment")).0 else {
        panic!("the task failed")
    };
    let allowed = |name: &str| {
        tidemill_process::INHERITED.contains(&name)
            || name.starts_with("LC_")
            || name == "RUST_BACKTRACE"
    };
    for name in &names {
        assert!(
            name.as_str().is_some_and(allowed),
            "{name} is not on the list"
        );
    }
    assert!(names.contains(&json!("PATH")));
}

fn the_shell_operator_works_inside() {
    let (result, host) = ran(&shell_job("echo one; echo two >&2; cat; echo three"));
    assert_eq!(result, Ok(Outcome::Done(json!("three"))));
    assert_eq!(host.of(Level::Info), ["one", "three"]);
    assert_eq!(host.of(Level::Warn), ["two"]);
}

fn many_run_at_once() {
    let host = Arc::new(Remembers::default());
    let results = runtime().block_on(async {
        let mut attempts = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let host = Arc::clone(&host) as Arc<dyn Host>;
            attempts.spawn(async { isolate::run(&program(), &job("return"), host).await });
        }
        attempts.join_all().await
    });
    assert_eq!(results.len(), 40);
    for result in results {
        assert_eq!(result, Ok(Outcome::Done(json!("1970-01-01"))));
    }
}

fn by_hand_it_is_refused() {
    let program = program();
    let mut command = Command::new(program.path);
    command.args(program.args).stdin(Stdio::null());
    let status = command.status().expect("it starts");
    assert_eq!(status.code(), Some(i32::from(NOT_A_CHILD)));
}
