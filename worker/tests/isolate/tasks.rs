//! What the attempts do.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use serde_json::{Value, json};
use tidemill_core::prelude::*;
use tidemill_operators::Shell;
use tidemill_worker::isolate::{self, Act, Inside, Job};

use crate::host::facts;

/// Does one of the things that tasks do, by its name.
#[derive(Debug, Serialize, Deserialize)]
struct Do {
    what: String,
    with: Text,
}

impl Operator for Do {
    const NAME: &'static str = "test.do";
    type Output = Value;

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<Value>> {
        if let Some(outcome) = fail(&self.what) {
            return outcome;
        }
        match self.what.as_str() {
            "return" => {}
            "facts" => return Ok(Outcome::Done(serde_json::to_value(ctx.facts())?)),
            "defer" => {
                return Ok(Outcome::Deferred {
                    handle: Value::Null,
                    wait: seconds(30),
                    why: "not there yet".to_owned(),
                });
            }
            "say" => say(ctx),
            "ask" => {
                let (crm, bucket) = (ctx.connection("crm").await?, ctx.variable("bucket").await?);
                let token = crm.secret("token")?.reveal();
                return Ok(Outcome::Done(json!([crm.field("host")?, token, bucket])));
            }
            "environment" => {
                let variables = std::env::vars_os().map(|(name, _)| name.into_string().ok());
                return Ok(Outcome::Done(json!(variables.collect::<Vec<_>>())));
            }
            "stop when told" => {
                ctx.info("waiting");
                while !ctx.is_cancelled() {
                    ctx.sleep(std::time::Duration::from_millis(10)).await;
                }
                return Err(TaskError::cancelled("stopped as I was told"));
            }
            "start" => start(ctx)?,
            "start and block" => {
                start(ctx)?;
                loop {
                    std::thread::park();
                }
            }
            "start and abort" => {
                start(ctx)?;
                std::process::abort();
            }
            other => return Err(TaskError::permanent(format!("nobody does `{other}`"))),
        }
        Ok(Outcome::Done(json!(self.with.as_str())))
    }

    async fn resume(&self, _: &TaskContext, handle: Value) -> TaskResult<Outcome<Value>> {
        Ok(Outcome::Done(json!(["resumed", handle])))
    }

    async fn cancel(&self, ctx: &TaskContext, handle: Option<Value>) -> TaskResult<()> {
        ctx.info(format!("cancelling {handle:?}"));
        Ok(())
    }
}

fn fail(what: &str) -> Option<TaskResult<Outcome<Value>>> {
    Some(match what {
        "skip" => Err(TaskError::skip("no rows")),
        "job failed" => Ok(Outcome::Failed(TaskError::data("line 3"))),
        "quota" => Err(TaskError::quota("too much", Some(minutes(5))).help("ask for more")),
        "panic" => panic!("at {}", 3),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(3),
        "kill" => signal("-KILL"),
        "crash" => signal("-ILL"),
        "overflow" => Ok(Outcome::Done(json!(deep(1)))),
        "eat" => {
            let mut eaten = Vec::new();
            loop {
                eaten.push(vec![1_u8; 1 << 20]);
            }
        }
        "return much" => Ok(Outcome::Done(json!("x".repeat(2 << 20)))),
        _ => return None,
    })
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn deep(n: u64) -> u64 {
    let room = std::hint::black_box([n; 64]);
    deep(n + 1) + room[7]
}

fn signal(signal: &str) -> ! {
    let own = std::process::id().to_string();
    let _ = Command::new("kill").args([signal, &own]).status();
    loop {
        std::thread::park();
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "tasks print")]
fn say(ctx: &TaskContext) {
    ctx.info("a line");
    ctx.warn("a warning\nof two");
    ctx.progress(0.5, "half");
    ctx.progress(f64::NAN, "odd");
    println!("printed");
    eprintln!("complained");
}

/// Starts a process in this group and one in its own group; says their numbers and its own.
fn start(ctx: &TaskContext) -> TaskResult {
    let sleep = || {
        let mut command = Command::new("sleep");
        command.arg("1000");
        command
    };
    let near = sleep().spawn()?.id();
    let apart = sleep().process_group(0).spawn()?.id();
    ctx.info(std::process::id().to_string());
    ctx.info(near.to_string());
    ctx.info(apart.to_string());
    Ok(())
}

fn dag(what: &str) -> Dag {
    Dag::build("isolated", |dag| {
        dag.schedule(Cron::daily());
        dag.add(
            "it",
            Do {
                what: what.to_owned(),
                with: "{ds}".into(),
            },
        );
    })
}

fn shell(script: &str) -> Dag {
    Dag::build("isolated", |dag| {
        dag.schedule(Cron::daily());
        dag.add("it", Shell::script(script));
    })
}

fn job_of(dag: &Dag, act: Act) -> Job {
    Job {
        spec: dag.spec().definition.tasks[0].clone(),
        facts: facts(),
        outputs: Vec::new(),
        variables: Vec::new(),
        act,
        memory_max: None,
    }
}

/// A job that does this.
pub(crate) fn job(what: &str) -> Job {
    job_of(&dag(what), Act::Run)
}

/// A job that does something else than run.
pub(crate) fn job_to(act: Act) -> Job {
    job_of(&dag("return"), act)
}

/// A job that runs this script with the shell operator.
pub(crate) fn shell_job(script: &str) -> Job {
    job_of(&shell(script), Act::Run)
}

pub(crate) fn child() -> ExitCode {
    isolate::child(|job| {
        let dag = match job.spec.operator.as_str() {
            "shell" => shell(""),
            _ => dag(""),
        };
        Ok(Inside {
            registry: dag.registry().clone(),
            clock: || chrono::DateTime::UNIX_EPOCH,
            services: Box::new(|_| None),
        })
    })
}
