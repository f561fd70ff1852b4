//! How many changes of tasks a second are committed: `cargo bench -p tidemill-store --bench commit`.
//!
//! A batch is what a busy engine commits: half of its changes give a task a new attempt and queue it, the other half end
//! the attempts of the batch before, each with its row in the history and every fifth with an output. Beside the figures
//! stands the time of a commit of one row, which is what the disk makes of it.

#[path = "../tests/store/cluster.rs"]
mod cluster;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tidemill_core::author::Dag;
use tidemill_core::id::TaskId;
use tidemill_core::protocol::{AttemptNo, InstanceRef, NOT_MAPPED, RunNo, TaskNo};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_store::record::{
    AttemptEnd, AttemptRow, Changes, OutputRow, RunRow, TaskRow, VersionRow,
};
use tidemill_store::{CommitOutcome, Leader, Options, Store};
use tokio::runtime::Runtime;

const RUNS: i64 = 100;
const TASKS: u32 = 200;
const LEASE: Duration = Duration::from_secs(3_600);
const BATCHES: [usize; 2] = [100, 1_000];
const ONE_ROW_COMMITS: usize = 301;

/// A leader with work to commit.
struct Busy {
    leader: Leader,
    batch: i64,
    attempt: i64,
    now: i64,
    /// All tasks, and the next one to queue.
    tasks: Vec<TaskRow>,
    next: usize,
    /// Those that the batch before has queued.
    queued: Vec<usize>,
}

impl Busy {
    async fn new(url: &str) -> Self {
        let store = Store::open(url, Options::default())
            .await
            .expect("it opens");
        let leader = store.lead("the bench", LEASE).await.expect("the lead");
        let spec = Dag::build("busy", |_| {}).spec().clone();
        let version = VersionRow {
            dag: spec.id().clone(),
            version: spec.version(),
            spec: Arc::new(spec),
            deployed_at: Timestamp::from_micros(0),
        };
        let tasks: Vec<_> = (1..=RUNS)
            .flat_map(|run| (0..TASKS).map(move |task| task_row(run, task)))
            .collect();
        let first = Changes {
            new_runs: (1..=RUNS).map(|run| run_row(run, &version)).collect(),
            versions: vec![version],
            new_tasks: tasks.clone(),
            ..Changes::default()
        };
        let mut new = Self {
            leader,
            batch: 0,
            attempt: 0,
            now: 1_735_689_600_000_000,
            tasks,
            next: 0,
            queued: Vec::new(),
        };
        new.commit(&first).await;
        new
    }

    async fn commit(&mut self, changes: &Changes) {
        self.batch += 1;
        let outcome = self.leader.commit(self.batch, changes).await;
        assert!(matches!(outcome, Ok(CommitOutcome::Done)), "{outcome:?}");
    }

    /// The next batch of so many changes.
    fn work(&mut self, size: usize) -> Changes {
        let mut changes = Changes::default();
        self.now += 1_000;
        let now = Timestamp::from_micros(self.now);
        for at in std::mem::take(&mut self.queued) {
            let task = &mut self.tasks[at];
            task.state = TaskState::Success;
            task.ended_attempt = task.attempt;
            task.edits += 1;
            task.since = now;
            changes.attempts.push(attempt_row(task, now));
            if at % 5 == 0 {
                changes.outputs.push(OutputRow {
                    attempt: task.attempt,
                    of: task.of,
                    value: r#"{"rows":12345,"uri":"gs://bucket/path/part-00001.parquet"}"#.into(),
                    listed: false,
                });
            }
            changes.tasks.push(task.clone());
        }
        while self.queued.len() < size / 2 {
            let at = self.next;
            self.next = (at + 1) % self.tasks.len();
            self.attempt += 1;
            let task = &mut self.tasks[at];
            task.state = TaskState::Queued;
            task.attempt = AttemptNo(self.attempt);
            task.number += 1;
            task.edits += 1;
            task.worker = Some("worker-1".into());
            task.since = now;
            task.queued_at = Some(now);
            task.started_at = Some(now);
            changes.tasks.push(task.clone());
            self.queued.push(at);
        }
        changes
    }

