//! The engine alone: how many tasks a second it leads from their assignment to their end, and what a task weighs.
//!
//! `cargo bench -p tidemill-scheduler --bench engine`. The figures are in docs/performance.md.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};
use serde_json::{Value, json};
use tidemill_core::protocol::{AttemptRef, Hello, Report};
use tidemill_core::spec::{DagNotes, DagSpec};
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Command, Config, Effect, Engine, Input, Request, Trigger};

/// A DAG of so many tasks; `upstream` says what is before each.
fn dag(tasks: usize, upstream: impl Fn(usize) -> Vec<usize>) -> Arc<DagSpec> {
    let name = |at: usize| format!("task_{at:06}");
    let tasks: Vec<Value> = (0..tasks)
        .map(|at| {
            let upstream: Vec<Value> = upstream(at)
                .into_iter()
                .map(|up| json!({ "task": name(up) }))
                .collect();
            json!({ "id": name(at), "operator": "function", "upstream": upstream })
        })
        .collect();
    let definition = json!({ "id": "bench", "active_runs_max": 1_000_000, "tasks": tasks });
    Arc::new(DagSpec {
        definition: serde_json::from_value(definition).expect("it is a definition"),
        notes: DagNotes::default(),
    })
}

fn chain(tasks: usize) -> Arc<DagSpec> {
    dag(tasks, |at| at.checked_sub(1).into_iter().collect())
}

/// The engine, a worker without limits, and a clock that goes on by a millisecond a batch.
struct Bench {
    engine: Engine,
    now: Timestamp,
    worker: Arc<str>,
    assigned: Vec<AttemptRef>,
}

impl Bench {
    fn new(spec: &Arc<DagSpec>) -> Self {
        let now = Timestamp::from_micros(1_735_689_600_000_000);
        let config = Config {
            default_pool_slots: None,
            ..Config::default()
        };
        let mut engine = Engine::new(config, now);
        let worker: Arc<str> = "worker".into();
        let by = Arc::clone(&worker);
        engine.apply(
            Input::Deploy {
                specs: vec![Arc::clone(spec)],
                by,
            },
            now,
        );
        engine.apply(
            Input::Hello(Hello {
                worker: Arc::clone(&worker),
                build: "bench".into(),
                slots: u32::MAX,
                queues: vec!["default".into()],
                labels: BTreeMap::new(),
                hears_drain: true,
                versions: vec![(spec.id().clone(), spec.version())],
                holds: Vec::new(),
            }),
            now,
        );
        Self {
            engine,
            now,
            worker,
            assigned: Vec::new(),
        }
    }

    fn trigger(&mut self, spec: &Arc<DagSpec>, runs: usize) {
        for id in 0..runs as u64 {
            let command = Command::Trigger(Trigger {
                dag: spec.id().clone(),
                name: None,
                covers: None,
                params: Value::Null,
                version: None,
                note: None,
            });
            let request = Request {
                id,
                by: Arc::clone(&self.worker),
                seen: None,
                dry_run: false,
                command,
            };
            self.engine.apply(Input::Ask(request), self.now);
        }
        self.take();
    }

    /// What a commit would write is made and dropped.
    fn take(&mut self) {
        let output = self.engine.take();
        for effect in &output.effects {
            if let Effect::Assign { attempt, .. } = effect {
                self.assigned.push(*attempt);
            }
        }
        black_box(output.changes);
    }

    fn report(&mut self, attempt: AttemptRef, report: Report) {
        let worker = Arc::clone(&self.worker);
        let input = Input::Report {
            worker,
            attempt,
            report,
        };
        self.engine.apply(input, self.now);
    }

    /// Has every attempt begin and end, a thousand a commit, until nothing is left. Returns how many there were.
    fn run_out(&mut self) -> usize {
        let mut done = 0;
        while !self.assigned.is_empty() {
            let from = self.assigned.len().saturating_sub(1_000);
            let batch = self.assigned.split_off(from);
            self.now = self.now.after(Duration::from_millis(1));
            let worker = Arc::clone(&self.worker);
            self.engine.apply(Input::Beat { worker }, self.now);
            for attempt in &batch {
                self.report(*attempt, Report::Started);
                let output = None;
                self.report(
                    *attempt,
                    Report::Done {
                        output,
                        loads: Vec::new(),
                        checks: Vec::new(),
                    },
                );
            }
            done += batch.len();
            self.take();
        }
        done
    }
}

