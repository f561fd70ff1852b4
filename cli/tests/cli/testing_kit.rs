//! The testing kit that ships to users: graphs, one task with fakes, a virtual clock, remote jobs.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tidemill::prelude::*;
use tidemill::testing::{TaskRun, ValidDag, valid};

use crate::project::{broken, orders};

/// A service as an operator would hold one.
#[derive(Default)]
struct FakeCloud {
    jobs: Mutex<Vec<(LaunchKey, u32)>>,
    looks: AtomicU32,
    cancelled: AtomicU32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Spark {
    script: Text,
    polls: u32,
}

impl RemoteJob for Spark {
    const NAME: &'static str = "test.spark";
    type Handle = LaunchKey;
    type Output = String;

    async fn look_for(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Option<LaunchKey>> {
        let cloud = ctx.service::<FakeCloud>()?;
        cloud.looks.fetch_add(1, Ordering::Relaxed);
        let jobs = cloud.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(jobs
            .iter()
            .find(|(known, _)| known == key)
            .map(|(known, _)| known.clone()))
    }

    async fn submit(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<LaunchKey> {
        let cloud = ctx.service::<FakeCloud>()?;
        cloud
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((key.clone(), self.polls));
        Ok(key.clone())
    }

    async fn poll(&self, ctx: &TaskContext, handle: &LaunchKey) -> TaskResult<Poll<String>> {
        let cloud = ctx.service::<FakeCloud>()?;
        let mut jobs = cloud.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = jobs.iter_mut().find(|(key, _)| key == handle);
        let (_, left) = job.or_fail(ErrorKind::Lost, "find the job")?;
        if self.script.as_str().contains("broken") {
            return Ok(Poll::Failed(TaskError::data("line 3 is no number")));
        }
        if *left == 0 {
            return Ok(Poll::Done(self.script.as_str().to_owned()));
        }
        *left -= 1;
        Ok(Poll::Running {
            wait: seconds(30),
            progress: format!("{left} to go"),
        })
    }

    async fn cancel(&self, ctx: &TaskContext, _: &LaunchKey) -> TaskResult<()> {
        ctx.service::<FakeCloud>()?
            .cancelled
            .fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[task]
async fn ask(ctx: &TaskContext, bucket: String) -> TaskResult<String> {
    let crm = ctx.connection("crm").await?;
    ctx.sleep(minutes(90)).await;
    ctx.progress(0.5, "half");
    ctx.warn(format!("{} at {}", crm.field("host")?, ctx.now()));
    Ok(format!("{bucket} with {}", crm.secret("token")?.reveal()))
}

#[task]
async fn load(ctx: &TaskContext, rows: i64) -> TaskResult {
    ctx.sleep(minutes(2)).await;
    ctx.record_load(Load {
        destination: "shop.orders".to_owned(),
        rows_loaded: rows,
        ..Load::default()
    });
    match rows {
        0 => Err(TaskError::data("no rows")),
        _ => Ok(()),
    }
}

#[task]
fn nothing_to_do() -> TaskResult<u64> {
    Err(TaskError::skip("no rows today"))
}

#[task]
fn fall_over() -> TaskResult {
    panic!("at {}", 3)
}

fn dag() -> ValidDag {
    valid(Dag::build("kit", |dag| {
        dag.schedule(Cron::daily().tz("Asia/Tokyo"));
        dag.add(
            "spark",
            Spark {
                script: "gs://code/{ds}.py".into(),
                polls: 3,
            },
        );
        dag.call("ask", ask, "{var.bucket}").connection("crm");
        dag.add(
            "broken",
            Spark {
                script: "broken.py".into(),
                polls: 0,
            },
        );
        dag.call("nothing_to_do", nothing_to_do, ());
        dag.call("load", load, value(12));
        dag.call("load_nothing", load, value(0));
        dag.call("fall_over", fall_over, ());
    }))
}

#[test]
fn a_remote_job_is_submitted_once_and_polled_on_the_virtual_clock() {
    let dag = dag();
    let cloud = Arc::new(FakeCloud::default());
    let run = |epoch| {
        TaskRun::of(&dag, "spark")
            .day("2025-01-31")
            .epoch(epoch)
            .service(Arc::clone(&cloud))
            .run()
    };
    let ran = run(1);
    assert_eq!(ran.output::<String>(), "gs://code/2025-01-31.py");
    assert_eq!(ran.took, seconds(90));
    // A second attempt of the same epoch finds the job; a new epoch is a new job.
    let again = run(1);
    assert!(again.logged("adopted") && cloud.jobs.lock().unwrap().len() == 1);
    assert!(run(2).result.is_ok());
    assert_eq!(cloud.jobs.lock().unwrap().len(), 2);
}

#[test]
fn a_job_that_ended_badly_fails_the_task_with_its_kind() {
    let dag = dag();
    let cloud = Arc::new(FakeCloud::default());
    let ran = TaskRun::of(&dag, "broken")
        .service(Arc::clone(&cloud))
        .run();
    assert_eq!(
        (ran.error().kind, ran.error().message.as_str()),
        (ErrorKind::Data, "line 3 is no number")
    );
}

#[test]
fn a_task_can_say_that_there_is_nothing_to_do() {
    let dag = dag();
    let ran = TaskRun::of(&dag, "nothing_to_do").run();
    assert_eq!(
        ran.result,
        Ok(Outcome::Skipped {
            why: "no rows today".to_owned()
        })
    );
}

#[test]
fn what_a_task_loaded_is_on_record_even_if_it_fails_then() {
    let dag = dag();
    let ran = TaskRun::of(&dag, "load").day("2025-01-31").run();
    let [load] = &ran.loads[..] else {
        panic!("{:?}", ran.loads)
    };
    assert_eq!(
        (load.rows_loaded, load.status.as_str()),
        (12, "success"),
        "{load:?}"
    );
    assert_eq!(load.started_at.to_string(), "2025-01-31T15:00:00Z");
    assert_eq!(load.ended_at.since(load.started_at), minutes(2));
    let ran = TaskRun::of(&dag, "load_nothing").run();
    assert_eq!((ran.error().kind, ran.loads.len()), (ErrorKind::Data, 1));
}

#[test]
#[should_panic(expected = "`ask` does not come after `spark`")]
fn an_output_that_the_task_never_sees_fails_the_test() {
    let _ = TaskRun::of(&dag(), "ask").output_of("spark", 1);
}

#[test]
fn cancelling_a_deferred_task_cancels_its_job() {
    let cloud = Arc::new(FakeCloud::default());
    let dag = dag();
    let ran = TaskRun::of(&dag, "spark")
        .service(Arc::clone(&cloud))
        .cancel_after(seconds(60))
        .run();
    assert_eq!(ran.error().kind, ErrorKind::Cancelled);
    assert_eq!(cloud.cancelled.load(Ordering::Relaxed), 1);
}

#[test]
fn fakes_stand_for_connections_variables_and_time() {
    let dag = dag();
    let crm = Connection::new("crm", "http")
        .with("host", "crm.test")
        .with_secret("token", "s3cret");
    let ran = TaskRun::of(&dag, "ask")
        .day("2025-01-31")
        .variable("bucket", "gs://b")
        .connection(crm.clone())
        .run();
    assert_eq!(ran.output::<String>(), "gs://b with s3cret");
    assert!(
        ran.logged("crm.test at 2025-01-31 16:30:00 UTC"),
        "{:?}",
        ran.log
    );
    assert_eq!(ran.progress, [(0.5, "half".to_owned())]);
    assert!(!format!("{crm:?}").contains("s3cret"));
}

#[test]
fn what_a_test_forgot_is_named() {
    let dag = dag();
    let ran = TaskRun::of(&dag, "ask").variable("bucket", "gs://b").run();
    assert_eq!(ran.error().message, "the test has no connection `crm`");
    let ran = TaskRun::of(&dag, "ask").run();
    assert_eq!(
        (ran.error().kind, ran.error().message.as_str()),
        (ErrorKind::Permanent, "find a value for `{var.bucket}`")
    );
    let ran = TaskRun::of(&dag, "spark").run();
    assert!(ran.error().message.contains("FakeCloud"), "{}", ran.error());
}

#[test]
fn a_panic_is_the_tasks_failure_and_not_the_tests() {
    let dag = dag();
    assert_eq!(
        TaskRun::of(&dag, "fall_over").run().error().message,
        "the task panicked: at 3"
    );
}

#[test]
fn graphs_are_asserted_on_and_drawn() {
    let dag = valid(orders());
    assert_eq!(dag.upstream_of("load"), ["extract"]);
    assert_eq!(dag.downstream_of("extract"), ["load"]);
    assert!(dag.is_after("load", "extract") && !dag.is_after("extract", "load"));
    assert!(dag.picture().contains("load ×n"));
}

#[test]
#[should_panic(expected = "tasks wait for each other in a circle: a → b → a")]
fn an_invalid_dag_fails_the_test_with_its_problems() {
    let _ = valid(broken());
}

#[test]
#[should_panic(expected = "the least is 1")]
fn wrong_params_fail_the_test() {
    #[params]
    struct Pages {
        #[param(default = 1, min = 1)]
        pages: u32,
    }
    let dag = valid(Dag::build("p", |dag| {
        dag.params::<Pages>();
        dag.call("fall_over", fall_over, ());
    }));
    let _ = TaskRun::of(&dag, "fall_over").param("pages", 0).run();
}