    /// The median time of a commit that changes one task and nothing else.
    async fn one_row(&mut self) -> Duration {
        let mut times = Vec::new();
        for _ in 0..ONE_ROW_COMMITS {
            let changes = Changes {
                tasks: self.tasks[..1].to_vec(),
                ..Changes::default()
            };
            let began = instant();
            self.commit(&changes).await;
            times.push(began.elapsed());
        }
        times.sort();
        times[times.len() / 2]
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn instant() -> Instant {
    Instant::now()
}

fn task_row(run: i64, task: u32) -> TaskRow {
    TaskRow {
        of: InstanceRef {
            run: RunNo(run),
            task: TaskNo(task),
            map_index: NOT_MAPPED,
        },
        name: TaskId::parse(&format!("group.task_{task}")).expect("a name"),
        state: TaskState::None,
        attempt: AttemptNo(0),
        hand: 0,
        ended_attempt: AttemptNo(0),
        number: 0,
        tries: 0,
        losses: 0,
        requeues: 0,
        epoch: 0,
        edits: 0,
        worker: None,
        since: Timestamp::from_micros(1_735_689_600_000_000),
        queued_at: None,
        started_at: None,
        retry_at: None,
        deadline: None,
        instances: None,
    }
}

fn attempt_row(task: &TaskRow, now: Timestamp) -> AttemptRow {
    AttemptRow {
        id: task.attempt,
        of: task.of,
        number: task.number,
        epoch: task.epoch,
        end: AttemptEnd::Success,
        worker: task.worker.clone(),
        queued_at: task.queued_at.unwrap_or(now),
        started_at: task.started_at,
        ended_at: now,
        error_kind: None,
        message: None,
        help: None,
        retry_at: None,
        deferred_at: None,
    }
}

fn run_row(id: i64, version: &VersionRow) -> RunRow {
    let start = Timestamp::from_micros(id * 86_400_000_000);
    RunRow {
        id: RunNo(id),
        dag: version.dag.clone(),
        name: format!("scheduled__{id}").into(),
        kind: RunType::Scheduled,
        state: RunState::Running,
        version: version.version.clone(),
        start,
        end: start,
        due_at: start,
        created_at: start,
        started_at: Some(start),
        ended_at: None,
        params: "{}".into(),
        backfill: None,
        paused: false,
        priority: 0,
        pool: None,
        ending: None,
        quarantine: None,
        why: None,
        note: None,
        edits: 0,
        touched: None,
    }
}

fn measure(criterion: &mut Criterion, runtime: &Runtime, name: &str, url: &str) {
    let mut busy = runtime.block_on(Busy::new(url));
    let one_row = runtime.block_on(busy.one_row());
    let line = format!("{name}: a commit of one row takes {one_row:?} (median)");
    writeln!(std::io::stderr(), "{line}").expect("a terminal");
    let mut group = criterion.benchmark_group(name);
    for size in BATCHES {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(
            BenchmarkId::new("task changes, batches of", size),
            |bench| {
                bench.iter_custom(|times| {
                    // What the engine spends on deciding is not the store's.
                    let mut spent = Duration::ZERO;
                    for _ in 0..times {
                        let changes = busy.work(size);
                        let began = instant();
                        runtime.block_on(busy.commit(&changes));
                        spent += began.elapsed();
                    }
                    spent
                });
            },
        );
    }
    group.finish();
}

fn commits(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("bench.db");
    measure(
        criterion,
        &runtime,
        "sqlite",
        &format!("sqlite://{}", file.display()),
    );
    let url = cluster::here().url("postgres");
    measure(criterion, &runtime, "postgres", &url);
}

criterion_group!(benches, commits);
criterion_main!(benches);
