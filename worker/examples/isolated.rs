//! How many empty tasks a second run in processes of their own: `cargo run --release --example isolated [TASKS] [AT ONCE]`.

use std::any::{Any, TypeId};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tidemill_core::operator::{BoxFuture, Host, Interval, LaunchPoint, Level, RunFacts};
use tidemill_core::prelude::*;
use tidemill_process::BaseEnv;
use tidemill_worker::isolate::{self, Act, Inside, Job, Program};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

const CHILD: &str = "__attempt";

#[derive(Debug, Serialize, Deserialize)]
struct Nothing {}

impl Operator for Nothing {
    const NAME: &'static str = "nothing";
    type Output = ();

    async fn run(&self, _: &TaskContext) -> TaskResult<Outcome<()>> {
        Ok(Outcome::Done(()))
    }
}

fn dag() -> Dag {
    Dag::build("bench", |dag| {
        dag.add("nothing", Nothing {});
    })
}

/// Nobody asks it for anything.
struct Silent;

impl Host for Silent {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(span))
    }

    fn connection<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<Connection>> {
        Box::pin(std::future::ready(Err(TaskError::permanent(name))))
    }

    fn variable<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<String>> {
        Box::pin(std::future::ready(Err(TaskError::permanent(name))))
    }

    fn log(&self, _: Level, _: &str) {}

    fn load(&self, _: tidemill_core::protocol::Load) {}

    fn check(&self, _: tidemill_core::protocol::CheckResult) {}

    fn progress(&self, _: f64, _: &str) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn service(&self, _: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }
}

fn job() -> Job {
    let start = DateTime::UNIX_EPOCH;
    let point = LaunchPoint {
        deployment: "bench",
        dag: "bench",
        run: "r",
        task: "nothing",
        map_index: None,
        epoch: 1,
    };
    Job {
        spec: dag().spec().definition.tasks[0].clone(),
        facts: RunFacts {
            dag_id: "bench".to_owned(),
            run_id: "r".to_owned(),
            run_type: "manual".to_owned(),
            task_id: "nothing".to_owned(),
            map_index: None,
            attempt: 1,
            interval: Interval { start, end: start },
            zone: chrono_tz::UTC,
            params: Value::Null,
            item: None,
            key: LaunchKey::of(&point),
        },
        outputs: Vec::new(),
        variables: Vec::new(),
        act: Act::Run,
        memory_max: None,
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == CHILD) {
        return isolate::child(|_| {
            Ok(Inside {
                registry: dag().registry().clone(),
                clock: || DateTime::UNIX_EPOCH,
                services: Box::new(|_| None),
            })
        });
    }
    let number = |at: usize, default: usize| {
        let given = args.get(at).and_then(|arg| arg.parse().ok());
        given.unwrap_or(default)
    };
    measure(number(1, 2000), number(2, 8))
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it is what it is for")]
async fn measure(tasks: usize, at_once: usize) -> ExitCode {
    let Ok(path) = std::env::current_exe() else {
        return ExitCode::FAILURE;
    };
    let program = Arc::new(Program {
        path,
        args: vec![CHILD.into()],
        env: BaseEnv::of(std::env::vars_os()),
    });
    let job = Arc::new(job());
    let slots = Arc::new(Semaphore::new(at_once));
    let mut attempts = JoinSet::new();
    let start = Instant::now();
    for _ in 0..tasks {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            break;
        };
        let (program, job) = (Arc::clone(&program), Arc::clone(&job));
        attempts.spawn(async move {
            let begun = Instant::now();
            let result = isolate::run(&program, &job, Arc::new(Silent)).await;
            drop(slot);
            result.map(|_| begun.elapsed())
        });
    }
    let mut took = Vec::new();
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(span)) => took.push(span),
            other => println!("{other:?}"),
        }
    }
    let all = start.elapsed();
    took.sort_unstable();
    let percentile = |part: usize| took.get(took.len() * part / 100).copied();
    println!(
        "{} of {tasks} tasks in {all:?}, {at_once} at once: {:.0} a second; each {:?} (p50), {:?} (p99)",
        took.len(),
        tasks as f64 / all.as_secs_f64(),
        percentile(50).unwrap_or_default(),
        percentile(99).unwrap_or_default(),
    );
    ExitCode::SUCCESS
}
