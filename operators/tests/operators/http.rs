//! What requests do when the other side fails, loses, truncates, refuses and delays.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tidemill::prelude::*;
use tidemill::testing::{TaskRun, valid};
use tidemill_core::operator::Connection;
use tidemill_operators::http::{self, Client, Request};

use crate::kit::{Kit, STORAGE, client};

const LIST: &str = "storage.buckets.list";
const MAKE: &str = "storage.buckets.insert";

fn list(client: &Client) -> Request {
    client
        .get("/storage/v1/b", &[])
        .query("project", "shop")
        .doing("list the buckets")
        .needs("storage.buckets.list")
}

/// Making a bucket has no key, so it may not be repeated.
fn make(client: &Client) -> Request {
    client
        .post("/storage/v1/b", &[])
        .query("project", "shop")
        .json(&json!({"name": "silver"}))
        .doing("make the bucket `silver`")
}

#[test]
fn what_may_be_repeated_outlives_every_fault_that_passes() {
    let kit = Kit::with_bucket();
    let (client, waits) = client(&kit.google());
    for fault in [
        json!("lost_before"),
        json!("lost_after"),
        json!("truncated"),
        json!("html"),
        json!({"status": {"status": 500}}),
        json!({"status": {"status": 503, "retry_after": 7}}),
        json!({"status": {"status": 429, "retry_after": 7}}),
    ] {
        kit.fault(LIST, 2, fault.clone());
        let reply: Value = kit.run(list(&client).send_json()).unwrap();
        assert_eq!(reply["items"][0]["name"], "raw", "{fault}");
        let slept = waits.slept();
        assert_eq!(slept.len(), 2, "{fault}");
        if fault.to_string().contains("retry_after") {
            assert_eq!(slept, [Duration::from_secs(7); 2], "{fault}");
        }
    }
    assert!(
        waits.warned().contains("again in 7.0 s"),
        "{}",
        waits.warned()
    );
}

#[test]
fn what_may_not_be_repeated_is_ambiguous_when_it_may_have_been_done() {
    for (fault, effects) in [
        (json!("lost_before"), 0),
        (json!("lost_after"), 1),
        (json!("truncated"), 1),
        (json!("html"), 1),
        (json!({"status": {"status": 500}}), 0),
    ] {
        let kit = Kit::new();
        let (client, waits) = client(&kit.google());
        kit.fault(MAKE, 1, fault.clone());
        let error = kit.run(make(&client).send_json::<Value>()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Ambiguous, "{fault}: {error}");
        assert_eq!(kit.asked(MAKE).len(), 1, "{fault}");
        assert_eq!(kit.effects(MAKE).len(), effects, "{fault}");
        assert_eq!(waits.slept(), [], "{fault}");
    }
}

