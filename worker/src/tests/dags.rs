//! What the worker of these tests holds.

use std::cell::RefCell;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::author::Dag;
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskError, TaskFn, TaskResult};

thread_local! {
    // Each test has a thread of its own, and everything of it runs there.
    static SEEN: RefCell<Seen> = RefCell::default();
}

#[derive(Debug, Default)]
struct Seen {
    cancelled: Vec<String>,
    ended: Vec<String>,
}

/// The handles that were cancelled.
pub(super) fn cancelled() -> Vec<String> {
    SEEN.with_borrow(|seen| seen.cancelled.clone())
}

/// The tasks whose work was dropped.
pub(super) fn ended() -> Vec<String> {
    SEEN.with_borrow(|seen| seen.ended.clone())
}

/// Waits until a task's work was dropped.
pub(super) async fn await_end(task: &str) {
    while !ended().iter().any(|ended| ended == task) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Says that work was dropped.
struct Dropped(&'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        SEEN.with_borrow_mut(|seen| seen.ended.push(self.0.to_owned()));
    }
}

/// Work of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Kind {
    Slow,
    Endless,
    Panics,
    Huge,
    Asks,
    Job,
    /// A job that is cancelled with the help of a connection.
    Foreign,
}

#[derive(Debug, Serialize, Deserialize)]
struct Work {
    kind: Kind,
}

impl Operator for Work {
    const NAME: &'static str = "tests.work";
    type Output = Value;

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome> {
        Ok(Outcome::Done(match self.kind {
            Kind::Slow => {
                ctx.sleep(Duration::from_secs(2)).await;
                Value::Null
            }
            Kind::Endless => {
                let _dropped = Dropped("endless");
                std::future::pending().await
            }
            Kind::Panics => panic!("no such luck"),
            Kind::Huge => Value::from("x".repeat(2 << 20)),
            Kind::Asks => Value::from(ctx.connection("crm").await?.field("host")?),
            Kind::Job | Kind::Foreign => return Ok(step(0)),
        }))
    }

    async fn resume(&self, _: &TaskContext, handle: Value) -> TaskResult<Outcome> {
        if self.kind != Kind::Job {
            return Err(TaskError::permanent("nothing to resume"));
        }
        Ok(match handle.as_u64() {
            Some(0) => step(1),
            // The same again, once.
            Some(1) if !ended().contains(&"looked".to_owned()) => {
                drop(Dropped("looked"));
                step(1)
            }
            _ => Outcome::Done(Value::from("landed")),
        })
    }

    async fn cancel(&self, ctx: &TaskContext, handle: Option<Value>) -> TaskResult<()> {
        if self.kind == Kind::Foreign {
            ctx.connection("gcp").await?;
        }
        if let Some(handle) = handle {
            SEEN.with_borrow_mut(|seen| seen.cancelled.push(handle.to_string()));
        }
        Ok(())
    }
}

fn step(nth: u64) -> Outcome {
    Outcome::Deferred {
        handle: Value::from(nth),
        wait: Duration::from_secs(10),
        why: format!("step {nth}"),
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Quick {}

impl Operator for Quick {
    const NAME: &'static str = "tests.quick";
    type Output = u64;

    async fn run(&self, _: &TaskContext) -> TaskResult<Outcome<u64>> {
        Ok(Outcome::Done(7))
    }
}

/// Adds one to what another task returned.
struct Sum;

impl TaskFn for Sum {
    const NAME: &'static str = "tests::sum";
    const BLOCKING: bool = false;
    const DOC: &'static str = "";
    type Args = (u64,);
    type Output = u64;

    async fn call(_: &TaskContext, (number,): (u64,)) -> TaskResult<u64> {
        Ok(number + 1)
    }
}

/// The DAG of these tests.
pub(super) fn dag() -> Dag {
    Dag::build("tests", |dag| {
        let quick = dag.add("quick", Quick {});
        dag.call("sum", || Sum, &quick);
        for (name, kind) in [
            ("slow", Kind::Slow),
            ("endless", Kind::Endless),
            ("panics", Kind::Panics),
            ("huge", Kind::Huge),
            ("job", Kind::Job),
            ("asks", Kind::Asks),
            ("foreign", Kind::Foreign),
        ] {
            dag.add(name, Work { kind });
        }
    })
}
