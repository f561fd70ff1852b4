//! What becomes of jobs, in the journal.

use super::engine::Inner;
use super::job::Job;
use crate::journal::Entry;
use crate::services::Service;

/// The service whose job a key is, and what the journal calls a change of it.
fn service(key: &str) -> Option<(Service, &'static str)> {
    Some(match key.split('/').next()? {
        "dataflow" => (Service::Dataflow, "dataflow.job"),
        "dataproc" => (Service::Dataproc, "dataproc.job"),
        "databricks" => (Service::Databricks, "databricks.job"),
        "dbt" => (Service::DbtCloud, "dbt.job"),
        "airbyte" => (Service::Airbyte, "airbyte.job"),
        "cloud_sql" => (Service::CloudSql, "sql.job"),
        "cloud_run" => (Service::CloudRun, "run.job"),
        "functions" => (Service::Functions, "functions.job"),
        "vertex" => (Service::Vertex, "vertex.job"),
        _ => return None,
    })
}

/// Notes that a job is in another phase.
pub(super) fn phase(inner: &Inner, key: &str, job: &Job) {
    let Some((service, method)) = service(key) else {
        return;
    };
    let word = serde_json::to_value(job.phase).unwrap_or_default();
    let mut effect = format!("job {key} is {}", word.as_str().unwrap_or_default());
    if let Some(message) = job.message.as_deref().filter(|_| !job.active()) {
        effect.push_str(": ");
        effect.push_str(message);
    }
    inner.beside.journal.note(Entry {
        number: 0,
        at: job.since(),
        service,
        method: method.into(),
        request: key.to_owned(),
        status: None,
        effects: vec![effect],
        fault: None,
    });
}
