//! A past for a site: runs that are over, written into its database before it starts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::id::TaskId;
use tidemill_core::operator::{ErrorKind, Level};
use tidemill_core::protocol::{
    AttemptNo, AttemptRef, InstanceRef, LogPlace, MapIndex, NOT_MAPPED, RunNo, TaskNo,
};
use tidemill_core::spec::DagSpec;
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_logs::{LogBook, LogKeeper, LogLimits, Masker};
use tidemill_store::record::{
    AttemptEnd, AttemptRow, Changes, CheckRow, DagRow, LoadRow, RunRow, TaskNameRow, TaskRow,
    VersionRow,
};
use tidemill_store::{CommitOutcome, Leader, Options, Store};

/// So many rows are written at once.
const ROWS_A_COMMIT: usize = 40_000;
const LEASE: Duration = Duration::from_secs(3_600);

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) spec: Arc<DagSpec>,
    pub(crate) name: String,
    pub(crate) kind: RunType,
    pub(crate) covers: (Timestamp, Timestamp),
    pub(crate) began: Timestamp,
    pub(crate) tasks: Vec<Done>,
}

/// What became of one of its tasks.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    /// Its place in the definition, which is its number, too.
    pub(crate) nth: usize,
    pub(crate) index: MapIndex,
    pub(crate) state: TaskState,
    /// When it began, after the run did.
    pub(crate) after: Duration,
    pub(crate) took: Duration,
    /// How many attempts failed before the last.
    pub(crate) failed_before: u32,
    pub(crate) error: Option<(ErrorKind, &'static str)>,
    pub(crate) instances: Option<u32>,
}

impl Done {
    pub(crate) fn well(nth: usize, after: Duration, took: Duration) -> Self {
        Self {
            nth,
            index: NOT_MAPPED,
            state: TaskState::Success,
            after,
            took,
            failed_before: 0,
            error: None,
            instances: None,
        }
    }
}

/// Writes it down, in the name of a leader that is gone before the site starts.
#[derive(Debug)]
pub(crate) struct Writer {
    store: Store,
    leader: Leader,
    batch: i64,
    runs: i64,
    attempts: i64,
    changes: Changes,
}

impl Writer {
    pub(crate) async fn open(url: &str) -> Self {
        let store = Store::open(url, Options::default()).await;
        let store = store.expect("the database opens");
        let leader = store.lead("the past", LEASE).await;
        Self {
            leader: leader.expect("nobody else leads"),
            store,
            batch: 0,
            runs: 0,
            attempts: 0,
            changes: Changes::default(),
        }
    }

    /// A DAG whose timetable made its runs up to this.
    pub(crate) fn dag(&mut self, spec: &Arc<DagSpec>, last: (Timestamp, Timestamp)) {
        let version = spec.version();
        self.changes.versions.push(VersionRow {
            dag: spec.id().clone(),
            version: version.clone(),
            spec: Arc::clone(spec),
            deployed_at: last.0,
        });
        self.changes.dags.push(DagRow {
            id: spec.id().clone(),
            version: Some(version),
            paused: false,
            last_due: Some((last.0, last.1, last.1)),
            failures_in_row: 0,
            edits: 0,
            touched: None,
        });
        let names = (0..).zip(&spec.definition.tasks);
        let names = names.map(|(no, task)| TaskNameRow {
            dag: spec.id().clone(),
            task: TaskNo(no),
            name: task.id.clone(),
        });
        self.changes.task_names.extend(names);
    }

    /// Writes a run down.
    pub(crate) async fn run(&mut self, past: &Past) {
        if self.changes.new_tasks.len() + self.changes.attempts.len() > ROWS_A_COMMIT {
            self.commit().await;
        }
        self.runs += 1;
        let run = RunNo(self.runs);
        for done in &past.tasks {
            let name = past.spec.definition.tasks[done.nth].id.clone();
            self.task(run, past.began, (done, name));
        }
        self.changes.new_runs.push(run_row(run, past));
    }

    /// The number of the run that was written last.
    pub(crate) const fn last_run(&self) -> RunNo {
        RunNo(self.runs)
    }

    /// The attempts of the run that was written last whose task this is, the first one first.
    pub(crate) fn attempts_of(&self, nth: usize) -> Vec<AttemptNo> {
        let task = TaskNo(u32::try_from(nth).unwrap_or(u32::MAX));
        let of = |row: &&AttemptRow| row.of.run == RunNo(self.runs) && row.of.task == task;
        self.changes
            .attempts
            .iter()
            .filter(of)
            .map(|row| row.id)
            .collect()
    }

    /// Writes down what the run that was written last loaded, and what came of its checks.
    pub(crate) fn left_behind(&mut self, (loads, checks): (Vec<LoadRow>, Vec<CheckRow>)) {
        self.changes.loads.extend(loads);
        self.changes.checks.extend(checks);
    }

    /// The last attempts of the run that was written last, each with when it began and ended.
    pub(crate) fn ended(&self) -> Vec<AttemptRow> {
        let of = |row: &&AttemptRow| row.of.run == RunNo(self.runs);
        self.changes.attempts.iter().filter(of).cloned().collect()
    }

