//! The child's side of an isolated attempt.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit, setsid};
use serde_json::Value;
use tidemill_core::operator::{
    BoxFuture, Connection, Host, Level, OrFail as _, Outcome, Registry, TaskContext, TaskError,
    TaskResult,
};
use tidemill_core::protocol::{CheckResult, Load};
use tidemill_core::wire::{Asked, Given, OUTPUT_BYTES_MAX};
use tidemill_process::{LINE_BYTES_MAX, end_own_descendants};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::frame::{Down, Ended, Up, encode, read};
use super::{Act, Job};

/// The exit code of a child that was not started by a worker.
pub const NOT_A_CHILD: u8 = 64;

/// It reads frames and does nothing else.
const LISTENER_STACK_BYTES: usize = 128 * 1024;

/// Finds a service by its type, and makes it when it is first asked for: most tasks need few of them, and a child is
/// started for each.
pub type Services = Box<dyn Fn(TypeId) -> Option<Arc<dyn Any + Send + Sync>> + Send + Sync>;

/// What a child needs of its binary.
pub struct Inside {
    /// The code of the task's DAG, at least.
    pub registry: Registry,
    /// Says what time it is.
    pub clock: fn() -> DateTime<Utc>,
    /// Clients and services that tasks share.
    pub services: Services,
}

impl std::fmt::Debug for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inside")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

/// Runs the attempt that the worker on the other end of the standard input gives. The hidden command of the binary
/// calls it and ends with its exit code.
///
/// `make` is given the job, so that it builds no more than the DAG that is named in it.
#[must_use]
pub fn child(make: impl FnOnce(&Job) -> TaskResult<Inside>) -> ExitCode {
    let Ok((worker, job)) = enter() else {
        return ExitCode::from(NOT_A_CHILD);
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.or_transient("start a runtime in the task's process");
    let attempt = || act(runtime.as_ref(), &worker, &job, make);
    let result =
        catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|panic| Err(panicked(&*panic)));
    // Neither threads nor processes that the task left behind hold it up.
    if let Ok(runtime) = runtime {
        runtime.shutdown_background();
    }
    end_own_descendants();
    worker.send(&Up::Ended(Ended::of(small_enough(result))));
    ExitCode::SUCCESS
}

/// Becomes a child: a session of its own, no standard input, and the job.
fn enter() -> io::Result<(Arc<Worker>, Job)> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // By hand, the standard input is a terminal or a file.
    socket.peer_addr()?;
    // It fails if the process leads a group already; then nothing is missing but the session.
    let _ = setsid();
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(getpid()))?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let Down::Start { mut job, item } = read(&mut socket)? else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    job.facts.item = item;
    let listening = socket.try_clone()?;
    let worker = Arc::new(Worker {
        socket: Mutex::new(socket),
        cancelled: AtomicBool::new(false),
        asked: Mutex::default(),
        numbers: AtomicU64::new(0),
    });
    let heard = Arc::clone(&worker);
    thread::Builder::new()
        .name("worker".to_owned())
        .stack_size(LISTENER_STACK_BYTES)
        .spawn(move || heard.listen(listening))?;
    if job.memory_max.is_some() {
        let limit = Rlimit {
            current: job.memory_max,
            maximum: job.memory_max,
        };
        setrlimit(Resource::Data, limit)?;
    }
    Ok((worker, *job))
}

fn act(
    runtime: Result<&Runtime, &TaskError>,
    worker: &Arc<Worker>,
    job: &Job,
    make: impl FnOnce(&Job) -> TaskResult<Inside>,
) -> TaskResult<Outcome> {
    let runtime = runtime.map_err(Clone::clone)?;
    let inside = make(job)?;
    let task = inside
        .registry
        .make(&job.spec, &job.facts, &job.outputs, &job.variables)?;
    let host = ChildHost {
        worker: Arc::clone(worker),
        clock: inside.clock,
        services: inside.services,
    };
    let ctx = TaskContext::new(job.facts.clone(), Arc::new(host));
    runtime.block_on(async {
        match &job.act {
            Act::Run => task.run(&ctx).await,
            Act::Resume(handle) => task.resume(&ctx, handle.clone()).await,
            Act::Cancel(handle) => {
                let cancelled = task.cancel(&ctx, handle.clone()).await;
                cancelled.map(|()| Outcome::Done(Value::Null))
            }
        }
    })
}

