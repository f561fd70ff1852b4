//! Nothing that a command started outlives its task.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tidemill::operator::{BoxFuture, Host, Interval, LaunchPoint, Level, RunFacts};
use tidemill::prelude::*;
use tidemill_operators::Shell;
use tokio::sync::watch;

/// Longer than anything takes on a busy machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

struct Watching {
    lines: Mutex<Vec<String>>,
    count: watch::Sender<usize>,
    cancelled: watch::Sender<bool>,
}

impl Watching {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lines: Mutex::default(),
            count: watch::Sender::new(0),
            cancelled: watch::Sender::new(false),
        })
    }

    async fn lines(&self, count: usize) -> Vec<String> {
        let mut seen = self.count.subscribe();
        let enough = seen.wait_for(|seen| *seen >= count);
        let enough = tokio::time::timeout(PATIENCE, enough).await;
        assert!(enough.is_ok(), "the command printed too little");
        self.lines.lock().expect("no panic").clone()
    }
}

impl Host for Watching {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        unreachable!("the operator does not sleep")
    }
    fn connection<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<Connection>> {
        unreachable!("no connection {name}")
    }
    fn variable<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<String>> {
        unreachable!("no variable {name}")
    }
    fn log(&self, _: Level, line: &str) {
        self.lines.lock().expect("no panic").push(line.to_owned());
        self.count.send_modify(|count| *count += 1);
    }
    fn load(&self, _: tidemill_core::protocol::Load) {}

    fn check(&self, _: tidemill_core::protocol::CheckResult) {}

    fn progress(&self, _: f64, _: &str) {}
    fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }
    fn service(&self, _: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }
}

fn context(host: &Arc<Watching>) -> TaskContext {
    let start = DateTime::UNIX_EPOCH;
    let point = LaunchPoint {
        deployment: "test",
        dag: "d",
        run: "r",
        task: "t",
        map_index: None,
        epoch: 1,
    };
    let facts = RunFacts {
        dag_id: "d".to_owned(),
        run_id: "r".to_owned(),
        run_type: "manual".to_owned(),
        task_id: "t".to_owned(),
        map_index: None,
        attempt: 1,
        interval: Interval { start, end: start },
        zone: chrono_tz::UTC,
        params: Value::Null,
        item: None,
        key: LaunchKey::of(&point),
    };
    TaskContext::new(facts, Arc::clone(host) as Arc<dyn Host>)
}

/// Waits until a process runs no more; a zombie does not run.
async fn gone(pid: &str) {
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

fn spawned(shell: Shell, host: &Arc<Watching>) -> tokio::task::JoinHandle<TaskResult<Outcome>> {
    let ctx = context(host);
    tokio::spawn(async move { shell.run(&ctx).await })
}

/// Prints the numbers of two processes and waits for ever.
const TWO: &str = "sleep 1000 & echo $!; echo $$; wait";

#[tokio::test]
async fn dropping_the_task_kills_the_whole_group() {
    let host = Watching::new();
    let task = spawned(Shell::script(TWO), &host);
    let pids = host.lines(2).await;
    task.abort();
    assert!(task.await.is_err_and(|error| error.is_cancelled()));
    for pid in &pids {
        gone(pid).await;
    }
}

#[tokio::test]
async fn cancelling_asks_first() {
    let host = Watching::new();
    let script = "trap 'echo cleaned up; exit 0' TERM; sleep 1000 & echo $!; wait";
    let task = spawned(Shell::script(script), &host);
    let sleeper = host.lines(1).await.remove(0);
    host.cancelled.send_replace(true);
    let error = task.await.expect("no panic").expect_err("cancelled");
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert!(host.lines(3).await.contains(&"cleaned up".to_owned()));
    gone(&sleeper).await;
}

#[tokio::test]
async fn cancelling_kills_what_does_not_listen() {
    let host = Watching::new();
    let script = "trap '' TERM; echo $$; while :; do sleep 1; done";
    let task = spawned(Shell::script(script), &host);
    let pid = host.lines(1).await.remove(0);
    host.cancelled.send_replace(true);
    let error = task.await.expect("no panic").expect_err("cancelled");
    assert_eq!(error.kind, ErrorKind::Cancelled);
    gone(&pid).await;
}

#[tokio::test]
async fn what_is_left_in_the_background_does_not_hold_the_task_and_is_ended() {
    let host = Watching::new();
    let shell = Shell::script("sleep 1000 & echo $!");
    let task = tokio::time::timeout(PATIENCE, spawned(shell, &host)).await;
    let outcome = task.expect("it ends").expect("no panic").expect("success");
    let Outcome::Done(Value::String(pid)) = outcome else {
        panic!("{outcome:?}")
    };
    gone(&pid).await;
}

#[tokio::test]
async fn what_left_the_group_does_not_hold_the_task_either() {
    let host = Watching::new();
    let shell = Shell::script("setsid sleep 1000 & echo $!");
    let task = tokio::time::timeout(PATIENCE, spawned(shell, &host)).await;
    assert!(task.expect("it ends").expect("no panic").is_ok());
    let pid = host.lines(1).await.remove(0);
    // It is the test's to end.
    let _ = std::process::Command::new("kill")
        .args(["-9", &pid])
        .status();
}
