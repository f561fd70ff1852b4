//! One call of dbt.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tidemill_core::operator::{Level, OrFail as _, Secret, TaskContext, TaskError, TaskResult};
use tidemill_process::{BaseEnv, exit_words};
use tokio::process::Command as Process;

use super::events::Telling;
use super::report::DbtReport;
use super::{Dbt, DbtProfile, Task};
use crate::command::{Ask, Heard, run_command};
use crate::remote::short_hash;
use crate::shell::facts;

/// What dbt has parsed; reading it again saves seconds of each call.
const PARSED: &str = "partial_parse.msgpack";
/// Exit code of a call that dbt could not make sense of.
const NO_SENSE: i32 = 2;

/// A project, and where dbt writes for this task of this run.
struct Place {
    project: PathBuf,
    target: PathBuf,
}

impl Place {
    fn of(dbt: &Dbt, ctx: &TaskContext) -> TaskResult<Self> {
        let project =
            std::path::absolute(dbt.project.as_str()).or_permanent("name the project's folder")?;
        if !project.join("dbt_project.yml").is_file() {
            let message = format!(
                "there is no dbt project in `{}` on this worker",
                project.display()
            );
            return Err(TaskError::permanent(message)
                .help("the folder needs a dbt_project.yml; deploy the project with the worker, or send the task to a queue whose workers have it"));
        }
        let facts = ctx.facts();
        let whose = format!(
            "{:?}",
            (
                &facts.dag_id,
                &facts.run_id,
                &facts.task_id,
                facts.map_index
            )
        );
        let name = short_hash(&whose, 16);
        let target = project.join("target/tidemill").join(name);
        Ok(Self { project, target })
    }

    /// What was written for an earlier attempt, moved to where `dbt retry` is told to look; none if it has to be done whole.
    fn earlier(&self, file: &str) -> io::Result<Option<PathBuf>> {
        let results = self.target.join(file);
        let earlier = self.target.join("earlier");
        let partly =
            DbtReport::read(&self.target, file).is_some_and(|(report, _)| report.is_partly_done());
        if !partly || !self.target.join("manifest.json").is_file() {
            let _ = fs::remove_file(results);
            return Ok(None);
        }
        fs::create_dir_all(&earlier)?;
        fs::copy(
            self.target.join("manifest.json"),
            earlier.join("manifest.json"),
        )?;
        fs::rename(&results, earlier.join(file))?;
        Ok(Some(earlier))
    }

    /// Copies what was parsed from the project's own target, or back.
    fn parsed(&self, back: bool) {
        let (own, ours) = (
            self.project.join("target").join(PARSED),
            self.target.join(PARSED),
        );
        let (from, to) = if back { (ours, own) } else { (own, ours) };
        // Another call may read it at this moment: it is put in its place whole. Without it dbt parses all.
        let beside = to.with_extension(format!("{}.new", std::process::id()));
        let _ = fs::copy(&from, &beside).and_then(|_| fs::rename(&beside, &to));
    }
}

pub(super) async fn run(dbt: &Dbt, ctx: &TaskContext) -> TaskResult<DbtReport> {
    let place = Place::of(dbt, ctx)?;
    fs::create_dir_all(&place.target).or_permanent("make the folder that dbt writes to")?;
    let file = match dbt.task {
        Task::SourceFreshness => "sources.json",
        _ => "run_results.json",
    };
    let earlier = if dbt.always_whole || dbt.task == Task::SourceFreshness {
        let _ = fs::remove_file(place.target.join(file));
        None
    } else {
        place
            .earlier(file)
            .or_transient("look at what the last attempt did")?
    };
    place.parsed(false);
    let secret = profile(dbt, &place, ctx).await?;
    let (program, mut process) = process(dbt, &place, earlier.as_deref(), ctx).await?;
    if let Some(secret) = &secret {
        process.env(DbtProfile::variable(), secret.reveal());
    }
    let mut telling = Telling::default();
    let hear = |heard: Heard<'_>| match heard {
        Heard::Out(line) => telling.line(line, ctx),
        Heard::Err(line) => {
            telling.said.push(line);
            ctx.log(Level::Warn, line);
        }
        Heard::Bytes(_) => {}
    };
    let status = run_command((&program, process), None, Ask::Interrupt, hear, ctx).await?;
    place.parsed(true);
    let report = DbtReport::read(&place.target, file).map(|(report, checks)| {
        checks.into_iter().for_each(|check| ctx.record_check(check));
        report
    });
    if let Some(error) = report.as_ref().and_then(DbtReport::error) {
        return Err(error);
    }
    if !status.success() {
        let message = telling.said.below(&format!("dbt {}", exit_words(status)));
        return Err(match status.code() {
            Some(NO_SENSE) => TaskError::permanent(message),
            _ => TaskError::transient(message),
        });
    }
    let report = report
        .filter(|report| !report.nodes.is_empty())
        .ok_or_else(|| nothing(dbt))?;
    if let Err(error) = fs::remove_dir_all(&place.target) {
        ctx.warn(format!("{} stays: {error}", place.target.display()));
    }
    Ok(report)
}