#[test]
fn what_was_certainly_not_done_is_sent_again_or_left_to_the_next_attempt() {
    let kit = Kit::new();
    let (client, waits) = client(&kit.google());
    kit.fault(
        MAKE,
        2,
        json!({"status": {"status": 429, "retry_after": 3}}),
    );
    kit.run(make(&client).send_json::<Value>()).unwrap();
    assert_eq!(kit.effects(MAKE).len(), 1);
    assert_eq!(waits.slept(), [Duration::from_secs(3); 2]);
    // A 503 in the service's words was not done; whether it is sent again is up to who knows what else happened.
    kit.fault(
        MAKE,
        1,
        json!({"status": {"status": 503, "retry_after": 9}}),
    );
    let error = kit.run(make(&client).send_json::<Value>()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    assert_eq!(error.retry_after, Some(Duration::from_secs(9)));
}

#[test]
fn a_service_that_wants_hours_is_left_to_the_scheduler() {
    let kit = Kit::with_bucket();
    let (client, waits) = client(&kit.google());
    kit.fault(
        LIST,
        1,
        json!({"status": {"status": 429, "retry_after": 3_600}}),
    );
    let error = kit.run(list(&client).send()).unwrap_err();
    assert_eq!(
        (error.kind, error.retry_after),
        (ErrorKind::Quota, Some(Duration::from_secs(3_600)))
    );
    kit.fault(LIST, 1, json!("quota"));
    let error = kit.run(list(&client).send()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Quota, "{error}");
    assert!(error.help.contains("quota"), "{}", error.help);
    assert_eq!(waits.slept(), []);
}

#[test]
fn a_service_that_stays_away_is_given_up_in_time() {
    let kit = Kit::new();
    let (client, waits) = client(&kit.google());
    kit.fault(LIST, 1_000, json!({"status": {"status": 503}}));
    let error = kit.run(list(&client).send()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(error.message.contains("(tried "), "{error}");
    let slept: Duration = waits.slept().iter().sum();
    assert!(slept < Duration::from_secs(300), "{slept:?}");
    // Many requests together do not ask for ever: repetitions have a budget.
    let before = kit.asked(LIST).len();
    for _ in 0..60 {
        kit.run(list(&client).send()).unwrap_err();
    }
    let asked = kit.asked(LIST).len() - before;
    assert!(asked <= 160, "{asked}");
    // What succeeds earns it back.
    kit.no_faults();
    kit.run(list(&client).send()).unwrap();
}

#[test]
fn what_is_wrong_is_named() {
    let kit = Kit::new();
    let (client, _) = client(&kit.google());
    let get = |bucket: &str| {
        client
            .get("/storage/v1/b/{}", &[bucket])
            .doing(format!("look at gs://{bucket}"))
            .names(format!("bucket `{bucket}`"))
    };
    let error = kit.run(get("rwa").send()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(
        error.message.starts_with("look at gs://rwa: there is no bucket `rwa`, or an anonymous caller may not see it (404 notFound: "),
        "{error}"
    );
    kit.fault(
        LIST,
        1,
        json!({"forbidden": {"permission": "storage.buckets.list"}}),
    );
    let error = kit.run(list(&client).send()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(
        error
            .message
            .contains("lacks the permission `storage.buckets.list`"),
        "{error}"
    );
    assert!(
        error.help.contains("give an anonymous caller a role"),
        "{}",
        error.help
    );
    assert_eq!(kit.run(get("rwa").find_json::<Value>()).unwrap(), None);
    let error = kit.run(get("..").send()).unwrap_err();
    assert!(
        error.message.contains("cannot stand in the address"),
        "{error}"
    );
}

#[test]
fn a_reply_that_is_too_long_is_not_read() {
    let kit = Kit::with_bucket();
    let (client, _) = client(&kit.google());
    let error = kit.run(list(&client).body_max(20).send()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.contains("more than 20 bytes"), "{error}");
}

#[test]
fn a_slow_reply_is_taken_for_lost() {
    let kit = Kit::with_bucket();
    let (client, _) = client(&kit.google());
    let quick = |request: Request| request.try_within(Duration::from_millis(200));
    kit.fault(LIST, 1, json!({"latency": {"ms": 60_000}}));
    kit.run(quick(list(&client)).send()).unwrap();
    kit.fault(MAKE, 1, json!({"latency": {"ms": 60_000}}));
    let error = kit.run(quick(make(&client)).send()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{error}");
}

#[test]
fn a_task_that_is_to_stop_does_not_wait_on() {
    let kit = Kit::new();
    let (client, waits) = client(&kit.google());
    kit.fault(LIST, 9, json!("lost_before"));
    waits.cancelled.store(true, Ordering::SeqCst);
    let error = kit.run(list(&client).send()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!(kit.asked(LIST).len(), 1);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let kit = Kit::new();
    let nowhere =
        Connection::new("google", "google").with("storage_endpoint", "http://127.0.0.1:1");
    let (client, _) = client(&nowhere);
    // Nothing was sent, so it is not open whether it was done.
    for request in [list(&client), make(&client)] {
        let error = kit.run(request.send()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{error}");
        assert!(
            error.message.contains("127.0.0.1 cannot be reached"),
            "{error}"
        );
        assert!(error.help.contains("`google`"), "{}", error.help);
    }
}

#[task]
async fn count_buckets(ctx: &TaskContext) -> TaskResult<usize> {
    let client = http::open(ctx, "google", &STORAGE).await?;
    let reply: Value = list(&client).send_json().await?;
    Ok(reply["items"].as_array().map_or(0, Vec::len))
}

#[test]
fn a_task_finds_the_clients_of_its_worker_and_waits_on_its_clock() {
    let kit = Kit::with_bucket();
    let dag = valid(Dag::build("buckets", |dag| {
        dag.schedule(Cron::daily());
        dag.call("count", count_buckets, ()).connection("google");
    }));
    kit.fault(
        LIST,
        1,
        json!({"status": {"status": 503, "retry_after": 300}}),
    );
    let ran = TaskRun::of(&dag, "count").connection(kit.google()).run();
    assert!(
        ran.error().message.contains("not available"),
        "{:?}",
        ran.result
    );
    kit.fault(
        LIST,
        1,
        json!({"status": {"status": 503, "retry_after": 200}}),
    );
    let ran = TaskRun::of(&dag, "count").connection(kit.google()).run();
    assert_eq!(ran.output::<usize>(), 1);
    assert!(ran.took >= Duration::from_secs(200), "{:?}", ran.took);
    assert!(ran.logged("again in 200.0 s"), "{:?}", ran.log);
}
