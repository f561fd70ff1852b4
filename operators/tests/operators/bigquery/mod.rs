//! BigQuery, against the sandbox: what a load, a query or a copy leaves behind, whatever fails on the way.

mod contract;
mod faults;
mod loads;
mod queries;

use serde_json::{Value, json};
use tidemill::prelude::*;
use tidemill::testing::{Ran, TaskRun, ValidDag, valid};
use tidemill_core::operator::IntoTask;

use crate::kit::Kit;

pub(crate) const INSERT: &str = "bigquery.jobs.insert";

/// A sandbox with the bucket `raw` and the dataset `crm` in the EU.
pub(crate) fn kit() -> Kit {
    let kit = Kit::with_bucket();
    let dataset = json!({ "datasetReference": { "datasetId": "crm" }, "location": "EU" });
    kit.good("POST", "/bigquery/v2/projects/shop/datasets", dataset);
    kit
}

pub(crate) fn dag<M>(operator: impl IntoTask<M> + Clone) -> ValidDag {
    valid(Dag::build("crm", |dag| {
        dag.schedule(Cron::daily());
        dag.add("task", operator.clone());
    }))
}

/// Runs an operator to its end, as attempt `attempt` of launch `epoch`.
pub(crate) fn ran_as<M>(
    kit: &Kit,
    operator: impl IntoTask<M> + Clone,
    (attempt, epoch): (u32, u32),
) -> Ran {
    let dag = dag(operator);
    let task = TaskRun::of(&dag, "task").day("2025-01-31");
    task.connection(kit.google())
        .attempt(attempt)
        .epoch(epoch)
        .run()
}

pub(crate) fn ran<M>(kit: &Kit, operator: impl IntoTask<M> + Clone) -> Ran {
    ran_as(kit, operator, (1, 1))
}

/// Runs a statement past everything that is tested, and gives its rows.
pub(crate) fn sql(kit: &Kit, text: &str) -> Vec<Vec<String>> {
    let body =
        json!({ "query": text, "useLegacySql": false, "location": "EU", "timeoutMs": 60_000 });
    let told = kit.good("POST", "/bigquery/v2/projects/shop/queries", body);
    assert_eq!(told["jobComplete"], true, "{text}: {told}");
    let rows = told["rows"].as_array().cloned().unwrap_or_default();
    let cell = |cell: &Value| cell["v"].as_str().unwrap_or("NULL").to_owned();
    let row = |row: &Value| {
        let cells = row["f"].as_array().expect("it works");
        cells.iter().map(cell).collect()
    };
    rows.iter().map(row).collect()
}

/// The rows of a query as one text.
pub(crate) fn rows(kit: &Kit, text: &str) -> String {
    let rows: Vec<String> = sql(kit, text).iter().map(|row| row.join(",")).collect();
    rows.join(" ")
}

/// The jobs that the service took, by their identifiers.
pub(crate) fn jobs(kit: &Kit) -> Vec<String> {
    let started = kit.effects(INSERT);
    let id = |effect: &String| {
        let job = effect.strip_prefix("job ")?.strip_suffix(" started")?;
        Some(job.rsplit('.').next()?.to_owned())
    };
    started.iter().filter_map(id).collect()
}

/// Those of them that change the table: their identifiers are launch keys.
pub(crate) fn launches(kit: &Kit) -> usize {
    jobs(kit).iter().filter(|id| !id.contains('_')).count()
}

/// After how many requests an attempt is ended: each of the first, and then fewer and fewer, as nobody knows how often a job is looked
/// at before it is done.
pub(crate) fn deaths() -> impl Iterator<Item = u32> {
    std::iter::successors(Some(0_u32), |nth| {
        Some(if *nth < 24 { nth + 1 } else { nth + nth / 2 })
    })
    .take(40)
}

/// Parquet files with the rows of a query.
pub(crate) fn parquet(kit: &Kit, name: &str, query: &str) {
    sql(
        kit,
        &format!(
            "EXPORT DATA OPTIONS (uri = 'gs://raw/{name}-*.parquet', format = 'PARQUET', overwrite = true) AS {query}"
        ),
    );
}
