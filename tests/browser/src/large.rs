//! A site with a large past: 500 DAGs, 50,000 runs, two million tasks, a run of 5,000 tasks, a log of a gigabyte. What its
//! pages cost is measured over loopback, in the process that people would use: `browser pages`, built with `--release`.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidemill::prelude::*;
use tidemill_core::operator::{ErrorKind, Level};
use tidemill_core::spec::DagSpec;
use tidemill_core::state::{RunType, TaskState};
use tidemill_core::time::Timestamp;

use crate::history::{Done, LogOf, Past, Writer, write_log};
use crate::site::Site;
use crate::wait::now;

const DAYS: u32 = 100;
/// One DAG has run for longer.
const OLD: &str = "team_00_table_000";
const OLD_DAYS: u32 = 500;
const WIDE_RUNS: u32 = 60;
const HUGE: usize = 5_000;
const DAY: Duration = Duration::from_secs(86_400);
/// The text that the long log has once, near its end.
const NEEDLE: &str = "the needle in the haystack";
const LINE: &str = "wrote partition 2025-01-01 of `orders`: 18234 rows, 4 files, 12.4 MiB, 3 s, no row was rejected";

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How many DAGs of forty tasks, with a hundred runs each.
    pub dags: usize,
    /// How many bytes the log has.
    pub log_bytes: usize,
    /// How often each page is read.
    pub reads: usize,
}

fn forty(name: &str) -> Dag {
    Dag::build(name, |dag| {
        dag.schedule("0 2 * * *").start("2020-01-01").catchup(false);
        dag.owner("team").tag("nightly").doc("One of many.");
        for part in ["extract", "check", "load", "publish"] {
            dag.group(part, |group| {
                let mut before: Option<Out<()>> = None;
                for nth in 0..10 {
                    let task = group.empty(&format!("table_{nth}"));
                    before = Some(match &before {
                        Some(before) => task.after(before),
                        None => task,
                    });
                }
            });
        }
    })
}

fn many(name: &str, groups: usize, each: usize) -> Dag {
    Dag::build(name, |dag| {
        for group in 0..groups {
            dag.group(&format!("part_{group:02}"), |inside| {
                for nth in 0..each {
                    inside.empty(&format!("table_{nth:03}"));
                }
            });
        }
    })
}

/// Its DAGs.
pub fn dags(count: usize) -> Dags {
    let families = move || {
        let names = (0..count).map(|nth| format!("team_{:02}_table_{nth:03}", nth % 20));
        let mut all: Vec<Dag> = names.map(|name| forty(&name)).collect();
        all.push(many("wide", 10, 20));
        all.push(many("huge", 50, HUGE / 50));
        all
    };
    Dags::new().family(families)
}

fn midnight(days_ago: u32, now: Timestamp) -> Timestamp {
    let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros((now.micros() / day - i64::from(days_ago)) * day)
}

/// A run of a day, of which so many in a hundred have a task that failed.
fn past(spec: &Arc<DagSpec>, days_ago: u32, (nth, failing): (usize, usize), at: Timestamp) -> Past {
    let start = midnight(days_ago + 1, at).after(Duration::from_secs(7_200));
    let began = start.after(DAY);
    let count = spec.definition.tasks.len();
    let breaks = (nth * 31 + days_ago as usize * 17) % 100 < failing;
    let state = |task: usize| match (breaks, task * 2) {
        (true, place) if place == count / 2 * 2 => TaskState::Failed,
        (true, place) if place > count => TaskState::UpstreamFailed,
        _ => TaskState::Success,
    };
    let tasks = (0..count).map(|task| {
        let took = Duration::from_millis(900 + (task as u64 * 7_919 + nth as u64) % 60_000);
        let mut done = Done::well(task, Duration::from_secs(task as u64 % 600), took);
        done.state = state(task);
        if done.state == TaskState::Failed {
            done.error = Some((ErrorKind::Transient, "the warehouse hung up after 30 s"));
        }
        done
    });
    Past {
        name: format!("scheduled__{}", start.date().format("%Y-%m-%dT%H:%M:%SZ")),
        spec: Arc::clone(spec),
        kind: RunType::Scheduled,
        covers: (start, began),
        began,
        tasks: tasks.collect(),
    }
}

/// So many bytes of lines, and the needle.
fn lines(bytes: usize) -> impl Iterator<Item = (Duration, Level, &'static str)> {
    let count = bytes / (LINE.len() + 60);
    (0..count).map(move |nth| {
        let at = Duration::from_micros(nth as u64 * 100);
        if nth == count / 10 * 9 {
            (at, Level::Warn, NEEDLE)
        } else {
            (at, Level::Info, LINE)
        }
    })
}

