//! Queries of more than an engine may hold in memory, and many at once.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::datasource::MemTable;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};
use libtest_mimic::{Failed, Trial};
use tidemill_warehouse::sql::{Catalog, Engine, Limits, Outcome, Relation, SqlError, TableName};

use super::request;

/// Rows of the table, each of some 100 bytes.
const ROWS: i64 = 300_000;
/// A pool that holds a part of them.
const SMALL: usize = 16 << 20;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("memory: a sort spills", sorted),
        Trial::test("memory: an aggregate spills", aggregated),
        Trial::test("memory: a join is right, or says what it lacks", joined),
        Trial::test("memory: fifty queries at once", fifty),
    ]
}

/// A table in no order: `id` of all numbers below `ROWS`, and `name` that says it.
#[derive(Clone)]
struct Large(Arc<MemTable>);

fn name(id: i64) -> String {
    format!("{id:010}{}", "x".repeat(80))
}

impl Large {
    fn new() -> Self {
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("name", DataType::Utf8, true),
        ]));
        let batches: Vec<RecordBatch> = (0..ROWS)
            .step_by(5_000)
            .map(|first| {
                // 7919 is prime to the number of rows: each comes once.
                let ids: Vec<i64> = (first..(first + 5_000).min(ROWS))
                    .map(|at| at * 7919 % ROWS)
                    .collect();
                let names: Vec<String> = ids.iter().map(|id| name(*id)).collect();
                RecordBatch::try_new(
                    Arc::clone(&schema),
                    vec![
                        Arc::new(Int64Array::from(ids)),
                        Arc::new(StringArray::from(names)),
                    ],
                )
                .expect("it works")
            })
            .collect();
        let half = batches.len() / 2;
        let halves = vec![batches[..half].to_vec(), batches[half..].to_vec()];
        Self(Arc::new(
            MemTable::try_new(schema, halves).expect("it works"),
        ))
    }

    fn engine(&self, spill: &Path, memory: usize) -> Result<Engine, SqlError> {
        Engine::with_limits(Arc::new(self.clone()), spill, Limits { memory })
    }
}

impl Catalog for Large {
    fn relation(&self, _: &TableName) -> BoxFuture<'_, Result<Option<Relation>, SqlError>> {
        let found = Relation::Rows(Arc::clone(&self.0) as _, 0);
        async move { Ok(Some(found)) }.boxed()
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("it works")
        .block_on(future)
}

/// What a query gives with a small pool.
fn small(text: &str) -> Result<Outcome, SqlError> {
    let spill = tempfile::tempdir().expect("it works");
    let engine = Large::new().engine(spill.path(), SMALL)?;
    run(engine.run(&request(text)))
}

fn numbers(outcome: &Outcome, column: usize) -> Vec<i64> {
    let of = |batch: &RecordBatch| {
        let values = batch.column(column).as_primitive::<Int64Type>();
        values.values().to_vec()
    };
    outcome.batches.iter().flat_map(of).collect()
}

fn sorted() -> Result<(), Failed> {
    let found = small("SELECT id, name FROM d.large ORDER BY name DESC")?;
    let ids = numbers(&found, 0);
    if ids != (0..ROWS).rev().collect::<Vec<_>>() {
        return Err(format!("{} rows, and not in their order", ids.len()).into());
    }
    for batch in &found.batches {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let names = batch.column(1).as_string::<i32>();
        for at in (0..names.len()).step_by(997) {
            if names.value(at) != name(ids.value(at)) {
                return Err(format!("a name of another row beside {}", ids.value(at)).into());
            }
        }
    }
    Ok(())
}

fn aggregated() -> Result<(), Failed> {
    let found = small(
        "SELECT COUNT(*), SUM(n), SUM(s) FROM (SELECT name, COUNT(*) AS n, SUM(id) AS s FROM d.large GROUP BY name)",
    )?;
    let shown = super::shown::outcome(&found, true);
    let expected = format!(
        "f0_ INT64, f1_ INT64, f2_ INT64: {ROWS}, {ROWS}, {}",
        ROWS * (ROWS - 1) / 2
    );
    if shown == expected {
        Ok(())
    } else {
        Err(format!("expected {expected}\n found    {shown}").into())
    }
}

fn joined() -> Result<(), Failed> {
    match small("SELECT COUNT(*) AS n FROM d.large AS a JOIN d.large AS b USING (name)") {
        Ok(found) if numbers(&found, 0) == [ROWS] => Ok(()),
        Ok(found) => Err(super::shown::outcome(&found, true).into()),
        Err(error) if error.reason == "resourcesExceeded" => Ok(()),
        Err(error) => Err(format!("{}: {error}", error.reason).into()),
    }
}

fn fifty() -> Result<(), Failed> {
    let spill = tempfile::tempdir()?;
    let engine = Large::new().engine(spill.path(), 8 * SMALL)?;
    let requests: Vec<_> = (0..50)
        .map(|at| match at % 3 {
            0 => request(&format!(
                "SELECT id FROM d.large WHERE MOD(id, 50) = {at} ORDER BY name"
            )),
            1 => request(&format!(
                "SELECT MIN(id) AS id FROM d.large WHERE MOD(id, 50) = {at} GROUP BY name ORDER BY id"
            )),
            _ => request(&format!(
                "SELECT a.id FROM d.large AS a JOIN (SELECT id FROM d.large WHERE MOD(id, 50) = {at}) AS b USING (id) ORDER BY id"
            )),
        })
        .collect();
    let found = run(try_join_all(requests.iter().map(|one| {
        let (engine, one) = (engine.clone(), one.clone());
        async move { tokio::spawn(async move { engine.run(&one).await }).await }
    })))?;
    for (at, outcome) in (0..50).zip(found) {
        let expected: Vec<i64> = (0..ROWS).filter(|id| id % 50 == at).collect();
        if numbers(&outcome?, 0) != expected {
            return Err(format!("query {at} gave other rows").into());
        }
    }
    Ok(())
}