    fn task(&mut self, run: RunNo, began: Timestamp, (done, name): (&Done, TaskId)) {
        let of = InstanceRef {
            run,
            task: TaskNo(u32::try_from(done.nth).unwrap_or(u32::MAX)),
            map_index: done.index,
        };
        let started = began.after(done.after);
        let ended = started.after(done.took);
        let ran = matches!(done.state, TaskState::Success | TaskState::Failed)
            && done.instances.is_none();
        let pause = Duration::from_secs(60);
        // Those before it came one after the other, up to when it began.
        let before = (done.took / 2 + pause) * done.failed_before;
        let mut at = began.after(done.after.saturating_sub(before));
        let attempts = if ran { done.failed_before + 1 } else { 0 };
        for number in 1..=attempts {
            self.attempts += 1;
            let last = number == attempts;
            let (begins, ends) = if last {
                (started, ended)
            } else {
                (at, at.after(done.took / 2))
            };
            at = ends.after(pause);
            let failed = !last || done.state == TaskState::Failed;
            let (kind, message) = done.error.unzip();
            self.changes.attempts.push(AttemptRow {
                id: AttemptNo(self.attempts),
                of,
                number,
                epoch: 1,
                end: if failed {
                    AttemptEnd::Failed
                } else {
                    AttemptEnd::Success
                },
                worker: Some("worker-1".into()),
                queued_at: begins,
                started_at: Some(begins.after(Duration::from_millis(40))),
                ended_at: ends,
                error_kind: kind.filter(|_| failed),
                message: message.filter(|_| failed).map(Into::into),
                help: None,
                retry_at: None,
                deferred_at: None,
            });
        }
        let attempt = AttemptNo(if ran { self.attempts } else { 0 });
        self.changes.new_tasks.push(TaskRow {
            of,
            name,
            state: done.state,
            attempt,
            hand: 0,
            ended_attempt: attempt,
            number: attempts,
            tries: attempts,
            losses: 0,
            requeues: 0,
            epoch: 1,
            edits: 2,
            worker: None,
            since: ended,
            queued_at: ran.then_some(started),
            started_at: ran.then(|| started.after(Duration::from_millis(40))),
            retry_at: None,
            deadline: None,
            instances: done.instances,
        });
    }

    async fn commit(&mut self) {
        self.batch += 1;
        let changes = std::mem::take(&mut self.changes);
        let written = self.leader.commit(self.batch, &changes).await;
        assert!(matches!(written, Ok(CommitOutcome::Done)), "{written:?}");
    }

    /// Writes the rest, and lets go of the database.
    pub(crate) async fn close(mut self) {
        self.commit().await;
        self.leader.resign().await.expect("the lead is given up");
        self.store.close().await;
    }
}

fn run_row(id: RunNo, past: &Past) -> RunRow {
    let over = past.tasks.iter().map(|done| done.after + done.took).max();
    let failed = past
        .tasks
        .iter()
        .any(|done| done.state == TaskState::Failed);
    RunRow {
        id,
        dag: past.spec.id().clone(),
        name: past.name.as_str().into(),
        kind: past.kind,
        state: if failed {
            RunState::Failed
        } else {
            RunState::Success
        },
        version: past.spec.version(),
        start: past.covers.0,
        end: past.covers.1,
        due_at: past.covers.1,
        created_at: past.began,
        started_at: Some(past.began),
        ended_at: Some(past.began.after(over.unwrap_or_default())),
        params: "{}".into(),
        backfill: None,
        paused: false,
        priority: 0,
        pool: None,
        ending: None,
        quarantine: None,
        why: None,
        note: None,
        edits: 1,
        touched: None,
    }
}

/// Whose log is written.
#[derive(Debug)]
pub(crate) struct LogOf<'a> {
    pub(crate) past: &'a Past,
    pub(crate) run: RunNo,
    /// The place of the task.
    pub(crate) nth: usize,
    /// The number of the attempt within the task.
    pub(crate) number: u32,
    pub(crate) attempt: AttemptNo,
}

/// Writes the log of an attempt that is over.
pub(crate) async fn write_log<'a>(
    folder: &Path,
    of: LogOf<'_>,
    lines: impl Iterator<Item = (Duration, Level, &'a str)>,
) {
    let keeper = LogKeeper::folder(folder).expect("a folder for logs");
    let LogOf { past, nth, .. } = of;
    let limits = LogLimits {
        attempt_bytes_max: usize::MAX,
        ..LogLimits::default()
    };
    let book = LogBook::new(limits, Masker::new());
    let place = LogPlace {
        dag: past.spec.id().clone(),
        run: past.name.as_str().into(),
        run_no: of.run,
        task: past.spec.definition.tasks[nth].id.clone(),
        map_index: NOT_MAPPED,
        number: of.number,
        attempt: of.attempt,
    };
    let opened = AttemptRef {
        of: InstanceRef {
            run: of.run,
            task: TaskNo(0),
            map_index: NOT_MAPPED,
        },
        attempt: of.attempt,
        hand: 0,
    };
    let began = past.began;
    let log = book.open(began, opened, place.clone());
    for (after, level, line) in lines {
        log.write(began.after(after), level, line);
        if book.held_bytes() > 1_000_000 {
            keep(&keeper, &book, began).await;
        }
    }
    log.close();
    keep(&keeper, &book, began).await;
    keeper.finish(&place).await.expect("it is finished");
    keeper.sync().await.expect("it is kept");
}

async fn keep(keeper: &LogKeeper, book: &LogBook, at: Timestamp) {
    for chunk in book.due(at.after(LEASE)) {
        keeper.keep(&chunk).await.expect("it is kept");
        book.acked(&chunk.ack());
    }
}