/// dbt takes it for success.
fn nothing(dbt: &Dbt) -> TaskError {
    let words: Vec<&str> = dbt.select.iter().map(|text| text.as_str()).collect();
    let what = match words.as_slice() {
        [] => "the project has nothing to do".to_owned(),
        words => format!("nothing is selected by `{}`", words.join(" ")),
    };
    TaskError::permanent(format!("{what}, and dbt did nothing"))
        .help("look at the selectors with `dbt ls`; a model that was renamed is not selected by its old name")
}

/// Writes the profile beside what dbt writes, and gives its secret.
async fn profile(dbt: &Dbt, place: &Place, ctx: &TaskContext) -> TaskResult<Option<Secret>> {
    let Some(profile) = &dbt.profile else {
        return Ok(None);
    };
    let connection = ctx.connection(profile.connection()).await?;
    let written = profile.written(&connection, dbt.threads.unwrap_or(4))?;
    let text = fs::read_to_string(place.project.join("dbt_project.yml"))
        .or_permanent("read dbt_project.yml")?;
    let project: Value = serde_saphyr::from_str(&text).or_permanent("read dbt_project.yml")?;
    let name = project["profile"].as_str().unwrap_or("default");
    let target = dbt
        .target
        .as_ref()
        .map_or("tidemill", |target| target.as_str());
    let all = json!({ name: { "target": target, "outputs": { target: written.output } } });
    fs::write(place.target.join("profiles.yml"), all.to_string())
        .or_transient("write the profile")?;
    Ok(written.secret)
}

async fn process(
    dbt: &Dbt,
    place: &Place,
    earlier: Option<&Path>,
    ctx: &TaskContext,
) -> TaskResult<(String, Process)> {
    let base = ctx.service::<BaseEnv>().unwrap_or_default();
    let python = match &dbt.environment {
        Some(environment) => Some(environment.ready(ctx).await?),
        None => None,
    };
    let program = dbt.program.clone().unwrap_or_else(|| "dbt".to_owned());
    let mut process = Process::new(&program);
    process
        .current_dir(&place.project)
        .env_clear()
        .envs(base.iter());
    if let Some(python) = &python {
        process.envs(python.variables(&base));
    }
    process
        .envs(facts(ctx))
        .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        .env("PYTHONUNBUFFERED", "1");
    match earlier {
        Some(earlier) => {
            ctx.info("only what failed in the last attempt, and what needs it, is done again");
            process.arg("retry").arg("--state").arg(earlier);
        }
        None => {
            process.args(dbt.task.words());
        }
    }
    process.args([
        "--log-format",
        "json",
        "--no-use-colors",
        "--no-version-check",
    ]);
    process.arg("--project-dir").arg(&place.project);
    process.arg("--target-path").arg(&place.target);
    process.arg("--log-path").arg(place.target.join("logs"));
    if dbt.profile.is_some() {
        process.arg("--profiles-dir").arg(&place.target);
    }
    if let Some(threads) = dbt.threads {
        process.arg("--threads").arg(threads.to_string());
    }
    if let Some(target) = &dbt.target {
        process.arg("--target").arg(target.as_str());
    }
    let vars = vars(dbt);
    if !vars.is_empty() {
        process.arg("--vars").arg(Value::Object(vars).to_string());
    }
    if earlier.is_none() {
        selection(dbt, &mut process);
    }
    Ok((program, process))
}

/// What a call has that is not a repetition, which takes these from the one that it repeats.
fn selection(dbt: &Dbt, process: &mut Process) {
    for (flag, texts) in [("--select", &dbt.select), ("--exclude", &dbt.exclude)] {
        if !texts.is_empty() {
            process
                .arg(flag)
                .args(texts.iter().map(|text| text.as_str()));
        }
    }
    if dbt.full_refresh {
        process.arg("--full-refresh");
    }
    process.args(dbt.flags.iter().map(|text| text.as_str()));
}

fn vars(dbt: &Dbt) -> Map<String, Value> {
    let texts = dbt
        .vars
        .iter()
        .map(|(name, text)| (name.clone(), text.as_str().into()));
    let values = dbt
        .json_vars
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    texts.chain(values).collect()
}