async fn write(url: &str, logs: &Path, size: Size, at: Timestamp) -> String {
    let mut writer = Writer::open(url).await;
    let project = tidemill::testing::valid_project(&dags(size.dags));
    let last = midnight(1, at).after(Duration::from_secs(7_200));
    let mut line = String::new();
    for (nth, dag) in project.dags.iter().enumerate() {
        let spec = &Arc::new(dag.spec().clone());
        writer.dag(spec, (last, last.after(DAY)));
        let runs = match spec.id().as_str() {
            "wide" => WIDE_RUNS,
            "huge" => 1,
            OLD => OLD_DAYS,
            _ => DAYS,
        };
        for days_ago in (0..runs).rev() {
            let failing = if days_ago == 0 { 40 } else { 2 };
            let past = past(spec, days_ago, (nth, failing), at);
            writer.run(&past).await;
            if spec.id().as_str() == "huge" {
                line = past.name.clone();
                let attempt = writer.attempts_of(0)[0];
                let of = LogOf {
                    past: &past,
                    run: writer.last_run(),
                    nth: 0,
                    number: 1,
                    attempt,
                };
                write_log(logs, of, lines(size.log_bytes)).await;
            }
        }
    }
    writer.close().await;
    line
}

/// The pages, and what is asked of each.
fn pages(run: &str) -> Vec<(&'static str, String)> {
    let (dag, huge) = ("/dags/team_07_table_107", format!("/dags/huge/runs/{run}"));
    let own = format!("{dag}/runs/{run}");
    let task = format!("{huge}/tasks/part_00.table_000");
    let log = format!("{task}/log?attempt=1&level=debug&lines=200");
    vec![
        ("home", "/".to_owned()),
        ("DAGs", "/dags".to_owned()),
        ("DAGs that failed", "/dags?state=failed".to_owned()),
        ("grid, 40 tasks × 50 runs", dag.to_owned()),
        ("grid, 200 tasks × 50 runs", "/dags/wide".to_owned()),
        ("graph of a DAG", format!("{dag}/graph")),
        ("calendar", format!("/dags/{OLD}/calendar")),
        (
            "durations of 500 runs",
            format!("/dags/{OLD}/durations?last=500"),
        ),
        (
            "durations of 5,000 tasks",
            "/dags/huge/durations".to_owned(),
        ),
        ("definition", format!("{dag}/definition")),
        (
            "definition of 5,000 tasks",
            "/dags/huge/definition".to_owned(),
        ),
        ("trigger form", format!("{dag}/trigger")),
        ("runs", "/runs".to_owned()),
        ("runs that failed", "/runs?state=failed".to_owned()),
        ("runs of a DAG", "/runs?dag=team_07_table_107".to_owned()),
        ("runs by name", "/runs?name=scheduled__2026".to_owned()),
        ("search", "/search?q=table_10".to_owned()),
        ("workers", "/workers".to_owned()),
        ("run", own.clone()),
        ("run, graph", format!("{own}?tab=graph")),
        ("run, Gantt", format!("{own}?tab=gantt")),
        ("run, events", format!("{own}?tab=events")),
        ("run, preview of a retry", format!("{own}/do/clear")),
        ("run of 5,000 tasks", huge.clone()),
        ("run of 5,000 tasks, Gantt", format!("{huge}?tab=gantt")),
        ("run of 5,000 tasks, graph", format!("{huge}?tab=graph")),
        ("grid of 5,000 tasks", "/dags/huge".to_owned()),
        (
            "run of 5,000 tasks, API",
            format!("/api/v1{huge}/tasks?limit=1000"),
        ),
        ("runs, API", "/api/v1/runs?limit=100".to_owned()),
        ("task", format!("{own}/tasks/load.table_3")),
        ("task with a log of 1 GB", task.clone()),
        ("its log: start", format!("{log}&from=0")),
        ("its log: middle", format!("{log}&line=3000000")),
        ("its log: end", format!("{log}&from=6000000")),
        (
            "its log: a search",
            format!("{task}/log/find?attempt=1&level=debug&after=0&text=needle"),
        ),
        (
            "its log: level warn",
            format!("{task}/log?attempt=1&lines=200&level=warn"),
        ),
    ]
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// Makes the past, starts the site, and measures: a table.
///
/// # Panics
/// If any of it fails.
#[must_use]
pub fn measure(program: &Path, database: Option<&str>, size: Size) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path().join("logs");
    let file = format!("sqlite://{}", folder.path().join("large.db").display());
    let url = database.unwrap_or(&file);
    let began = now();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let run = runtime.block_on(write(url, &logs, size, crate::wall()));
    drop(runtime);
    let mut out = format!("written in {:.1?}\n", began.elapsed());
    let logs = logs.display().to_string();
    let word = format!("large:{}", size.dags);
    let site = Site::over(program, &word, &["--database", url, "--logs", &logs]);
    let _ = site.page("/");
    let before = site.memory();
    let _ = writeln!(
        out,
        "{:<28} {:>9} {:>9} {:>9} {:>10}",
        "page", "first ms", "p50 ms", "p95 ms", "bytes"
    );
    for (name, path) in pages(&run) {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..=size.reads {
            let began = now();
            let (status, body) = site.read(&path);
            times.push(began.elapsed());
            assert_eq!(status, 200, "{path}: {body}");
            bytes = body.len();
        }
        let first = times.remove(0);
        times.sort_unstable();
        let at = |percent: usize| ms(times[(times.len() - 1) * percent / 100]);
        let _ = writeln!(
            out,
            "{name:<28} {:>9.1} {:>9.1} {:>9.1} {bytes:>10}",
            ms(first),
            at(50),
            at(95)
        );
    }
    let _ = writeln!(
        out,
        "memory: {before:.0} MB before, {:.0} MB after",
        site.memory()
    );
    out
}
