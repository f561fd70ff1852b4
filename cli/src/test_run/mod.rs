//! `dags test`: one run of one DAG in this process. Everything it keeps is in a folder of its own that goes with it.

mod rig;
mod trim;

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tidemill_core::author::Dags;
use tidemill_core::protocol::RunNo;
use tidemill_core::spec::{DagSpec, TaskKind};
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{Command, Trigger};
use tidemill_store::record::TaskRow;
use tidemill_worker::Services;

use crate::config::Environment;
use crate::output::{INVALID, Output, USAGE};
use crate::remote::{Feed, ParamArgs, RunFull, When, code_of, has_ended, unknown};
use crate::{runs, serve};
use rig::Rig;

pub(crate) const HELP: &str = "Connections and variables come from the environment: TIDEMILL_CONN_…, TIDEMILL_VAR_….\n\
    Pools, retries and timeouts are as in earnest; nobody is alerted, and every task runs in this process.\n\
    What tasks do outside they really do. Ctrl-C cancels the run, and a second one ends at once.\n\n\
    Exit codes: 0 the run succeeded, 1 it did not, 2 wrong usage.\n\n\
    Examples:\n  dags test crm_daily --date 2025-01-31\n  dags test crm_daily --param region=eu --task load\n  \
    dags test crm_daily --answer sign_off=approve";

/// How often is looked at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The DAG.
    dag: String,
    /// What the run covers: the first interval that begins on this day in the DAG's zone, or at this instant or after;
    /// the last complete interval without it.
    #[arg(long, value_name = "TIME")]
    date: Option<When>,
    #[command(flatten)]
    params: ParamArgs,
    /// Only this task and everything before it, which is where its arguments come from. May be given again.
    #[arg(long = "task", value_name = "TASK")]
    tasks: Vec<String>,
    /// The answer to an approval; on a terminal it is asked for otherwise. May be given again.
    #[arg(long = "answer", value_name = "TASK=CHOICE")]
    answers: Vec<String>,
    /// Print JSON at the end.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &TestArgs, dags: &Dags, environment: &Environment) -> Output {
    test(args, dags, environment).unwrap_or_else(|wrong| wrong)
}

fn test(args: &TestArgs, dags: &Dags, environment: &Environment) -> Result<Output, Output> {
    let answers = answers(&args.answers)?;
    let params = args.params.value()?;
    let project = dags.validate();
    let Some(dag) = project
        .dags
        .iter()
        .find(|dag| dag.spec().id().as_str() == args.dag)
    else {
        let known = project.dags.iter().map(|dag| dag.spec().id().as_str());
        return Err(unknown("DAG", &args.dag, known, "dags list"));
    };
    let broken = project.problems.iter();
    let broken = broken.filter(|problem| problem.dag.as_deref() == Some(&args.dag));
    let broken = broken.fold(Output::default().code(INVALID), |output, problem| {
        output.talk(format_args!("error: {problem}"))
    });
    if !broken.stderr.is_empty() {
        return Err(broken);
    }
    for task in answers.keys() {
        approval(dag.spec(), task)?;
    }
    let covers = trim::covers(dag.spec(), args.date.as_ref())?;
    let spec = Arc::new(trim::alone(dag.spec(), &args.tasks)?);
    let trigger = Trigger {
        dag: spec.id().clone(),
        name: None,
        covers,
        params,
        version: None,
        note: None,
    };
    let services = Services::new(serve::attempt::services(dags, environment));
    let rig = Rig::start(&spec, (project, services), environment)?;
    let mut trial = Trial {
        rig,
        spec,
        answers,
        feed: Feed::new(environment),
    };
    let ended = trial.run(trigger);
    trial.feed.end();
    trial.rig.end();
    let (full, gave_up) = ended?;
    let text = if args.json {
        format!("{:#}\n", runs::document(&full))
    } else {
        format!("{}\n{}", runs::header(&full), runs::tasks(&full))
    };
    let output = Output::data(text).code(code_of(full.run.state));
    Ok(match gave_up {
        None => output,
        Some(why) => output.talk(format_args!("error: {why}")).code(USAGE),
    })
}

fn answers(given: &[String]) -> Result<BTreeMap<String, String>, Output> {
    let pairs = given.iter().map(|text| {
        let pair = text.split_once('=');
        pair.map(|(task, choice)| (task.to_owned(), choice.to_owned()))
            .ok_or_else(|| {
                let message = format_args!("`--answer {text}` has no answer");
                Output::usage(message, "write `--answer task=choice`")
            })
    });
    pairs.collect()
}

