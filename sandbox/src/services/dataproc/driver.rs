//! The driver's log of a job or batch, in Cloud Storage as on the service.

use std::fmt::Write;
use std::fs;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::call::Refusal;
use crate::jobs::{Beside, Job};
use crate::journal::Entry;
use crate::services::Service;
use crate::services::fields;
use crate::services::storage::Storage;

/// The folder of a job, where its driver's files are; the staging bucket is made when it is needed.
pub(super) fn folder(job: &Job) -> String {
    let region = job.body["region"].as_str().unwrap_or_default();
    let uuid = fields::uuid(job.number);
    format!(
        "gs://dataproc-staging-{region}/google-cloud-dataproc-metainfo/{uuid}/jobs/{}",
        job.id
    )
}

/// What the log is called; its pieces have a number behind it.
pub(super) fn output(job: &Job) -> String {
    format!("{}/driveroutput", folder(job))
}

/// Whether a job is one of Dataproc; those of other services have no driver.
pub(crate) fn has_log(key: &str) -> bool {
    key.starts_with("dataproc/") && (key.contains("/jobs/") || key.contains("/batches/"))
}

/// Writes the log of a job that is about to end.
pub(crate) fn write(beside: &Beside, key: &str, end: Option<&str>, job: &Job, now: DateTime<Utc>) {
    if let Err(error) = written(beside, key, end, job, now) {
        tracing::warn!("the log of {key} cannot be written: {}", error.message);
    }
}

fn written(
    beside: &Beside,
    key: &str,
    end: Option<&str>,
    job: &Job,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let failed = |error: std::io::Error| Refusal::internal(&error);
    let place = Storage::place(&format!("{}.000000000", output(job)))?;
    let project = key.split('/').nth(2).unwrap_or("sandbox");
    beside.storage.make_bucket(&place.bucket, project, now)?;
    let scratch = beside.storage.scratch();
    fs::write(&scratch.0, text(job, end)).map_err(failed)?;
    let (_, effect) = beside
        .storage
        .adopt(&place, &scratch.0, "text/plain", now)?;
    beside.journal.note(Entry {
        number: 0,
        at: now,
        service: Service::Dataproc,
        method: "dataproc.job".into(),
        request: key.to_owned(),
        status: None,
        effects: vec![effect],
        fault: None,
    });
    Ok(())
}

/// What the job said, the rows of its SQL, and why it failed.
fn text(job: &Job, end: Option<&str>) -> String {
    let mut text = String::new();
    for line in &job.log {
        let level = if line.error { "ERROR" } else { "INFO" };
        let at = line.at.format("%y/%m/%d %H:%M:%S");
        let _ = writeln!(text, "{at} {level} {}", line.text);
    }
    let rows = job.result()["rows"].as_array();
    for row in rows.into_iter().flatten() {
        let cells: Vec<&str> = row
            .as_array()
            .into_iter()
            .flatten()
            .map(|cell| cell.as_str().unwrap_or("NULL"))
            .collect();
        let _ = writeln!(text, "{}", cells.join("\t"));
    }
    if job.result()["truncated"] == Value::Bool(true) {
        let _ = writeln!(
            text,
            "of {} rows only these are shown",
            job.result()["row_count"]
        );
    }
    if let Some(end) = end {
        let _ = writeln!(text, "ERROR {end}");
    }
    text
}
