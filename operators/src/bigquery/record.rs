//! A load on record: what it read, what it wrote, what it cost.

use serde::{Deserialize, Serialize};
use tidemill_core::operator::{TaskContext, TaskError};
use tidemill_core::protocol::Load;
use tidemill_core::time::Timestamp;

use super::job::Job;

/// What is known before the job that changes the table. It travels as labels of that job, so that an attempt that adopts the job
/// tells the same figures as the one that launched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) rows_before: Option<i64>,
    pub(super) files: i64,
    pub(super) bytes: i64,
    pub(super) rows: i64,
    pub(super) rejected: i64,
}

const NAMES: [&str; 5] = [
    "tidemill-rows-before",
    "tidemill-files",
    "tidemill-bytes",
    "tidemill-rows",
    "tidemill-rejected",
];

impl Figures {
    /// As labels.
    pub(super) fn labels(&self) -> impl Iterator<Item = (String, String)> {
        let values = [
            self.rows_before,
            Some(self.files),
            Some(self.bytes),
            Some(self.rows),
            Some(self.rejected),
        ];
        let named = NAMES.into_iter().zip(values);
        named.filter_map(|(name, value)| Some((name.to_owned(), value?.to_string())))
    }

    /// Those of a job, from its labels and, of a load, from what it says itself.
    pub(super) fn of(job: &Job) -> Self {
        let [before, files, bytes, rows, rejected] =
            NAMES.map(|name| job.label(name).and_then(|text| text.parse().ok()));
        let mut figures = Self {
            rows_before: before,
            files: files.unwrap_or(0),
            bytes: bytes.unwrap_or(0),
            rows: rows.unwrap_or(0),
            rejected: rejected.unwrap_or(0),
        };
        if job.kind() == "load" {
            let loaded = Self::loaded(job);
            figures = Self {
                rows_before: before,
                // A job that failed may not have come to counting.
                files: loaded.files.max(figures.files),
                bytes: loaded.bytes.max(figures.bytes),
                ..loaded
            };
        }
        figures
    }

    /// What a load job read.
    pub(super) fn loaded(job: &Job) -> Self {
        let number = |name: &str| job.number(&format!("/statistics/load/{name}")).unwrap_or(0);
        let rejected = number("badRecords");
        Self {
            rows_before: None,
            files: number("inputFiles"),
            bytes: number("inputFileBytes"),
            rows: number("outputRows"),
            rejected,
        }
    }

    /// Together with those of another job.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            rows_before: self.rows_before,
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
            rows: self.rows + other.rows,
            rejected: self.rejected + other.rejected,
        }
    }
}

/// Rows that a job wrote into its table.
pub(super) fn rows_written(job: &Job) -> i64 {
    let load = job.number("/statistics/load/outputRows");
    let copy = || job.number("/statistics/copy/copiedRows");
    let changed = |name: &str| job.number(&format!("/statistics/query/dmlStats/{name}"));
    let merged = || {
        let inserted = changed("insertedRowCount")?;
        Some(inserted + changed("updatedRowCount").unwrap_or(0))
    };
    load.or_else(copy).or_else(merged).unwrap_or(0)
}

/// What is said of a load whose job is known.
pub(super) struct Said<'a> {
    pub(super) sources: Vec<String>,
    pub(super) destination: String,
    pub(super) partition: Option<String>,
    pub(super) mode: &'static str,
    pub(super) job: Option<&'a Job>,
    pub(super) figures: Figures,
    pub(super) rows_loaded: i64,
    pub(super) rows_after: Option<i64>,
    pub(super) error: Option<&'a TaskError>,
}

/// Puts a load on record.
pub(super) fn record(ctx: &TaskContext, said: Said<'_>) -> Load {
    let Said { figures, job, .. } = said;
    let began = job.and_then(|job| job.number("/statistics/creationTime"));
    let ended = job.and_then(|job| job.number("/statistics/endTime"));
    let time = |millis: Option<i64>| {
        millis.map_or_else(Timestamp::default, |millis| {
            Timestamp::from_micros(millis.saturating_mul(1_000))
        })
    };
    let load = Load {
        started_at: time(began),
        ended_at: time(ended.filter(|_| began.is_some())),
        sources: said.sources,
        files: figures.files,
        bytes_read: figures.bytes,
        // What was left out was read, too.
        rows_read: figures.rows + figures.rejected,
        destination: said.destination,
        partition: said.partition,
        mode: said.mode.to_owned(),
        rows_before: figures.rows_before,
        rows_loaded: said.rows_loaded,
        rows_after: said.rows_after,
        rows_rejected: figures.rejected,
        job_id: job.map(|job| job.at().to_string()),
        job_url: job.map(|job| job.at().link()),
        slot_ms: job.and_then(Job::slot_ms),
        bytes_billed: job.and_then(Job::bytes_billed),
        status: String::new(),
        error: said.error.map(|error| error.message.clone()),
    };
    ctx.record_load(load.clone());
    load
}
