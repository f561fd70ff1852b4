//! Jobs as the pages list them.

use chrono::{DateTime, Utc};

use super::record::{Job, Phase};
use super::run::Jobs;

/// A job in a list.
#[derive(Debug)]
pub(crate) struct JobSeen {
    pub(crate) project: String,
    pub(crate) location: String,
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// The beginning of a query, or what else it is about.
    pub(crate) about: String,
    /// `PENDING`, `RUNNING`, `DONE`.
    pub(crate) phase: &'static str,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// Somebody stopped it.
    pub(crate) stopped: bool,
    pub(crate) created: DateTime<Utc>,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) ended: Option<DateTime<Utc>>,
}

/// Characters of a query that a list shows.
const ABOUT: usize = 160;

impl Jobs {
    /// All jobs that can be found.
    pub(in super::super) fn seen(&self) -> Vec<JobSeen> {
        let all = self.shelf.under("").into_iter();
        all.filter(|(_, job)| !job.vanished())
            .map(|(_, job)| seen(&job))
            .collect()
    }
}

fn seen(job: &Job) -> JobSeen {
    let error = job.error();
    JobSeen {
        project: job.project.clone(),
        location: job.location.clone(),
        id: job.id.clone(),
        kind: job.kind.name(),
        about: about(job),
        phase: job.phase.name(),
        stopped: error.is_some_and(|error| error.reason == "stopped"),
        error: error.map(|error| error.message.clone()),
        created: job.created,
        started: job.started,
        ended: job.ended.filter(|_| job.phase == Phase::Done),
    }
}

fn about(job: &Job) -> String {
    let part = job.part();
    let table = |name: &str| {
        let table = part.get(name)?;
        let (dataset, table) = (table.get("datasetId")?, table.get("tableId")?);
        Some(format!("{}.{}", dataset.as_str()?, table.as_str()?))
    };
    match part.get("query").and_then(|text| text.as_str()) {
        Some(text) => {
            let words: Vec<&str> = text.split_whitespace().take(ABOUT).collect();
            words.join(" ").chars().take(ABOUT).collect()
        }
        None => table("destinationTable")
            .or_else(|| table("sourceTable"))
            .unwrap_or_default(),
    }
}
