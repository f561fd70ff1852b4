//! The project that runs under faults. Its tasks say to the witness what they do.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::Environment;
use tidemill::prelude::*;

use crate::witness::{What, Witness};

/// While this sign is up, tasks that hold on do not end.
pub const HOLD: &str = "hold";
/// While this sign is up, jobs are accepted, and nobody is told.
pub const SILENT: &str = "silent";

static WITNESS: OnceLock<Witness> = OnceLock::new();

fn witness() -> TaskResult<&'static Witness> {
    WITNESS
        .get()
        .ok_or_else(|| TaskError::permanent("there is no witness"))
}

const SLICE: Duration = Duration::from_millis(20);

fn now(ctx: &TaskContext) -> i64 {
    ctx.now().timestamp_millis()
}

/// Works for a while, and fails at first if it is to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Work {
    ms: u64,
    fails: u32,
    holds: bool,
}

impl Operator for Work {
    const NAME: &'static str = "plant.work";
    type Output = ();

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<()>> {
        let witness = witness()?;
        witness.tell(What::Started, ctx.facts(), now(ctx));
        let mut slept = Duration::ZERO;
        while slept < Duration::from_millis(self.ms) || (self.holds && witness.is_up(HOLD)) {
            ctx.sleep(SLICE).await;
            slept += SLICE;
        }
        if ctx.facts().attempt <= self.fails {
            return Err(TaskError::transient("it fails at first"));
        }
        witness.tell(What::Ended, ctx.facts(), now(ctx));
        Ok(Outcome::Done(()))
    }
}

/// A job of another system, which the witness stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Launch {
    ms: i64,
    first_is_bad: bool,
    holds: bool,
}

impl RemoteJob for Launch {
    const NAME: &'static str = "plant.launch";
    type Handle = String;
    type Output = ();

    async fn look_for(&self, _: &TaskContext, key: &LaunchKey) -> TaskResult<Option<String>> {
        let found = witness()?.job(key.as_str());
        Ok(found.map(|_| key.as_str().to_owned()))
    }

    async fn submit(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<String> {
        let witness = witness()?;
        let accepted = witness.accept(ctx.facts(), now(ctx), self.first_is_bad);
        while witness.is_up(SILENT) {
            ctx.sleep(SLICE).await;
        }
        if !accepted {
            return Err(TaskError::ambiguous(format!("{key} is taken")));
        }
        Ok(key.as_str().to_owned())
    }

    async fn poll(&self, ctx: &TaskContext, handle: &String) -> TaskResult<Poll<()>> {
        let witness = witness()?;
        let Some(job) = witness.job(handle) else {
            return Ok(Poll::Failed(TaskError::lost("it vanished")));
        };
        if now(ctx) < job.at + self.ms || (self.holds && witness.is_up(HOLD)) {
            return Ok(Poll::Running {
                wait: Duration::from_millis(100),
                progress: "it runs".to_owned(),
            });
        }
        Ok(if job.bad {
            Poll::Failed(TaskError::transient("the first one ends badly"))
        } else {
            Poll::Done(())
        })
    }

    async fn cancel(&self, ctx: &TaskContext, _: &String) -> TaskResult<()> {
        witness()?.tell(What::Cancelled, ctx.facts(), now(ctx));
        Ok(())
    }
}

/// Looks whether the witness has seen at least one job.
#[task]
async fn a_job_is_there() -> TaskResult<Sense<()>> {
    let none = witness()?.jobs().is_empty();
    Ok(if none {
        Sense::NotYet
    } else {
        Sense::Ready(())
    })
}

/// The numbers up to one.
#[task]
async fn numbers(to: u32) -> TaskResult<Vec<u32>> {
    Ok((0..to).collect())
}

fn work(ms: u64) -> Work {
    Work {
        ms,
        ..Work::default()
    }
}

fn patient(dag: &DagBuilder) {
    dag.retry(Retry::times(8).every(Duration::from_millis(100)));
    dag.max_active_runs(1_000);
}

/// Everything at once, in about two seconds.
fn mix() -> Dag {
    Dag::build("mix", |dag| {
        patient(dag);
        let first = dag.add("first", work(50));
        let last = dag.add("last", work(20));
        for nth in 0..3_u32 {
            let fails = u32::from(nth == 2);
            let works = Work {
                fails,
                ..work(100 * u64::from(nth + 1))
            };
            let work = dag.add(&format!("work_{nth}"), works).after(&first);
            dag.edge(&work, &last);
            let launch = Launch {
                ms: 300,
                first_is_bad: nth == 1,
                holds: false,
            };
            let job = dag.add(&format!("job_{nth}"), launch).after(&first);
            dag.edge(&job, &last);
        }
        let seen = dag
            .sensor("seen", a_job_is_there, ())
            .every(Duration::from_millis(200));
        let many = dag.call("numbers", numbers, 4).after(&seen);
        let each = dag.add_each("each", work(80), &many);
        dag.edge(&each, &last);
    })
}

/// Short tasks, one after the other, in a few rows beside each other.
fn rows() -> Dag {
    Dag::build("rows", |dag| {
        patient(dag);
        for row in 0..4 {
            let mut before: Option<Out<()>> = None;
            for nth in 0..60 {
                let task = dag.add(&format!("row_{row}_{nth:03}"), work(100));
                before = Some(match &before {
                    Some(before) => task.after(before),
                    None => task,
                });
            }
        }
    })
}

/// Tasks and jobs that hold on for as long as the sign is up.
fn held() -> Dag {
    Dag::build("held", |dag| {
        patient(dag);
        for nth in 0..6 {
            let holds = true;
            dag.add(
                &format!("work_{nth}"),
                Work {
                    holds,
                    ..Work::default()
                },
            );
            dag.add(
                &format!("job_{nth}"),
                Launch {
                    ms: 0,
                    first_is_bad: false,
                    holds,
                },
            );
        }
    })
}

/// Many at once. The second build has another task behind them.
fn many(build: u32) -> Dag {
    Dag::build("many", |dag| {
        patient(dag);
        let list = dag.call("numbers", numbers, 500);
        let each = dag
            .add_each(
                "each",
                Work {
                    holds: true,
                    ..Work::default()
                },
                &list,
            )
            .at_most(500);
        if build > 1 {
            dag.add("behind", work(10)).after(&each);
        }
    })
}

/// The project.
pub fn dags(build: u32) -> Dags {
    Dags::new()
        .dag(mix)
        .dag(rows)
        .dag(held)
        .dag(move || many(build))
}

/// The project's binary: `<witness's folder> <build> <a command line of tidemill's>`. It ends when its standard input does,
/// so that nothing is left when a test is ended from outside.
#[must_use]
pub fn run(line: Vec<OsString>) -> ExitCode {
    let mut line = line.into_iter();
    let (Some(dir), Some(build)) = (line.next(), line.next()) else {
        return ExitCode::from(2);
    };
    let _ = WITNESS.set(Witness::at(Path::new(&dir)));
    let build = build
        .to_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::abort();
    });
    let words = std::iter::once("plant".into()).chain(line);
    let output = tidemill::run_in(&dags(build), words, &Environment::of_process());
    let _ = std::io::stdout().write_all(output.stdout.as_bytes());
    let _ = std::io::stderr().write_all(output.stderr.as_bytes());
    ExitCode::from(output.code)
}
