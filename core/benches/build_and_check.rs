//! What CI and every worker pay at start: building all DAGs of a project, twice, and checking them.

// What the macros write refers to the crate that users depend on.
extern crate tidemill_core as tidemill;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tidemill_core::prelude::*;
use tidemill_core::snapshot::Snapshot;
use tidemill_core::timetable::CronExpr;
use tidemill_macros::task;

#[task]
async fn extract(table: String, day: NaiveDate) -> TaskResult<u64> {
    Ok(table.len() as u64 + u64::from(day > NaiveDate::MIN))
}

#[task]
async fn load(rows: u64, target: String) -> TaskResult<u64> {
    Ok(rows + target.len() as u64)
}

/// A DAG as people write them: pairs of tasks with arguments, texts, writes and settings, in two groups.
fn realistic(id: &str, tasks: usize) -> Dag {
    Dag::build(id, |dag| {
        dag.schedule(Cron::daily_at("03:15").tz("Europe/Berlin"))
            .start("2025-01-01");
        dag.retry(Retry::times(3).exponential(minutes(1)..=minutes(30)));
        let gate = dag.empty("gate");
        for half in 0..2 {
            dag.group(&format!("half_{half}"), |group| {
                for n in 0..(tasks - 1) / 4 {
                    let table = format!("shop.table_{n}");
                    let rows = group.call(
                        &format!("extract_{n}"),
                        extract,
                        (table.as_str(), interval::start_date()),
                    );
                    group
                        .call(
                            &format!("load_{n}"),
                            load,
                            (
                                &rows.after(&gate),
                                "gs://shop/{ds}/{interval_start:%H}.parquet",
                            ),
                        )
                        .writes(Table::named(table).append(Dedup::partition("{ds}")))
                        .timeout(hours(2));
                }
            });
        }
    })
}

fn project(dags: usize, tasks: usize) -> Dags {
    (0..dags).fold(Dags::new(), |project, n| {
        project.dag(move || realistic(&format!("dag_{n:04}"), tasks))
    })
}

fn benchmarks(c: &mut Criterion) {
    c.benchmark_group("project").sample_size(10).bench_function(
        "validate 1,000 DAGs x 100 tasks",
        |b| {
            let project = project(1_000, 100);
            b.iter(|| project.validate());
        },
    );
    c.benchmark_group("dag")
        .sample_size(20)
        .bench_function("validate 10,000 tasks", |b| {
            let project = project(1, 10_000);
            b.iter(|| project.validate());
        });
    c.bench_function("version of 100 tasks", |b| {
        let dag = realistic("d", 100);
        b.iter(|| dag.spec().version());
    });
    c.bench_function("snapshot of 100 tasks, read back", |b| {
        let json = Snapshot::of([realistic("d", 100).spec()]).to_json();
        b.iter(|| Snapshot::parse(json.as_bytes()));
    });
    let zone = chrono_tz::Europe::Zurich;
    let mut cron = |name: &str, text: &str| {
        let expression = CronExpr::parse(text).unwrap_or_else(|error| panic!("{error}"));
        let start: DateTime<Utc> = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        c.bench_function(name, |b| {
            b.iter_batched(
                || start,
                |at| expression.next_after(zone, at),
                BatchSize::SmallInput,
            );
        });
    };
    cron("next of a daily cron", "15 3 * * *");
    cron("next of a quarter-hourly cron", "*/15 * * * *");
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