/// The question of a task, if it asks one.
fn approval<'a>(spec: &'a DagSpec, task: &str) -> Result<&'a TaskKind, Output> {
    let definition = &spec.definition;
    let Some(found) = definition.task(task) else {
        let known = definition.tasks.iter().map(|task| task.id.as_str());
        return Err(unknown("task", task, known, "dags show"));
    };
    match &found.kind {
        kind @ TaskKind::Approval { .. } => Ok(kind),
        _ => Err(Output::usage(format_args!("`{task}` asks nothing"), "")),
    }
}

/// One run of one DAG.
struct Trial {
    rig: Rig,
    spec: Arc<DagSpec>,
    answers: BTreeMap<String, String>,
    feed: Feed,
}

impl Trial {
    /// Runs it to its end. Beside what came of it, why it was given up.
    fn run(&mut self, trigger: Trigger) -> Result<(RunFull, Option<String>), Output> {
        let changed = self.rig.ask("dags test", Command::Trigger(trigger))?;
        let made = changed.runs_made.first();
        let (no, _) = made.ok_or_else(|| Output::failed("no run was made", INVALID))?;
        let (mut cancelled, mut gave_up) = (false, None);
        loop {
            let full = self.rig.read(*no)?;
            self.feed.show(&full);
            if has_ended(full.run.state) {
                return Ok((full, gave_up));
            }
            if gave_up.is_none() && !cancelled {
                gave_up = self.answer(&full)?;
            }
            if !cancelled && (gave_up.is_some() || self.rig.is_told_to_stop()) {
                cancelled = true;
                self.feed.line("cancelling the run");
                self.cancel(*no)?;
            }
            self.rig.rest(LOOK_EVERY);
        }
    }

    fn cancel(&self, run: RunNo) -> Result<(), Output> {
        let asked = self
            .rig
            .ask("dags test", Command::CancelRun { run, note: None });
        match asked {
            Ok(_) => Ok(()),
            // It may have ended meanwhile.
            Err(_) if has_ended(self.rig.read(run)?.run.state) => Ok(()),
            Err(output) => Err(output),
        }
    }

    /// Answers what is asked. Says why the run cannot go on, if nobody can.
    fn answer(&mut self, full: &RunFull) -> Result<Option<String>, Output> {
        let waiting = full
            .tasks
            .iter()
            .filter(|row| row.state == TaskState::Deferred);
        for row in waiting {
            let spec = Arc::clone(&self.spec);
            let Some(task) = spec.definition.task(row.name.as_str()) else {
                continue;
            };
            if !matches!(task.kind, TaskKind::Approval { .. }) {
                continue;
            }
            if let Some(why) = self.answer_one(row, &task.kind)? {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    fn answer_one(&self, row: &TaskRow, kind: &TaskKind) -> Result<Option<String>, Output> {
        let TaskKind::Approval {
            choices, assignees, ..
        } = kind
        else {
            return Ok(None);
        };
        let task = row.name.as_str();
        let choice = match self.answers.get(task) {
            Some(choice) => choice.clone(),
            None if std::io::stdin().is_terminal() => {
                let asked = self.feed.aside(|| prompt(task, choices));
                match asked {
                    Some(choice) => choice,
                    None => return Ok(Some(format!("`{task}` was not answered"))),
                }
            }
            None => {
                let all = choices.join("`, `");
                return Ok(Some(format!(
                    "`{task}` asks for an answer and nobody is at the terminal: give `--answer {task}=CHOICE`, one of `{all}`"
                )));
            }
        };
        let by = assignees.first().map_or("dags test", String::as_str);
        let command = Command::Answer {
            of: row.of,
            choice: choice.as_str().into(),
        };
        match self.rig.ask(by, command) {
            Ok(_) => Ok(None),
            Err(output) if output.code == USAGE => {
                let why = output.stderr.lines().next().unwrap_or_default();
                Ok(Some(why.trim_start_matches("error: ").to_owned()))
            }
            // It was answered meanwhile, by its default.
            Err(_) => Ok(None),
        }
    }
}

/// Asks on the terminal until one of the choices is given; none if the input ends.
fn prompt(task: &str, choices: &[String]) -> Option<String> {
    let mut terminal = std::io::stderr();
    loop {
        write!(terminal, "{task}: {}? ", choices.join(" / ")).ok()?;
        terminal.flush().ok()?;
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(choice) = choices.iter().find(|choice| **choice == line.trim()) {
            return Some(choice.clone());
        }
    }
}