/// Kilobytes of memory in use, as Linux counts them; nothing elsewhere.
fn resident_kb() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4
}

fn completions(criterion: &mut Criterion, quick: bool) {
    let mut group = criterion.benchmark_group("completions");
    group.sample_size(10);
    let runs = if quick { 10 } else { 10_000 };
    let ten = chain(10);
    group.throughput(Throughput::Elements(runs as u64 * 10));
    group.bench_function("chains of 10", |bencher| {
        let begin = || {
            let mut bench = Bench::new(&ten);
            bench.trigger(&ten, runs);
            bench
        };
        bencher.iter_batched(
            begin,
            |mut bench| assert_eq!(bench.run_out(), runs * 10),
            BatchSize::PerIteration,
        );
    });
    group.throughput(Throughput::Elements(runs as u64 * 10));
    group.bench_function("chains of 10 with their making", |bencher| {
        let run = |mut bench: Bench| {
            for _ in 0..runs.div_ceil(100) {
                bench.trigger(&ten, 100.min(runs));
                bench.run_out();
            }
        };
        bencher.iter_batched(|| Bench::new(&ten), run, BatchSize::PerIteration);
    });
    let tasks = if quick { 100 } else { 100_000 };
    let shapes = [
        ("one chain", chain(tasks)),
        ("one fan-out and join", {
            let last = tasks - 1;
            dag(tasks, |at| match at {
                0 => Vec::new(),
                at if at == last => (1..last).collect(),
                _ => vec![0],
            })
        }),
        (
            "layers of 100, each after 3",
            dag(tasks, |at| {
                (1..=3)
                    .filter_map(|back| {
                        (at / 100)
                            .checked_sub(1)
                            .map(|layer| layer * 100 + (at + back) % 100)
                    })
                    .collect()
            }),
        ),
    ];
    for (name, spec) in &shapes {
        group.throughput(Throughput::Elements(tasks as u64));
        group.bench_function(format!("{name} in one run"), |bencher| {
            let begin = || {
                let mut bench = Bench::new(spec);
                bench.trigger(spec, 1);
                bench
            };
            bencher.iter_batched(
                begin,
                |mut bench| assert_eq!(bench.run_out(), tasks),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// What active tasks weigh: runs that wait at their first task, and deferred ones with a handle.
#[expect(clippy::print_stderr, reason = "a figure that is no duration")]
fn weight(quick: bool) {
    let tasks: usize = if quick { 1_000 } else { 1_000_000 };
    let shapes = [
        ("waiting in chains of 10", chain(10), 10, false),
        (
            "deferred, 1,000 a run",
            dag(1_000, |_| Vec::new()),
            1_000,
            true,
        ),
        ("deferred, each a run of its own", chain(1), 1, true),
    ];
    for (name, spec, per_run, deferred) in shapes {
        let before = resident_kb();
        let mut bench = Bench::new(&spec);
        let runs = 100.min(tasks / per_run);
        for _ in 0..(tasks / per_run).div_ceil(runs) {
            bench.trigger(&spec, runs);
            if deferred {
                for attempt in std::mem::take(&mut bench.assigned) {
                    let handle =
                        r#"{"job":"t0123456789abcdef0123456789abcdef","location":"EU"}"#.into();
                    let why = "a job runs".into();
                    bench.report(
                        attempt,
                        Report::Deferred {
                            handle,
                            wait: Duration::from_secs(60),
                            why,
                        },
                    );
                }
                bench.take();
            }
        }
        let after = resident_kb();
        eprintln!(
            "{tasks} active tasks, {name}: {} MB, {} bytes a task",
            (after - before) / 1024,
            (after - before) * 1024 / tasks as u64
        );
    }
}

fn main() {
    // `cargo test --benches` only looks whether it still works.
    let quick = !std::env::args().any(|arg| arg == "--bench");
    weight(quick);
    let mut criterion = Criterion::default().configure_from_args();
    completions(&mut criterion, quick);
    criterion.final_summary();
}
