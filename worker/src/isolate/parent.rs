//! The worker's side of an isolated attempt.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemill_core::operator::{Host, Level, OrFail as _, Outcome, TaskError, TaskResult};
use tidemill_core::wire::{Asked, Given};
use tidemill_process::{Family, Lines, Tail};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::frame::{Down, Ended, Up, encode, take};
use super::{Job, Program, STOP_GRACE, death};

/// How often it is asked whether the attempt was cancelled.
const CANCEL_LOOK: Duration = Duration::from_millis(200);
/// How long a child that said its result, or closed its socket, may take to end.
const LEAVE_GRACE: Duration = Duration::from_secs(2);
/// How long what a dead child said is still read.
const DRAIN: Duration = Duration::from_secs(1);
/// How much is read at once.
const READ_BYTES: usize = 8 * 1024;

/// Runs an attempt in a process of its own. Dropping the future kills the process and all that it started.
///
/// # Errors
/// What the task failed with; or that the process could not be started, or how it died.
pub async fn run(program: &Program, job: &Job, host: Arc<dyn Host>) -> TaskResult<Outcome> {
    let start = encode(&Down::Start {
        item: job.facts.item.clone(),
        job: Box::new(job.clone()),
    })
    .or_permanent("write the job for the task's process")?;
    let (ours, theirs) = StdStream::pair().or_transient("open a socket for the task's process")?;
    let mut child = launch(program, theirs)?;
    let mut family = Family::of(child.id().or_transient("start the task's process")?);

    let said = Arc::new(Mutex::new(Tail::default()));
    let mut pumps = JoinSet::new();
    if let Some(stdout) = child.stdout.take() {
        pumps.spawn(pump(stdout, Level::Info, Arc::clone(&host), None));
    }
    if let Some(stderr) = child.stderr.take() {
        let said = Some(Arc::clone(&said));
        pumps.spawn(pump(stderr, Level::Warn, Arc::clone(&host), said));
    }
    let mut talk = Talk::new(ours, host).or_transient("open a socket for the task's process")?;
    let talked = tokio::select! {
        biased;
        talked = talk.serve(&start) => talked,
        _ = child.wait() => {
            family.leader_ended();
            // What it said last is still in the socket.
            timeout(DRAIN, talk.serve(&[])).await.unwrap_or(Talked::Silent)
        }
    };
    let leaves = !matches!(talked, Talked::Stopped | Talked::Broken(_));
    if !leaves || timeout(LEAVE_GRACE, child.wait()).await.is_err() {
        family.kill();
    }
    let status = child
        .wait()
        .await
        .or_transient("wait for the task's process")?;
    family.leader_ended();
    // A child that ends by itself has ended what it started.
    if matches!(talked, Talked::Ended(_)) && status.success() {
        family.is_gone();
    }
    family.kill();
    let _ = timeout(DRAIN, pumps.join_all()).await;

    match talked {
        Talked::Ended(ended) => ended.result(),
        Talked::Stopped => Err(TaskError::cancelled(format!(
            "the task did not stop within {} s after it was cancelled; its process was killed",
            STOP_GRACE.as_secs()
        ))),
        Talked::Broken(why) => Err(TaskError::permanent(format!(
            "the task's process said something that is not understood: {why}"
        ))
        .help("something in the task writes to a socket that is not its own")),
        Talked::Silent => {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            Err(death::error(status, job.memory_max, &said))
        }
    }
}

/// Starts the child. Without a process group, a user or code to run in between, the standard library has `posix_spawn`
/// do it, which does not copy the worker's page tables.
fn launch(program: &Program, socket: StdStream) -> TaskResult<Child> {
    let mut command = Command::new(&program.path);
    command
        .args(&program.args)
        .env_clear()
        .env("RUST_BACKTRACE", "1")
        .envs(program.env.iter())
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().map_err(|error| {
        let message = format!(
            "start the task's process {}: {error}",
            program.path.display()
        );
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
                TaskError::transient(message)
                    .help("the worker's binary was moved or replaced: restart the worker")
            }
            _ => TaskError::transient(message),
        }
    })
}

/// What the child prints goes to the attempt's log.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    level: Level,
    host: Arc<dyn Host>,
    tail: Option<Arc<Mutex<Tail>>>,
) {
    let mut see = |line: &str| {
        host.log(level, line);
        if let Some(tail) = &tail {
            tail.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    };
    let mut lines = Lines::default();
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        lines.feed(&buffer[..count], &mut see);
    }
    lines.finish(&mut see);
}

enum Talked {
    /// It said how it went.
    Ended(Ended),
    /// The socket closed before it did.
    Silent,
    /// It did not stop when it was told to.
    Stopped,
    /// It said what is not understood.
    Broken(String),
}

/// The worker's end of the socket.
struct Talk {
    socket: UnixStream,
    received: Vec<u8>,
    host: Arc<dyn Host>,
}

impl Talk {
    fn new(socket: StdStream, host: Arc<dyn Host>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: UnixStream::from_std(socket)?,
            received: Vec::new(),
            host,
        })
    }

    /// Says something, then listens and answers until the child is done.
    async fn serve(&mut self, first: &[u8]) -> Talked {
        match self.talk(first).await {
            Ok(talked) => talked,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Talked::Broken(error.to_string())
            }
            // A pipe breaks because its other end is gone.
            Err(_) => Talked::Silent,
        }
    }

    async fn talk(&mut self, first: &[u8]) -> io::Result<Talked> {
        self.socket.write_all(first).await?;
        let mut look = interval(CANCEL_LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kill_at = None;
        loop {
            while let Some(up) = take(&mut self.received)? {
                if let Some(ended) = self.hear(up).await? {
                    return Ok(Talked::Ended(ended));
                }
            }
            self.received.reserve(READ_BYTES);
            tokio::select! {
                count = self.socket.read_buf(&mut self.received) => {
                    if count? == 0 {
                        return Ok(Talked::Silent);
                    }
                }
                now = look.tick() => match kill_at {
                    None if self.host.is_cancelled() => {
                        self.say(&Down::Cancel).await?;
                        kill_at = Some(now + STOP_GRACE);
                    }
                    Some(at) if now >= at => return Ok(Talked::Stopped),
                    _ => {}
                }
            }
        }
    }

    async fn say(&mut self, down: &Down) -> io::Result<()> {
        self.socket.write_all(&encode(down)?).await
    }

    async fn hear(&mut self, up: Up) -> io::Result<Option<Ended>> {
        match up {
            Up::Log(level, line) => self.host.log(level, &line),
            Up::Progress(part, words) => self.host.progress(part, &words),
            Up::Load(load) => self.host.load(*load),
            Up::Check(result) => self.host.check(*result),
            Up::Ask(number, what) => {
                let found = match what {
                    Asked::Connection(name) => self.host.connection(&name).await.map(Given::from),
                    Asked::Variable(name) => self.host.variable(&name).await.map(Given::Variable),
                };
                self.say(&Down::Given(number, found)).await?;
            }
            Up::Ended(ended) => return Ok(Some(ended)),
        }
        Ok(None)
    }
}
