//! A process of the worker's machine, from its start to its end: what it says, and how it is ended.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidemill_core::operator::{OrFail as _, TaskContext, TaskError, TaskResult};
use tidemill_process::{Group, Lines};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command as Process};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// How long a command that was asked to end may take to do so.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is asked whether the task was cancelled.
const CANCEL_LOOK: Duration = Duration::from_millis(200);
/// How long output is still read after the command ended: something that it left running may hold the pipe.
const DRAIN: Duration = Duration::from_secs(1);
/// How much is read at once.
const READ_BYTES: usize = 8 * 1024;

/// How a command is asked to end when its task is cancelled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask {
    /// SIGTERM.
    Terminate,
    /// SIGINT, on which Python programs tidy up.
    Interrupt,
}

/// What a command said.
pub(crate) enum Heard<'a> {
    /// A line of its standard output.
    Out(&'a str),
    /// A part of its standard output, as it came.
    Bytes(&'a [u8]),
    /// A line of its standard error.
    Err(&'a str),
}

/// Runs a program that was made ready, in a process group of its own. What it leaves running is ended with it.
pub(crate) async fn run_command(
    (program, process): (&str, Process),
    stdin: Option<&str>,
    ask: Ask,
    hear: impl FnMut(Heard<'_>) + Send,
    ctx: &TaskContext,
) -> TaskResult<ExitStatus> {
    let mut child = start(program, process, stdin.is_some())?;
    let group = Group::led_by(child.id().or_transient("start the command: it is gone")?);
    let (pipe, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let hear = Mutex::new(hear);
    let tell = |heard: Heard<'_>| {
        (hear.lock().unwrap_or_else(PoisonError::into_inner))(heard);
    };
    let ended = {
        let mut talking = pin!(async {
            tokio::join!(
                write(pipe, stdin),
                read(
                    stdout,
                    |line| tell(Heard::Out(line)),
                    |bytes| tell(Heard::Bytes(bytes))
                ),
                read(stderr, |line| tell(Heard::Err(line)), |_| {}),
            );
        });
        let mut ending = pin!(wait(&mut child, &group, ask, ctx));
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
    Ok(ended.status)
}

fn start(program: &str, mut process: Process, stdin: bool) -> TaskResult<Child> {
    process
        .process_group(0)
        .stdin(if stdin { Stdio::piped() } else { Stdio::null() })
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

async fn write(pipe: Option<ChildStdin>, text: Option<&str>) {
    if let (Some(mut pipe), Some(text)) = (pipe, text) {
        // A command that does not read to the end has what it needs.
        let _ = pipe.write_all(text.as_bytes()).await;
        let _ = pipe.shutdown().await;
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
async fn wait(child: &mut Child, group: &Group, ask: Ask, ctx: &TaskContext) -> io::Result<Ended> {
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
                    match ask {
                        Ask::Terminate => group.terminate(),
                        Ask::Interrupt => group.interrupt(),
                    }
                    killed_at = Some(now + GRACE);
                }
                Some(at) if now >= at => group.kill(),
                _ => {}
            }
        }
    }
}
