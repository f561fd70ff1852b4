//! What attempts returned lately, so that the next task need not wait for the database.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;
use tidemill_core::id::TaskId;
use tidemill_core::protocol::{AttemptNo, RunNo};
use tidemill_core::state::RunState;
use tidemill_store::record::{AttemptEnd, Changes};
use tidemill_store::{Store, StoreError};

use crate::engine::Taken;

/// How many bytes of outputs are kept.
const BYTES_MAX: usize = 64 << 20;

/// What an entry weighs beside its value.
const ENTRY_BYTES: usize = 64;

/// What a task returned that returned nothing.
const NOTHING: &str = "null";

/// What attempts of runs that go on returned lately.
#[derive(Debug)]
pub(super) struct Outputs {
    nothing: Arc<str>,
    /// The oldest run first.
    known: BTreeMap<(RunNo, AttemptNo), Arc<str>>,
    bytes: usize,
}

impl Outputs {
    pub(super) fn new() -> Self {
        Self {
            nothing: NOTHING.into(),
            known: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Keeps what is about to be committed, and lets go of what the runs returned that are over with it. A task of such a run that
    /// is run again takes from the store.
    pub(super) fn learn(&mut self, changes: &Changes) {
        for row in &changes.outputs {
            self.keep((row.of.run, row.attempt), Arc::clone(&row.value));
        }
        for row in &changes.attempts {
            let key = (row.of.run, row.id);
            if row.end == AttemptEnd::Success && !self.known.contains_key(&key) {
                self.keep(key, Arc::clone(&self.nothing));
            }
        }
        let going = |state| matches!(state, RunState::Queued | RunState::Running);
        for run in changes.runs.iter().filter(|run| !going(run.state)) {
            self.forget(run.id);
        }
        while self.bytes > BYTES_MAX {
            let Some((_, value)) = self.known.pop_first() else {
                return;
            };
            self.bytes -= value.len() + ENTRY_BYTES;
        }
    }

    fn keep(&mut self, key: (RunNo, AttemptNo), value: Arc<str>) {
        self.bytes += value.len() + ENTRY_BYTES;
        if let Some(old) = self.known.insert(key, value) {
            self.bytes -= old.len() + ENTRY_BYTES;
        }
    }

    fn forget(&mut self, run: RunNo) {
        let of_run = (run, AttemptNo(i64::MIN))..=(run, AttemptNo(i64::MAX));
        let gone = self.known.extract_if(of_run, |_, _| true);
        self.bytes -= gone
            .map(|(_, value)| value.len() + ENTRY_BYTES)
            .sum::<usize>();
    }

    /// What these attempts of a run returned, if all of it is known here.
    pub(super) fn find(&self, run: RunNo, taken: &[Taken]) -> Option<Vec<(TaskId, Arc<str>)>> {
        let value = |attempt: &AttemptNo| self.known.get(&(run, *attempt)).cloned();
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
    use tidemill_core::protocol::{InstanceRef, NOT_MAPPED, TaskNo};
    use tidemill_store::record::OutputRow;

    use super::*;

    fn taken(list: bool, attempts: &[i64]) -> Taken {
        Taken {
            task: TaskId::parse("up").unwrap(),
            list,
            attempts: attempts.iter().map(|no| AttemptNo(*no)).collect(),
        }
    }

    fn output(run: i64, attempt: i64, value: &str) -> OutputRow {
        OutputRow {
            attempt: AttemptNo(attempt),
            of: InstanceRef {
                run: RunNo(run),
                task: TaskNo(0),
                map_index: NOT_MAPPED,
            },
            value: value.into(),
            listed: false,
        }
    }

    fn returned(outputs: Vec<OutputRow>) -> Outputs {
        let mut known = Outputs::new();
        known.learn(&Changes {
            outputs,
            ..Changes::default()
        });
        known
    }

    #[test]
    fn a_mapped_task_gives_a_list_and_an_unknown_attempt_nothing_at_all() {
        let outputs = returned(vec![output(7, 1, "{\"a\":1}"), output(7, 2, NOTHING)]);
        let find = |taken| outputs.find(RunNo(7), &[taken]);
        let found = find(taken(true, &[1, 2])).unwrap();
        assert_eq!(&*found[0].1, "[{\"a\":1},null]");
        let found = find(taken(false, &[1])).unwrap();
        assert_eq!(&*found[0].1, "{\"a\":1}");
        assert_eq!(find(taken(true, &[1, 3])), None);
    }

    #[test]
    fn nothing_is_kept_of_a_run_that_is_over() {
        let mut outputs = returned(vec![output(7, 1, "1"), output(8, 2, "22")]);
        outputs.forget(RunNo(7));
        assert_eq!(outputs.find(RunNo(7), &[taken(false, &[1])]), None);
        assert!(outputs.find(RunNo(8), &[taken(false, &[2])]).is_some());
        assert_eq!(outputs.bytes, 2 + ENTRY_BYTES);
        outputs.forget(RunNo(8));
        assert_eq!(outputs.bytes, 0);
    }

    #[test]
    fn of_too_much_the_oldest_run_is_let_go_of_first() {
        let half = "x".repeat(BYTES_MAX / 2);
        let outputs = returned(vec![output(8, 3, &half), output(7, 9, &half)]);
        assert_eq!(outputs.find(RunNo(7), &[taken(false, &[9])]), None);
        assert!(outputs.find(RunNo(8), &[taken(false, &[3])]).is_some());
    }
}
