//! The worker's host, which remembers.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tidemill_core::operator::{
    BoxFuture, Connection, Host, Interval, LaunchKey, LaunchPoint, Level, Outcome, RunFacts,
    TaskError, TaskResult,
};
use tidemill_process::BaseEnv;
use tidemill_worker::isolate::{self, Job, Program};
use tokio::sync::watch;

/// Longer than anything takes on a busy machine; only a failing test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Remembers {
    lines: Mutex<Vec<(Level, String)>>,
    pub(crate) progress: Mutex<Vec<(f64, String)>>,
    count: watch::Sender<usize>,
    pub(crate) cancelled: watch::Sender<bool>,
}

impl Remembers {
    /// Its lines of this level.
    pub(crate) fn of(&self, level: Level) -> Vec<String> {
        let lines = self.lines.lock().expect("no panic");
        let of = lines.iter().filter(|(known, _)| *known == level);
        of.map(|(_, line)| line.clone()).collect()
    }

    /// Its first lines, as soon as there are so many.
    pub(crate) async fn lines(&self, count: usize) -> Vec<String> {
        let mut seen = self.count.subscribe();
        let enough = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| *seen >= count)).await;
        assert!(enough.is_ok(), "the task said too little");
        let lines = self.lines.lock().expect("no panic");
        lines.iter().map(|(_, line)| line.clone()).collect()
    }
}

impl Host for Remembers {
    fn now(&self) -> DateTime<Utc> {
        unreachable!("a child has a clock of its own")
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        unreachable!("a child waits by itself")
    }

    fn connection<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<Connection>> {
        let found = match name {
            "crm" => Ok(Connection::new("crm", "http")
                .with("host", "crm.test")
                .with_secret("token", "s3cret")),
            _ => Err(TaskError::permanent(format!(
                "there is no connection `{name}`"
            ))),
        };
        Box::pin(std::future::ready(found))
    }

    fn variable<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<String>> {
        Box::pin(std::future::ready(Ok(format!("gs://{name}"))))
    }

    fn log(&self, level: Level, line: &str) {
        let mut lines = self.lines.lock().expect("no panic");
        lines.push((level, line.to_owned()));
        self.count.send_replace(lines.len());
    }

    fn load(&self, _: tidemill_core::protocol::Load) {}

    fn check(&self, _: tidemill_core::protocol::CheckResult) {}

    fn progress(&self, part: f64, words: &str) {
        let mut progress = self.progress.lock().expect("no panic");
        progress.push((part, words.to_owned()));
    }

    fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    fn service(&self, _: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }
}

/// What the attempts know about their run.
pub(crate) fn facts() -> RunFacts {
    let start = DateTime::UNIX_EPOCH;
    let point = LaunchPoint {
        deployment: "test",
        dag: "isolated",
        run: "r",
        task: "it",
        map_index: Some(0),
        epoch: 1,
    };
    RunFacts {
        dag_id: "isolated".to_owned(),
        run_id: "r".to_owned(),
        run_type: "manual".to_owned(),
        task_id: "it".to_owned(),
        map_index: Some(0),
        attempt: 1,
        interval: Interval { start, end: start },
        zone: chrono_tz::UTC,
        params: Value::Null,
        item: Some(Value::Null),
        key: LaunchKey::of(&point),
    }
}

/// This very binary, as an attempt.
pub(crate) fn program() -> Program {
    Program {
        path: std::env::current_exe().expect("this binary has a path"),
        args: vec![crate::CHILD.into()],
        env: BaseEnv::of(std::env::vars_os()),
    }
}

/// What an attempt comes to.
pub(crate) fn ran(job: &Job) -> (TaskResult<Outcome>, Arc<Remembers>) {
    let host = Arc::new(Remembers::default());
    let run = async {
        let program = program();
        let attempt = isolate::run(&program, job, Arc::clone(&host) as Arc<dyn Host>);
        tokio::time::timeout(PATIENCE, attempt).await
    };
    let result = runtime().block_on(run);
    (result.expect("the attempt ends"), host)
}

/// Why an attempt fails.
pub(crate) fn error(job: &Job) -> TaskError {
    match ran(job).0 {
        Err(error) => error,
        Ok(outcome) => panic!("the task did not fail: {outcome:?}"),
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime")
}

/// Waits until a process runs no more; a zombie does not run.
pub(crate) async fn gone(pid: &str) {
    let look = async {
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let state = stat.rsplit(") ").next().unwrap_or_default();
            if state.is_empty() || state.starts_with('Z') {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, look).await;
    assert!(ended.is_ok(), "process {pid} still runs");
}
