//! From an attempt, as it was assigned, to what its task may know of it.

use chrono_tz::Tz;
use serde_json::Value;

use super::Assignment;
use crate::operator::{Interval, RunFacts, TaskError, TaskResult};

impl Assignment {
    /// What the task may know, in the time zone of its DAG.
    ///
    /// # Errors
    /// Its params or its item are no JSON.
    pub fn facts(&self, zone: Tz) -> TaskResult<RunFacts> {
        let item = self.item.as_deref().map(|item| read_json("its item", item));
        Ok(RunFacts {
            dag_id: self.dag.to_string(),
            run_id: self.run.to_string(),
            run_type: self.run_type.to_string(),
            task_id: self.task.to_string(),
            // None is mapped below 0.
            map_index: u32::try_from(self.attempt.of.map_index).ok(),
            attempt: self.number,
            interval: Interval {
                start: self.start.date(),
                end: self.end.date(),
            },
            zone,
            params: read_json("its params", &self.params)?,
            item: item.transpose()?,
            key: self.key.clone(),
        })
    }
}

/// Reads a value that came as text.
///
/// # Errors
/// Says what it is that is no JSON.
pub fn read_json(what: &str, text: &str) -> TaskResult<Value> {
    serde_json::from_str(text)
        .map_err(|error| TaskError::permanent(format!("{what} cannot be read: {error}")))
}
