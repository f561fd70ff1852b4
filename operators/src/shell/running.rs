//! A command from its start to its end.

use std::process::ExitStatus;

use serde_json::Value;
use tidemill_core::operator::{Level, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_process::{Tail, exit_words};

use super::environment::{process, secrets};
use super::mask::Mask;
use super::output::Collected;
use super::{Command, Shell};
use crate::command::{Ask, Heard, run_command};

pub(super) async fn run(shell: &Shell, ctx: &TaskContext) -> TaskResult<Outcome<Value>> {
    let secrets = secrets(shell, ctx).await?;
    let python = match &shell.python {
        Some(env) => Some(env.ready(ctx).await?),
        None => None,
    };
    let (program, process) = process(shell, ctx, (&secrets, python.as_ref()))?;
    let mask = Mask::of(&secrets);
    let mut collected = Collected::new(shell.output);
    let mut tail = Tail::default();
    let status = run_command(
        (&program, process),
        shell.stdin.as_ref().map(|text| text.as_str()),
        Ask::Terminate,
        |heard| match heard {
            Heard::Out(line) => ctx.log(Level::Info, mask.hide(line)),
            Heard::Bytes(bytes) => collected.feed(bytes),
            Heard::Err(line) => {
                tail.push(&mask.hide(line));
                ctx.log(Level::Warn, mask.hide(line));
            }
        },
        ctx,
    )
    .await?;
    judge(shell, status, &tail)?.map_or_else(|| collected.value(&mask).map(Outcome::Done), Ok)
}

/// What its exit code means: nothing to return, or a failure; `None` is success.
fn judge(shell: &Shell, status: ExitStatus, tail: &Tail) -> TaskResult<Option<Outcome<Value>>> {
    match status.code() {
        Some(code) if shell.ok_codes.contains(&code) => Ok(None),
        Some(code) if shell.skip_on == Some(code) => Ok(Some(Outcome::Skipped {
            why: format!("the command exited with code {code}"),
        })),
        code => Err(failure(shell, status, code, tail)),
    }
}

fn failure(shell: &Shell, status: ExitStatus, code: Option<i32>, tail: &Tail) -> TaskError {
    let words = exit_words(status);
    let message = tail.below(&format!("the command {words}"));
    match (&shell.command, code) {
        (Command::Script { .. }, Some(127)) => TaskError::permanent(message)
            .help("the script names a program that is not on this worker: install it in the worker's image"),
        (Command::Script { .. }, Some(126)) => {
            TaskError::permanent(message).help("the script names a file that cannot be run")
        }
        _ if words.ends_with("SIGKILL") => TaskError::transient(message).help(
            "the kernel kills like this when memory runs out: give the worker more, or fewer slots",
        ),
        _ => TaskError::transient(message),
    }
}
