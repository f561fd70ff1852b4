//! What is kept open: so many logs at most, those that were used last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Each takes two files, or an index in memory.
const OPEN_MAX: usize = 256;

/// Open logs by their paths.
pub(super) struct Opened<T>(Mutex<Entries<T>>);

struct Entries<T> {
    by_path: HashMap<String, (Arc<T>, u64)>,
    uses: u64,
}

impl<T: Default> Opened<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Entries {
            by_path: HashMap::new(),
            uses: 0,
        }))
    }

    /// The one at this path; an empty one if it was not open. While somebody holds it, it is not closed, so that
    /// there are never two of one path.
    pub(super) fn get(&self, path: &str) -> Arc<T> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let uses = entries.uses;
        if let Some((open, used)) = entries.by_path.get_mut(path) {
            *used = uses;
            return Arc::clone(open);
        }
        let closed = if entries.by_path.len() < OPEN_MAX {
            Vec::new()
        } else {
            entries.close_some()
        };
        let open = Arc::new(T::default());
        entries
            .by_path
            .insert(path.to_owned(), (Arc::clone(&open), uses));
        // Closing takes its time, and the others do not wait for it.
        drop(entries);
        drop(closed);
        open
    }

    /// The one at this path, if it is open.
    pub(super) fn find(&self, path: &str) -> Option<Arc<T>> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.by_path.get(path).map(|(open, _)| Arc::clone(open))
    }

    /// All that are open.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = entries.by_path.values();
        all.map(|(open, _)| Arc::clone(open)).collect()
    }

    /// Closes it.
    pub(super) fn close(&self, path: &str) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |(open, _): &(Arc<T>, u64)| Arc::strong_count(open) == 1;
        if entries.by_path.get(path).is_some_and(idle) {
            let closed = entries.by_path.remove(path);
            drop(entries);
            drop(closed);
        }
    }

    /// Forgets all in this folder.
    pub(super) fn forget(&self, folder: &str) -> Vec<Arc<T>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = entries.by_path.extract_if(|path, _| {
            path.strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
        });
        gone.map(|(_, (open, _))| open).collect()
    }
}

impl<T> Entries<T> {
    /// Closes an eighth of them at once, so that the search is paid for by many.
    fn close_some(&mut self) -> Vec<Arc<T>> {
        let mut idle: Vec<u64> = self
            .by_path
            .values()
            .filter(|(open, _)| Arc::strong_count(open) == 1)
            .map(|(_, used)| *used)
            .collect();
        let some = (OPEN_MAX / 8).min(idle.len());
        idle.sort_unstable();
        let Some(&last) = some.checked_sub(1).and_then(|last| idle.get(last)) else {
            return Vec::new();
        };
        let closed = self
            .by_path
            .extract_if(|_, (open, used)| *used <= last && Arc::strong_count(open) == 1);
        closed.map(|(_, (open, _))| open).collect()
    }
}
