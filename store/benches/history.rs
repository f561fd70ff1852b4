//! Pages of a long history: `cargo bench -p tidemill-store --bench history`. 50,000 runs with two million tasks, as many
//! attempts and 200,000 loads, on either database; a tenth of a thousandth of it when only tried (`cargo test --benches`).

#[path = "../tests/store/big.rs"]
mod big;
#[path = "../tests/store/cluster.rs"]
mod cluster;

use std::io::Write as _;
use std::time::Instant;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tidemill_core::id::DagId;
use tidemill_core::protocol::{InstanceRef, NOT_MAPPED, RunNo, TaskNo};
use tidemill_core::state::RunState;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{AttemptCursor, Cursor, LoadFilter, RunFilter};
use tidemill_store::{CleanOptions, Options, Store};
use tokio::runtime::Runtime;

const RUNS: u32 = 50_000;
const RUNS_WHEN_TRIED: u32 = 200;
const PAGE: u32 = 50;
/// Ten thousand squares.
const GRID_RUNS: u32 = 250;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn instant() -> Instant {
    Instant::now()
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn dag() -> DagId {
    DagId::parse("dag_3").expect("a name")
}

fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("a terminal");
}

/// Writes the history, and says how long that took.
async fn built(url: &str, runs: u32) -> Store {
    let store = Store::open(url, Options::default())
        .await
        .expect("it opens");
    let began = instant();
    let postgres = url.starts_with("postgres");
    let mut statements = big::statements(postgres, runs);
    statements.extend(big::secrets(postgres, 1_000));
    if postgres {
        statements.push("VACUUM ANALYZE".to_owned());
    }
    for statement in statements {
        let text = AssertSqlSafe(statement);
        let done = if postgres {
            let mut connection = PgConnection::connect(url).await.expect("it answers");
            sqlx::raw_sql(text).execute(&mut connection).await.map(drop)
        } else {
            let mut connection = SqliteConnection::connect(url).await.expect("it opens");
            sqlx::raw_sql(text).execute(&mut connection).await.map(drop)
        };
        done.expect("it is written");
    }
    say(&format!("{runs} runs written in {:.1?}", began.elapsed()));
    store
}

fn pages(criterion: &mut Criterion, runtime: &Runtime, name: &str, url: &str) {
    let whole = std::env::args().any(|arg| arg == "--bench");
    let runs = if whole { RUNS } else { RUNS_WHEN_TRIED };
    let store = runtime.block_on(built(url, runs));
    let mut group = criterion.benchmark_group(format!("{name}, {runs} runs"));
    group.sample_size(20);
    lists(&mut group, runtime, &store);
    tasks(&mut group, runtime, &store, RunNo(i64::from(runs / 2)));
    group.finish();
    // These change the history or take long, so they run once.
    runtime.block_on(once(&store));
}

macro_rules! page {
    ($group:ident, $runtime:ident, $what:literal, $asked:expr) => {
        $group.bench_function($what, |bench| {
            bench.iter(|| $runtime.block_on($asked).expect("it reads"))
        });
    };
}

fn lists(group: &mut Group<'_>, runtime: &Runtime, store: &Store) {
    let state = |state| RunFilter {
        state: Some(state),
        ..RunFilter::default()
    };
    let (succeeded, failed) = (state(RunState::Success), state(RunState::Failed));
    let of_dag = RunFilter {
        dag: Some(dag()),
        ..succeeded.clone()
    };
    let loads = LoadFilter {
        dag: Some(dag()),
        ..LoadFilter::default()
    };
    let loads_failed = LoadFilter {
        status: Some("failed".to_owned()),
        ..LoadFilter::default()
    };
    let start = Cursor::START;
    page!(
        group,
        runtime,
        "a page of runs",
        store.runs(&succeeded, start, PAGE)
    );
    page!(
        group,
        runtime,
        "a page of runs of a DAG",
        store.runs(&of_dag, start, PAGE)
    );
    page!(
        group,
        runtime,
        "a page of runs that failed",
        store.runs(&failed, start, PAGE)
    );
    page!(
        group,
        runtime,
        "a page of loads of a DAG",
        store.loads(&loads, start, PAGE)
    );
    page!(
        group,
        runtime,
        "a page of loads that failed",
        store.loads(&loads_failed, start, PAGE)
    );
    page!(
        group,
        runtime,
        "search",
        store.search("scheduled__499", None, 20)
    );
    page!(group, runtime, "recover", store.recover());
}

fn tasks(group: &mut Group<'_>, runtime: &Runtime, store: &Store, run: RunNo) {
    let of = InstanceRef {
        run,
        task: TaskNo(7),
        map_index: NOT_MAPPED,
    };
    let (dag, task, start) = (dag(), (of.task, NOT_MAPPED), Cursor::START);
    page!(
        group,
        runtime,
        "grid of 10,000 squares",
        store.grid(&dag, start, GRID_RUNS)
    );
    page!(
        group,
        runtime,
        "attempts of a run",
        store.attempts_of_run(run, AttemptCursor::START, PAGE)
    );
    page!(group, runtime, "attempts of a task", store.attempts(of));
    page!(
        group,
        runtime,
        "a task over 50 runs",
        store.task_past(&dag, task, start, PAGE)
    );
}

async fn once(store: &Store) {
    let began = instant();
    let found = store
        .check(Timestamp::from_micros(0))
        .await
        .expect("it reads");
    // The history was written beside the leader, whose numbers know nothing of it, and its DAGs have no versions.
    let expected = [
        "run_without_version",
        "dag_without_version",
        "number_beyond",
    ];
    assert!(
        found
            .iter()
            .all(|violation| expected.contains(&violation.check)),
        "{found:?}"
    );
    say(&format!("all checks: {:.1?}", began.elapsed()));
    let began = instant();
    let mut cleaning = store.clean(CleanOptions::before(Timestamp::from_micros(i64::MAX)));
    let (mut steps, mut went) = (0, 0);
    while steps < 20 {
        let Some(step) = cleaning.next().await.expect("it writes") else {
            break;
        };
        steps += 1;
        went += step.of("run");
    }
    say(&format!(
        "{went} runs cleaned away in {:.1?}",
        began.elapsed()
    ));
}

fn history(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("history.db");
    pages(
        criterion,
        &runtime,
        "sqlite",
        &format!("sqlite://{}", file.display()),
    );
    let url = cluster::here().url("postgres");
    pages(criterion, &runtime, "postgres", &url);
}

criterion_group!(benches, history);
criterion_main!(benches);
