//! A worker's session against a scheduler that tests play, on a virtual clock.

mod dags;
mod stage;
mod stuck;

use std::time::Duration;

use tidemill_core::operator::{ErrorKind, TaskError};
use tidemill_core::protocol::{Duty, Report, Verdict};
use tidemill_core::wire::{Asked, FromWorker, Given, ToWorker};

use stage::{LEASE, Stage};

fn done(output: Option<&str>) -> Report {
    Report::Done {
        output: output.map(Into::into),
        loads: Vec::new(),
        checks: Vec::new(),
    }
}

fn kind(report: &Report) -> Option<ErrorKind> {
    match report {
        Report::Failed { error, .. } => Some(error.kind),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn quick_work_is_one_report_and_slow_work_says_that_it_began() {
    let mut stage = Stage::welcome().await;
    let quick = stage.assign("quick", Duty::Run);
    assert_eq!(stage.report().await, (quick, done(Some("7"))));
    let slow = stage.assign("slow", Duty::Run);
    assert_eq!(stage.report().await, (slow, Report::Started));
    assert_eq!(stage.report().await, (slow, done(None)));
}

#[tokio::test(start_paused = true)]
async fn what_a_task_takes_comes_with_the_order() {
    let mut stage = Stage::welcome().await;
    let sum = stage.assign_with("sum", Duty::Run, |order| {
        order.outputs = vec![("quick".parse_id(), "5".into())];
    });
    assert_eq!(stage.report().await, (sum, done(Some("6"))));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_and_the_worker_goes_on() {
    let mut stage = Stage::welcome().await;
    stage.assign("panics", Duty::Run);
    let (_, report) = stage.report().await;
    let Report::Failed {
        error, job_ended, ..
    } = report
    else {
        panic!("{report:?}")
    };
    assert_eq!(error.message, "the task panicked: no such luck");
    assert_eq!((error.kind, job_ended), (ErrorKind::Permanent, false));
    let quick = stage.assign("quick", Duty::Run);
    assert_eq!(stage.report().await, (quick, done(Some("7"))));
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_too_large_fails_the_task() {
    let mut stage = Stage::welcome().await;
    stage.assign("huge", Duty::Run);
    let (_, report) = stage.report().await;
    assert_eq!(kind(&report), Some(ErrorKind::Permanent));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_looked_at_again_and_changes_are_told() {
    let mut stage = Stage::welcome().await;
    let job = stage.assign("job", Duty::Run);
    let deferred = |handle: &str, wait: u64, why: &str| Report::Deferred {
        handle: handle.into(),
        wait: Duration::from_secs(wait),
        why: why.into(),
    };
    assert_eq!(stage.report().await, (job, deferred("0", 10, "step 0")));
    assert_eq!(stage.report().await, (job, deferred("1", 10, "step 1")));
    // The third look sees the same, which is told to nobody; the fourth sees the end.
    assert_eq!(stage.report().await, (job, done(Some("\"landed\""))));
}

#[tokio::test(start_paused = true)]
async fn another_worker_watches_on_with_the_handle() {
    let mut stage = Stage::welcome().await;
    let job = stage.assign_with("job", Duty::Watch, |order| {
        order.assignment.handle = Some("2".into());
        order.assignment.attempt.hand = 1;
    });
    assert_eq!(
        (job.hand, stage.report().await),
        (1, (job, done(Some("\"landed\""))))
    );
}

#[tokio::test(start_paused = true)]
async fn an_order_to_stop_ends_the_work_and_cancels_what_it_started() {
    let mut stage = Stage::welcome().await;
    let endless = stage.assign("endless", Duty::Run);
    assert_eq!(stage.report().await, (endless, Report::Started));
    stage.tell(ToWorker::Stop(endless));
    assert_eq!(stage.report().await, (endless, Report::Stopped));

    let job = stage.assign("job", Duty::Run);
    assert_eq!(stage.report().await.0, job);
    stage.tell(ToWorker::Stop(job));
    assert_eq!(stage.report().await, (job, Report::Stopped));
    assert_eq!(dags::cancelled(), ["0"]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_never_came_is_released_by_whoever_gets_all_of_it() {
    let mut stage = Stage::welcome().await;
    let never = stage.attempt("job");
    stage.tell(ToWorker::Stop(never));
    let (attempt, report) = stage.report().await;
    assert!(matches!(report, Report::Refused { .. }), "{report:?}");
    assert_eq!(attempt, never);
}

#[tokio::test(start_paused = true)]
async fn after_a_reconnect_unanswered_reports_are_said_again() {
    let mut stage = Stage::welcome().await;
    let quick = stage.assign("quick", Duty::Run);
    assert_eq!(stage.report().await, (quick, done(Some("7"))));
    let endless = stage.assign("endless", Duty::Run);
    assert_eq!(stage.report().await, (endless, Report::Started));
    stage.answer(endless, Verdict::Recorded);
    let hello = stage.reconnect().await;
    assert_eq!(hello.holds, [quick, endless]);
    assert_eq!(stage.report().await, (quick, done(Some("7"))));
    stage.answer(quick, Verdict::Recorded);
    let hello = stage.reconnect().await;
    assert_eq!(hello.holds, [endless]);
    assert_eq!(
        hello.labels,
        [("zone".into(), "europe-west3".into())].into()
    );
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_ends_without_being_cancelled() {
    let mut stage = Stage::welcome().await;
    let endless = stage.assign("endless", Duty::Run);
    assert_eq!(stage.report().await, (endless, Report::Started));
    stage.answer(endless, Verdict::Superseded);
    let hello = stage.reconnect().await;
    assert_eq!(hello.holds, []);
    assert!(dags::ended().contains(&"endless".to_owned()));
    assert!(dags::cancelled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_order_that_comes_twice_runs_once() {
    let mut stage = Stage::welcome().await;
    let endless = stage.assign("endless", Duty::Run);
    stage.assign_again(endless, "endless");
    assert_eq!(stage.report().await, (endless, Report::Started));
    let quick = stage.assign("quick", Duty::Run);
    assert_eq!(stage.report().await, (quick, done(Some("7"))));
}

#[tokio::test(start_paused = true)]
async fn without_a_word_from_the_scheduler_work_ends_before_the_lease_does() {
    let mut stage = Stage::welcome().await;
    let quick = stage.assign("quick", Duty::Run);
    assert_eq!(stage.report().await, (quick, done(Some("7"))));
    let endless = stage.assign("endless", Duty::Run);
    assert_eq!(stage.report().await, (endless, Report::Started));
    let silent = stage.fall_silent();
    dags::await_end("endless").await;
    assert!(silent.elapsed() < LEASE, "{:?}", silent.elapsed());
    assert!(silent.elapsed() > LEASE / 2, "{:?}", silent.elapsed());
    // What was done before is still reported; what was ended is not held any more.
    let hello = stage.reconnect().await;
    assert_eq!(hello.holds, [quick]);
    assert_eq!(stage.report().await, (quick, done(Some("7"))));
}

#[tokio::test(start_paused = true)]
async fn a_worker_leaves_a_scheduler_in_doubt_only_for_one_that_leads() {
    let mut stage = Stage::welcome().await;
    let endless = stage.assign("endless", Duty::Run);
    assert_eq!(stage.report().await, (endless, Report::Started));
    stage.doubt();
    // An outage of the database lasts longer than the lease, and costs nothing.
    let job = stage.assign("job", Duty::Run);
    while !matches!(stage.report().await, (attempt, Report::Done { .. }) if attempt == job) {}
    assert!(dags::ended().iter().all(|ended| ended != "endless"));
    let hello = stage.be_left().await;
    assert!(hello.holds.contains(&endless));
}

#[tokio::test(start_paused = true)]
async fn an_end_in_order_hands_over_what_waits_and_lets_work_finish() {
    let mut stage = Stage::welcome().await;
    let job = stage.assign("job", Duty::Run);
    assert_eq!(stage.report().await.0, job);
    let slow = stage.assign("slow", Duty::Run);
    assert_eq!(stage.report().await, (slow, Report::Started));
    stage.stop();
    assert_eq!(stage.hear().await, FromWorker::Draining);
    assert_eq!(stage.report().await, (job, Report::HandedOver));
    let late = stage.assign("quick", Duty::Run);
    let (refused, report) = stage.report().await;
    assert!(refused == late && matches!(report, Report::Refused { .. }));
    assert_eq!(stage.report().await, (slow, done(None)));
    stage.answer_all();
    assert_eq!(stage.hear().await, FromWorker::Left);
    stage.ended().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_worker_rests_while_a_person_wants_it_and_stays() {
    let mut stage = Stage::welcome().await;
    let job = stage.assign("job", Duty::Run);
    assert_eq!(stage.report().await.0, job);
    stage.tell(ToWorker::Drain { drain: true });
    assert_eq!(stage.hear().await, FromWorker::Draining);
    assert_eq!(stage.report().await, (job, Report::HandedOver));
    let late = stage.assign("quick", Duty::Run);
    let (refused, report) = stage.report().await;
    assert!(refused == late && matches!(report, Report::Refused { .. }));
    stage.tell(ToWorker::Drain { drain: false });
    assert_eq!(stage.hear().await, FromWorker::Ready);
    let slow = stage.assign("slow", Duty::Run);
    assert_eq!(stage.report().await, (slow, Report::Started));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_its_grace_is_reported_as_lost() {
    let mut stage = Stage::welcome().await;
    let endless = stage.assign("endless", Duty::Run);
    assert_eq!(stage.report().await, (endless, Report::Started));
    stage.stop();
    assert_eq!(stage.hear().await, FromWorker::Draining);
    let (attempt, report) = stage.report().await;
    assert_eq!((attempt, kind(&report)), (endless, Some(ErrorKind::Lost)));
    stage.answer_all();
    assert_eq!(stage.hear().await, FromWorker::Left);
    stage.ended().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn connections_come_from_the_scheduler() {
    let mut stage = Stage::welcome().await;
    let asks = stage.assign("asks", Duty::Run);
    let FromWorker::Ask { id, what } = stage.hear().await else {
        panic!("it asks")
    };
    assert_eq!(what, Asked::Connection("crm".to_owned()));
    let crm = tidemill_core::operator::Connection::new("crm", "http").with("host", "crm.example");
    stage.tell(ToWorker::Given {
        id,
        what: Ok(Given::from(crm)),
    });
    assert_eq!(stage.report().await, (asks, done(Some("\"crm.example\""))));
    stage.assign("asks", Duty::Run);
    let FromWorker::Ask { id, .. } = stage.hear().await else {
        panic!("it asks")
    };
    stage.tell(ToWorker::Given {
        id,
        what: Err(TaskError::permanent("there is no connection `crm`")),
    });
    let (_, report) = stage.report().await;
    assert_eq!(kind(&report), Some(ErrorKind::Permanent));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_it_does_not_hold_is_refused() {
    let mut stage = Stage::welcome().await;
    stage.assign_with("quick", Duty::Run, |order| {
        order.assignment.dag = "other".parse_id();
    });
    let (_, report) = stage.report().await;
    assert!(matches!(report, Report::Refused { .. }), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_refused_ends_and_says_why() {
    let stage = Stage::welcome().await;
    stage.tell(ToWorker::Refused {
        why: "it speaks protocol 0".into(),
    });
    let why = stage.ended().await.unwrap_err().to_string();
    assert!(why.contains("protocol 0"), "{why}");
}

/// Names in tests are known to be good.
trait ParseId<T> {
    fn parse_id(self) -> T;
}

impl ParseId<tidemill_core::id::TaskId> for &str {
    fn parse_id(self) -> tidemill_core::id::TaskId {
        tidemill_core::id::TaskId::parse(self).unwrap()
    }
}

impl ParseId<tidemill_core::id::DagId> for &str {
    fn parse_id(self) -> tidemill_core::id::DagId {
        tidemill_core::id::DagId::parse(self).unwrap()
    }
}
