//! A job as the service tells of it, and the name under which it is found again.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::{TaskError, TaskResult};

use super::errors;
use crate::remote;

/// The label that says which request made a job.
pub(super) const REQUEST_LABEL: &str = "tidemill-request";

/// Where a job is: enough to find it again, from another worker, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobAt {
    /// The project that runs and pays it.
    pub project: String,
    /// Its identifier, which is the launch key.
    pub id: String,
    /// The location that it runs in; none as long as only the service knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl JobAt {
    /// Where a person can look at it.
    #[must_use]
    pub fn link(&self) -> String {
        let location = self.location.as_deref().unwrap_or("US");
        let (project, id) = (&self.project, &self.id);
        format!(
            "https://console.cloud.google.com/bigquery?project={project}&j=bq:{location}:{id}&page=queryresults"
        )
    }
}

impl std::fmt::Display for JobAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (project, id) = (&self.project, &self.id);
        match &self.location {
            Some(location) => write!(f, "{project}:{location}.{id}"),
            None => write!(f, "{project}:{id}"),
        }
    }
}

/// A job as the service tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    at: JobAt,
    told: Value,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It waits for its turn.
    Pending,
    /// It runs, or is in a state that this build does not know.
    Running,
    /// It has ended, well or badly.
    Done,
}

impl Job {
    /// Reads what the service told of a job.
    pub(super) fn read(told: Value, asked: &JobAt) -> TaskResult<Self> {
        let text = |name: &str| {
            let value = told.pointer(name).and_then(Value::as_str);
            value.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let id = text("/jobReference/jobId").unwrap_or_default();
        if id != asked.id {
            // Whether the job was accepted is open: the next attempt looks for it.
            return Err(TaskError::ambiguous(format!(
                "job {asked}: the service answered with another job, `{id}`"
            )));
        }
        let at = JobAt {
            project: text("/jobReference/projectId").unwrap_or_else(|| asked.project.clone()),
            id,
            location: text("/jobReference/location").or_else(|| asked.location.clone()),
        };
        Ok(Self { at, told })
    }

    /// Where it is.
    #[must_use]
    pub const fn at(&self) -> &JobAt {
        &self.at
    }

    /// How far it is.
    #[must_use]
    pub fn state(&self) -> JobState {
        match self.text("/status/state") {
            Some("DONE") => JobState::Done,
            Some("PENDING") => JobState::Pending,
            _ => JobState::Running,
        }
    }

    /// Why it failed; none if it did not.
    #[must_use]
    pub fn failure(&self) -> Option<TaskError> {
        let error = self.told.pointer("/status/errorResult")?;
        let all = self
            .told
            .pointer("/status/errors")
            .and_then(Value::as_array);
        let kind = self.kind();
        Some(
            errors::of_job(error, all.map_or(&[][..], Vec::as_slice), &kind)
                .context(format_args!("{kind} job {}", self.at)),
        )
    }

    /// `load`, `query`, `copy` or `extract`.
    #[must_use]
    pub fn kind(&self) -> String {
        let kind = self.text("/configuration/jobType").unwrap_or("a");
        kind.to_ascii_lowercase()
    }

    /// What it was told to do.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.told.pointer(pointer)?.as_str()
    }

    /// A number of its statistics. They are text in JSON.
    #[must_use]
    pub fn number(&self, pointer: &str) -> Option<i64> {
        number(self.told.pointer(pointer)?)
    }

    /// Anything else of it.
    #[must_use]
    pub fn value(&self, pointer: &str) -> Option<&Value> {
        self.told.pointer(pointer)
    }

    /// One of its labels.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.told
            .pointer("/configuration/labels")?
            .get(name)?
            .as_str()
    }

    /// Lines that it rejected and went on, and other warnings, for people.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let all = self
            .told
            .pointer("/status/errors")
            .and_then(Value::as_array);
        let said = |error: &Value| Some(error.get("message")?.as_str()?.to_owned());
        all.into_iter().flatten().filter_map(said).collect()
    }

    /// The slot time that it took, in milliseconds.
    #[must_use]
    pub fn slot_ms(&self) -> Option<i64> {
        self.number("/statistics/totalSlotMs")
            .or_else(|| self.number("/statistics/query/totalSlotMs"))
    }

    /// The bytes that it is billed for.
    #[must_use]
    pub fn bytes_billed(&self) -> Option<i64> {
        self.number("/statistics/query/totalBytesBilled")
    }
}

/// A number, which may be written as text.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

/// What an author asked for, as a hash.
pub(super) fn print(asked: &impl Serialize) -> TaskResult<String> {
    Ok(remote::print(&serde_json::to_value(asked)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at() -> JobAt {
        JobAt {
            project: "shop".to_owned(),
            id: "t1".to_owned(),
            location: None,
        }
    }

    #[test]
    fn a_job_is_read_with_its_location_and_another_one_is_not_taken_for_it() {
        let told = json!({
            "jobReference": { "projectId": "shop", "jobId": "t1", "location": "EU" },
            "status": { "state": "SLEEPING" }, "statistics": { "totalSlotMs": "7" },
        });
        let job = Job::read(told, &at()).unwrap();
        assert_eq!(job.at().to_string(), "shop:EU.t1");
        assert_eq!(job.state(), JobState::Running, "an unknown state is no end");
        assert_eq!(job.slot_ms(), Some(7));
        assert!(job.at().link().contains("j=bq:EU:t1"));
        let other = json!({ "jobReference": { "jobId": "t2" } });
        assert!(Job::read(other, &at()).is_err());
        assert!(Job::read(json!({}), &at()).is_err());
    }
}
