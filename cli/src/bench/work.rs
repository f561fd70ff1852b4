//! What is measured with: DAGs whose tasks do nothing, so that only what is around them takes time.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::author::{Dag, DagBuilder, Dags, Out, TaskHandle as _};
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskResult};
use tidemill_core::spec::{Cron, Schedule};

/// More than any bench has.
const SLOTS: u32 = 1_000_000;

/// What a process of a bench holds. It is the same in every one of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Scene {
    /// What makes the names of its DAGs its own.
    pub(super) tag: String,
    pub(super) shape: Shape,
    /// Whether each task has a process of its own.
    pub(super) isolated: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Shape {
    /// One after the other.
    Chain { tasks: u32 },
    /// The same, and it begins by itself.
    Once { tasks: u32 },
    /// One, many, one.
    Fanout { width: u32 },
    /// Many that wait, and a chain beside them.
    Deferred { tasks: u32, every: Duration },
    /// Many DAGs with a schedule, none of them due.
    Scheduled { dags: u32 },
}

/// Does nothing.
#[derive(Debug, Serialize, Deserialize)]
struct Nothing {}

impl Operator for Nothing {
    const NAME: &'static str = "bench.nothing";
    type Output = ();

    async fn run(&self, _: &TaskContext) -> TaskResult<Outcome<()>> {
        Ok(Outcome::Done(()))
    }
}

/// Gives a list.
#[derive(Debug, Serialize, Deserialize)]
struct Count {
    to: u32,
}

impl Operator for Count {
    const NAME: &'static str = "bench.count";
    type Output = Vec<u32>;

    async fn run(&self, _: &TaskContext) -> TaskResult<Outcome<Vec<u32>>> {
        Ok(Outcome::Done((0..self.to).collect()))
    }
}

/// Waits for ever for something outside.
#[derive(Debug, Serialize, Deserialize)]
struct Wait {
    every_ms: u64,
}

impl Wait {
    fn not_yet(&self) -> Outcome<()> {
        Outcome::Deferred {
            handle: Value::from("job-0123456789abcdef"),
            wait: Duration::from_millis(self.every_ms),
            why: "it runs".to_owned(),
        }
    }
}

impl Operator for Wait {
    const NAME: &'static str = "bench.wait";
    type Output = ();

    async fn run(&self, _: &TaskContext) -> TaskResult<Outcome<()>> {
        Ok(self.not_yet())
    }

    async fn resume(&self, _: &TaskContext, _: Value) -> TaskResult<Outcome<()>> {
        Ok(self.not_yet())
    }
}

impl Scene {
    /// The name of its DAG.
    pub(super) fn dag(&self) -> String {
        format!("bench_{}", self.tag)
    }

    /// The name of the chain beside what waits.
    pub(super) fn chain_beside(&self) -> String {
        format!("bench_{}_beside", self.tag)
    }

    /// Its DAGs.
    pub(super) fn dags(&self) -> Dags {
        let of = self.clone();
        Dags::new().family(move || of.build())
    }

    fn build(&self) -> Vec<Dag> {
        let name = self.dag();
        match self.shape {
            Shape::Chain { tasks } => vec![self.chain(&name, tasks, false)],
            Shape::Once { tasks } => vec![self.chain(&name, tasks, true)],
            Shape::Fanout { width } => vec![Dag::build(&name, |dag| {
                let first = self.nothing(dag, "first");
                let many: Vec<Out<()>> = (0..width)
                    .map(|nth| self.nothing(dag, &format!("task-{nth:05}")).after(&first))
                    .collect();
                let last = self.nothing(dag, "last");
                for task in &many {
                    dag.edge(task, &last);
                }
            })],
            Shape::Deferred { tasks, every } => vec![
                Dag::build(&name, |dag| {
                    let list = dag.add("list", Count { to: tasks });
                    let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
                    dag.add_each("wait", Wait { every_ms }, &list)
                        .at_most(SLOTS);
                }),
                self.chain(&self.chain_beside(), 40, false),
            ],
            Shape::Scheduled { dags } => (0..dags)
                .map(|nth| {
                    Dag::build(&format!("{name}_{nth:05}"), |dag| {
                        dag.schedule(Cron::new(format!("{} {} 1 1 *", nth % 60, nth % 24)));
                        dag.start("2025-01-01");
                        self.nothing(dag, "only");
                    })
                })
                .collect(),
        }
    }

    fn chain(&self, name: &str, tasks: u32, once: bool) -> Dag {
        Dag::build(name, |dag| {
            if once {
                dag.schedule(Schedule::Once);
                dag.start("2025-01-01");
            }
            dag.max_active_runs(SLOTS);
            let mut last: Option<Out<()>> = None;
            for nth in 0..tasks {
                let task = self.nothing(dag, &format!("task-{nth:05}"));
                last = Some(match &last {
                    Some(before) => task.after(before),
                    None => task,
                });
            }
        })
    }

    fn nothing(&self, dag: &DagBuilder, name: &str) -> Out<()> {
        let task = dag.add(name, Nothing {});
        if self.isolated { task.isolated() } else { task }
    }
}
