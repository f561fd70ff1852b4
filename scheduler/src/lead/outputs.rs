//! What attempts returned lately, so that the next task need not wait for the database.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde_json::value::RawValue;
use tidemill_core::id::TaskId;
use tidemill_core::protocol::AttemptNo;
use tidemill_store::record::{AttemptEnd, Changes};
use tidemill_store::{Store, StoreError};

use crate::engine::Taken;

/// How many bytes of outputs are kept.
const BYTES_MAX: usize = 64 << 20;

/// What an entry weighs beside its value.
const ENTRY_BYTES: usize = 64;

/// What a task returned that returned nothing.
const NOTHING: &str = "null";

/// What attempts returned lately.
#[derive(Debug)]
pub(super) struct Outputs {
    nothing: Arc<str>,
    known: HashMap<AttemptNo, Arc<str>>,
    order: VecDeque<AttemptNo>,
    bytes: usize,
}

impl Outputs {
    pub(super) fn new() -> Self {
        Self {
            nothing: NOTHING.into(),
            known: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Keeps what is about to be committed.
    pub(super) fn learn(&mut self, changes: &Changes) {
        for row in &changes.outputs {
            self.keep(row.attempt, Arc::clone(&row.value));
        }
        for row in &changes.attempts {
            if row.end == AttemptEnd::Success && !self.known.contains_key(&row.id) {
                self.keep(row.id, Arc::clone(&self.nothing));
            }
        }
        while self.bytes > BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            if let Some(value) = self.known.remove(&oldest) {
                self.bytes -= value.len() + ENTRY_BYTES;
            }
        }
    }

    fn keep(&mut self, attempt: AttemptNo, value: Arc<str>) {
        self.bytes += value.len() + ENTRY_BYTES;
        if let Some(old) = self.known.insert(attempt, value) {
            self.bytes -= old.len() + ENTRY_BYTES;
        } else {
            self.order.push_back(attempt);
        }
    }

    /// What these attempts returned, if all of it is known here.
    pub(super) fn find(&self, taken: &[Taken]) -> Option<Vec<(TaskId, Arc<str>)>> {
        let value = |attempt: &AttemptNo| self.known.get(attempt).cloned();
        taken
            .iter()
            .map(|taken| Some((taken.task.clone(), joined(taken, value)?)))
            .collect()
    }
}

/// What these attempts returned, from the store.
///
/// # Errors
/// If the database cannot be read.
pub(super) async fn read(
    store: &Store,
    taken: &[Taken],
) -> Result<Vec<(TaskId, Arc<str>)>, StoreError> {
    let attempts: Vec<AttemptNo> = taken
        .iter()
        .flat_map(|taken| taken.attempts.iter().copied())
        .collect();
    let rows = store.outputs(&attempts).await?;
    let found: HashMap<AttemptNo, Arc<str>> = rows
        .into_iter()
        .map(|row| (row.attempt, row.value))
        .collect();
    let nothing: Arc<str> = NOTHING.into();
    let value = |attempt: &AttemptNo| Some(found.get(attempt).unwrap_or(&nothing).clone());
    Ok(taken
        .iter()
        .filter_map(|taken| Some((taken.task.clone(), joined(taken, value)?)))
        .collect())
}

/// What a task returned: a mapped one the list of what its instances did.
fn joined(taken: &Taken, value: impl Fn(&AttemptNo) -> Option<Arc<str>>) -> Option<Arc<str>> {
    if !taken.list {
        return value(taken.attempts.first()?);
    }
    let values: Option<Vec<Arc<str>>> = taken.attempts.iter().map(value).collect();
    // Values were JSON when they came in; one that is not any more is nothing.
    let raw = values?
        .iter()
        .map(|value| RawValue::from_string(value.to_string()))
        .map(|value| value.unwrap_or_else(|_| RawValue::NULL.to_owned()))
        .collect::<Vec<_>>();
    serde_json::to_string(&raw).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(list: bool, attempts: &[i64]) -> Taken {
        Taken {
            task: TaskId::parse("up").unwrap(),
            list,
            attempts: attempts.iter().map(|no| AttemptNo(*no)).collect(),
        }
    }

    #[test]
    fn a_mapped_task_gives_a_list_and_an_unknown_attempt_nothing_at_all() {
        let mut outputs = Outputs::new();
        outputs.keep(AttemptNo(1), "{\"a\":1}".into());
        outputs.keep(AttemptNo(2), NOTHING.into());
        let found = outputs.find(&[taken(true, &[1, 2])]).unwrap();
        assert_eq!(&*found[0].1, "[{\"a\":1},null]");
        let found = outputs.find(&[taken(false, &[1])]).unwrap();
        assert_eq!(&*found[0].1, "{\"a\":1}");
        assert_eq!(outputs.find(&[taken(true, &[1, 3])]), None);
    }
}
