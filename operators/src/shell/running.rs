//! A command from its start to its end.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tidemill_core::operator::{Level, OrFail as _, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_process::{Group, Lines, Tail, exit_words};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::environment::{SecretVariable, process, secrets};
use super::mask::Mask;
use super::output::Collected;
use super::{Command, Shell};

/// How long a command that was asked to end may take to do so.
const TERMINATE_GRACE: Duration = Duration::from_secs(5);
/// How often it is asked whether the task was cancelled.
const CANCEL_LOOK: Duration = Duration::from_millis(200);
/// How long output is still read after the command ended: something that it left running may hold the pipe.
const DRAIN: Duration = Duration::from_secs(1);
/// How much is read at once.
const READ_BYTES: usize = 8 * 1024;

pub(super) async fn run(shell: &Shell, ctx: &TaskContext) -> TaskResult<Outcome<Value>> {
    let secrets = secrets(shell, ctx).await?;
    let mut child = start(shell, ctx, &secrets)?;
    let group = Group::led_by(child.id().or_transient("start the command: it is gone")?);
    let mask = Mask::of(&secrets);
    let mut collected = Collected::new(shell.output);
    let mut tail = Tail::default();
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());

    let ended = {
        let mut talking = pin!(async {
            let said = |level, line: &str| ctx.log(level, mask.hide(line));
            tokio::join!(
                write(stdin, shell),
                read(
                    stdout,
                    |line| said(Level::Info, line),
                    |bytes| collected.feed(bytes)
                ),
                read(
                    stderr,
                    |line| {
                        tail.push(&mask.hide(line));
                        said(Level::Warn, line);
                    },
                    |_| {}
                ),
            );
        });
        let mut ending = pin!(wait(&mut child, &group, ctx));
        let mut silent = false;
        let ended = loop {
            tokio::select! {
                ended = &mut ending => break ended,
                () = &mut talking, if !silent => silent = true,
            }
        };
        // What was left running gets a moment to say its last, and is then ended; only what left the group can hold
        // the pipe after that.
        if !silent && timeout(DRAIN, &mut talking).await.is_err() {
            group.kill();
            let _ = timeout(DRAIN, &mut talking).await;
        }
        ended
    };
    drop(group);
    let ended = ended.or_transient("wait for the command")?;
    if ended.cancelled {
        return Err(TaskError::cancelled(
            "the command was ended because the task was cancelled",
        ));
    }
    judge(shell, ended.status, &tail)?.map_or_else(|| collected.value(&mask).map(Outcome::Done), Ok)
}

fn start(shell: &Shell, ctx: &TaskContext, secrets: &[SecretVariable<'_>]) -> TaskResult<Child> {
    let (program, mut process) = process(shell, ctx, secrets)?;
    let stdin = if shell.stdin.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    process
        .process_group(0)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    process.spawn().map_err(|error| {
        let error_kind = error.kind();
        let message = format!("start `{program}`: {error}");
        match error_kind {
            io::ErrorKind::NotFound => TaskError::permanent(format!("there is no program `{program}` on this worker"))
                .help("install it in the worker's image, or name it with its path; it is looked for in the PATH that the worker was started with"),
            io::ErrorKind::PermissionDenied => TaskError::permanent(message).help("make it executable for the worker's user"),
            io::ErrorKind::InvalidInput | io::ErrorKind::ArgumentListTooLong => TaskError::permanent(message)
                .help("an argument or variable is too long or holds a NUL byte; give it by `.stdin` or in a file"),
            _ => TaskError::transient(message),
        }
    })
}

async fn write(stdin: Option<ChildStdin>, shell: &Shell) {
    if let (Some(mut stdin), Some(text)) = (stdin, &shell.stdin) {
        // A command that does not read to the end has what it needs.
        let _ = stdin.write_all(text.as_str().as_bytes()).await;
        let _ = stdin.shutdown().await;
    }
}

async fn read(
    from: Option<impl AsyncRead + Unpin>,
    mut line: impl FnMut(&str),
    mut raw: impl FnMut(&[u8]),
) {
    let Some(mut from) = from else { return };
    let mut lines = Lines::default();
    let mut buffer = vec![0; READ_BYTES];
    // An error is the end as well: there is nobody to read from any more.
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        raw(&buffer[..count]);
        lines.feed(&buffer[..count], &mut line);
    }
    lines.finish(&mut line);
}

struct Ended {
    status: ExitStatus,
    cancelled: bool,
}

/// Waits for its end, and brings it about when the task is cancelled.
async fn wait(child: &mut Child, group: &Group, ctx: &TaskContext) -> io::Result<Ended> {
    let mut look = interval(CANCEL_LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut killed_at: Option<Instant> = None;
    loop {
        tokio::select! {
            status = child.wait() => {
                let cancelled = killed_at.is_some();
                return status.map(|status| Ended { status, cancelled });
            }
            now = look.tick() => match killed_at {
                None if ctx.is_cancelled() => {
                    ctx.warn("cancelled: asking the command to end");
                    group.terminate();
                    killed_at = Some(now + TERMINATE_GRACE);
                }
                Some(at) if now >= at => group.kill(),
                _ => {}
            }
        }
    }
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
