//! The command as it is started: arguments, directory, environment.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use tidemill_core::operator::{OrFail as _, Secret, TaskContext, TaskError, TaskResult};
use tidemill_process::BaseEnv;
use tokio::process::Command as Process;

use super::{Command, Shell};
use crate::python::Ready;
use tidemill_core::text::PLACEHOLDERS;

/// A secret and the variable that it comes in.
pub(super) type SecretVariable<'a> = (&'a str, Secret);

/// Fetches the secrets that the command is given.
pub(super) async fn secrets<'a>(
    shell: &'a Shell,
    ctx: &TaskContext,
) -> TaskResult<Vec<SecretVariable<'a>>> {
    let mut found = Vec::new();
    for (name, secret) in &shell.secret_env {
        let connection = ctx.connection(&secret.connection).await?;
        found.push((name.as_str(), connection.secret(&secret.secret)?.clone()));
    }
    Ok(found)
}

/// The program, and the process to be started.
pub(super) fn process(
    shell: &Shell,
    ctx: &TaskContext,
    (secrets, python): (&[SecretVariable<'_>], Option<&Ready>),
) -> TaskResult<(String, Process)> {
    let (program, mut process) = match &shell.command {
        Command::Argv(argv) => {
            let (program, args) = argv
                .split_first()
                .or_permanent("run a command without arguments")?;
            let mut process = Process::new(program.as_str());
            process.args(args.iter().map(|arg| arg.as_str()));
            (program.as_str(), process)
        }
        Command::Script { shell, text } => {
            warn_of_placeholders(text, ctx);
            let mut process = Process::new(shell);
            process.arg("-c").arg(text);
            (shell.as_str(), process)
        }
    };
    if let Some(directory) = &shell.cwd {
        let directory = Path::new(directory.as_str());
        // A missing directory is reported as a missing program otherwise.
        if !directory.is_dir() {
            let message = format!(
                "there is no directory `{}` on this worker",
                directory.display()
            );
            return Err(TaskError::permanent(message).help(
                "make it before this task, or send the task to a queue whose workers have it",
            ));
        }
        process.current_dir(directory);
    }
    process.env_clear();
    let base = ctx.service::<BaseEnv>().unwrap_or_default();
    process.envs(base.iter());
    if let Some(python) = python {
        process.envs(python.variables(&base));
    }
    process.envs(facts(ctx));
    for (name, value) in &shell.env {
        process.env(checked(name)?, value.as_str());
    }
    for (name, secret) in secrets {
        process.env(checked(name)?, secret.reveal());
    }
    Ok((program.to_owned(), process))
}

/// What the command may want to know about its run.
pub(crate) fn facts(ctx: &TaskContext) -> Vec<(&'static str, String)> {
    let facts = ctx.facts();
    let instant = |at: DateTime<Utc>| {
        at.with_timezone(&facts.zone)
            .to_rfc3339_opts(SecondsFormat::AutoSi, true)
    };
    let mut variables = vec![
        ("TIDEMILL_DAG_ID", facts.dag_id.clone()),
        ("TIDEMILL_RUN_ID", facts.run_id.clone()),
        ("TIDEMILL_TASK_ID", facts.task_id.clone()),
        ("TIDEMILL_ATTEMPT", facts.attempt.to_string()),
        ("TIDEMILL_DS", ctx.ds().to_string()),
        ("TIDEMILL_INTERVAL_START", instant(facts.interval.start)),
        ("TIDEMILL_INTERVAL_END", instant(facts.interval.end)),
        ("TIDEMILL_LAUNCH_KEY", facts.key.as_str().to_owned()),
    ];
    if let Some(index) = facts.map_index {
        variables.push(("TIDEMILL_MAP_INDEX", index.to_string()));
    }
    variables
}

fn checked(name: &str) -> TaskResult<&str> {
    if name.is_empty() || name.contains(['=', '\0']) {
        let message = format!("`{name}` cannot be the name of an environment variable");
        return Err(TaskError::permanent(message).help("use letters, digits and underscores"));
    }
    Ok(name)
}

/// Somebody who writes `{ds}` in a script expects a date.
fn warn_of_placeholders(script: &str, ctx: &TaskContext) {
    for name in PLACEHOLDERS {
        let written = format!("{{{name}}}");
        let meant = script
            .match_indices(&written)
            .any(|(at, _)| !script[..at].ends_with('$'));
        let jinja = script.contains(&format!("{{{{ {name} }}}}"));
        if meant || jinja {
            ctx.warn(format!(
                "the script has `{written}` in it, which stays as it is; give the value with `.env(\"VALUE\", \"{written}\")` and write \"$VALUE\""
            ));
        }
    }
}