fn panicked(panic: &(dyn Any + Send)) -> TaskError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    TaskError::permanent(format!(
        "the task panicked: {}",
        text.unwrap_or_else(|| "without a message".to_owned())
    ))
}

/// The scheduler keeps what tasks return: it is no place for data.
fn small_enough(result: TaskResult<Outcome>) -> TaskResult<Outcome> {
    let (value, what) = match &result {
        Ok(Outcome::Done(output)) => (output, "returned"),
        Ok(Outcome::Deferred { handle, .. }) => (handle, "waits with"),
        _ => return result,
    };
    let mut size = Counted(0);
    serde_json::to_writer(&mut size, value).or_permanent("write what it returned as JSON")?;
    if size.0 <= OUTPUT_BYTES_MAX {
        return result;
    }
    Err(TaskError::permanent(format!(
        "the task {what} {} bytes, the most is {OUTPUT_BYTES_MAX}",
        size.0
    ))
    .help("write it to a file or a bucket and return its name"))
}

struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The worker, as the child knows it.
struct Worker {
    socket: Mutex<UnixStream>,
    cancelled: AtomicBool,
    /// An answer goes to whoever asked.
    asked: Mutex<HashMap<u64, oneshot::Sender<TaskResult<Given>>>>,
    numbers: AtomicU64,
}

impl Worker {
    fn send(&self, up: &Up) {
        let sent = encode(up).and_then(|bytes| lock(&self.socket).write_all(&bytes));
        if sent.is_err() {
            end();
        }
    }

    async fn ask(&self, what: Asked) -> TaskResult<Given> {
        let (asker, answer) = oneshot::channel();
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        lock(&self.asked).insert(number, asker);
        self.send(&Up::Ask(number, what));
        let unanswered = |_| TaskError::transient("the worker did not answer");
        answer.await.map_err(unanswered)?
    }

    /// Hears the worker until it is gone, and ends the process then.
    fn listen(&self, mut socket: UnixStream) {
        while let Ok(down) = read(&mut socket) {
            match down {
                Down::Cancel => self.cancelled.store(true, Ordering::Relaxed),
                Down::Given(number, found) => {
                    if let Some(asker) = lock(&self.asked).remove(&number) {
                        // Whoever asked may have stopped waiting.
                        let _ = asker.send(found);
                    }
                }
                Down::Start { .. } => break,
            }
        }
        end();
    }
}

/// Ends this process and all that it started, at once: there is nobody to work for.
fn end() {
    end_own_descendants();
    let _ = kill_process(getpid(), Signal::KILL);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct ChildHost {
    worker: Arc<Worker>,
    clock: fn() -> DateTime<Utc>,
    services: Services,
}

impl Host for ChildHost {
    fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(span))
    }

    fn connection<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<Connection>> {
        Box::pin(async {
            let given = self.worker.ask(Asked::Connection(name.to_owned())).await?;
            given.connection(name)
        })
    }

    fn variable<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<String>> {
        Box::pin(async {
            let given = self.worker.ask(Asked::Variable(name.to_owned())).await?;
            given.variable(name)
        })
    }

    fn log(&self, level: Level, line: &str) {
        let end = line.floor_char_boundary(LINE_BYTES_MAX);
        self.worker.send(&Up::Log(level, line[..end].to_owned()));
    }

    fn progress(&self, part: f64, words: &str) {
        // JSON has no word for what is no number.
        let part = if part.is_finite() { part } else { 0.0 };
        self.worker.send(&Up::Progress(part, words.to_owned()));
    }

    fn load(&self, load: Load) {
        self.worker.send(&Up::Load(Box::new(load)));
    }

    fn check(&self, result: CheckResult) {
        self.worker.send(&Up::Check(Box::new(result)));
    }

    fn is_cancelled(&self) -> bool {
        self.worker.cancelled.load(Ordering::Relaxed)
    }

    fn service(&self, kind: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        (self.services)(kind)
    }
}
