//! Orders to stop that cannot be carried out at once.

use std::time::Duration;

use tidemill_core::operator::{Connection, TaskError};
use tidemill_core::protocol::{AttemptRef, Duty, Report, Verdict};
use tidemill_core::wire::{FromWorker, Given, ToWorker};

use super::dags;
use super::stage::Stage;

/// The next thing it says is that an attempt cannot be stopped: which, why, and how long until it tries again.
async fn stuck(stage: &mut Stage) -> (AttemptRef, String, Duration) {
    match stage.hear().await {
        FromWorker::Stuck {
            attempt,
            why,
            again,
        } => (attempt, why.to_string(), again),
        other => panic!("{other:?}"),
    }
}

/// It asks for a connection, and gets this.
async fn give(stage: &mut Stage, what: Result<Given, TaskError>) {
    let FromWorker::Ask { id, .. } = stage.hear().await else {
        panic!("it asks for a connection")
    };
    stage.tell(ToWorker::Given { id, what });
}

fn none() -> Result<Given, TaskError> {
    Err(TaskError::permanent("there is no connection `gcp`"))
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_fails_says_why_and_is_tried_again_with_growing_pauses() {
    let mut stage = Stage::welcome().await;
    let job = stage.assign("foreign", Duty::Run);
    assert_eq!(stage.report().await.0, job);
    stage.tell(ToWorker::Stop(job));
    for seconds in [1, 2, 4] {
        give(&mut stage, none()).await;
        let (attempt, why, again) = stuck(&mut stage).await;
        assert_eq!((attempt, again), (job, Duration::from_secs(seconds)));
        assert!(why.contains("there is no connection `gcp`"), "{why}");
    }
    // A scheduler that it comes to next is told as well.
    let hello = stage.reconnect().await;
    assert_eq!(hello.holds, [job]);
    let (attempt, why, again) = stuck(&mut stage).await;
    assert!(attempt == job && again <= Duration::from_secs(4));
    assert!(why.contains("there is no connection `gcp`"), "{why}");
    give(&mut stage, Ok(Given::from(Connection::new("gcp", "gcp")))).await;
    loop {
        match stage.report().await {
            // What was not answered before comes again first.
            (attempt, Report::Deferred { .. }) if attempt == job => {}
            report => break assert_eq!(report, (job, Report::Stopped)),
        }
    }
    assert_eq!(dags::cancelled(), ["0"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_nobody_waits_for_any_longer_is_not_tried_again() {
    let mut stage = Stage::welcome().await;
    let job = stage.assign("foreign", Duty::Run);
    assert_eq!(stage.report().await.0, job);
    stage.answer(job, Verdict::Recorded);
    stage.tell(ToWorker::Stop(job));
    give(&mut stage, none()).await;
    assert_eq!(stuck(&mut stage).await.0, job);
    stage.answer(job, Verdict::Superseded);
    let hello = stage.reconnect().await;
    assert_eq!(hello.holds, []);
    // The pause before the next try is long over when it says something again, and that is about something else.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let quick = stage.assign("quick", Duty::Run);
    assert_eq!(stage.report().await.0, quick);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_even_be_made_again_to_be_cancelled_is_told_too() {
    let mut stage = Stage::welcome().await;
    // What it takes is not with the order.
    let sum = stage.assign("sum", Duty::Release);
    let (attempt, why, again) = stuck(&mut stage).await;
    assert_eq!((attempt, again), (sum, Duration::from_secs(1)));
    assert!(!why.is_empty());
    assert_eq!(stuck(&mut stage).await.2, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn work_that_fails_as_it_is_told_to_stop_is_released_all_the_same() {
    let mut stage = Stage::welcome().await;
    let sum = stage.assign("sum", Duty::Run);
    stage.tell(ToWorker::Stop(sum));
    // Its failure ends nothing: what an earlier attempt of the launch left is still to be cancelled.
    assert_eq!(stuck(&mut stage).await.0, sum);
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_as_it_is_told_to_stop_is_released_all_the_same() {
    let mut stage = Stage::welcome().await;
    let quick = stage.assign("quick", Duty::Run);
    stage.tell(ToWorker::Stop(quick));
    assert_eq!(stage.report().await, (quick, Report::Stopped));
}
