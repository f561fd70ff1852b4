//! DAGs as data, read once: a version never changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tidemill_core::id::DagId;
use tidemill_core::spec::DagSpec;
use tidemill_core::version::Version;
use tidemill_store::{Store, StoreError};

/// How many are kept at hand. When there are more, all are let go of: that is seldom, and needs no bookkeeping.
const KEPT_MAX: usize = 4_096;

type Known = HashMap<(DagId, Version), Arc<DagSpec>>;

/// The versions that were read so far.
#[derive(Debug, Default)]
pub(crate) struct Specs {
    known: Mutex<Known>,
}

impl Specs {
    /// A version of a DAG; none if there is no such version.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(crate) async fn of(
        &self,
        store: &Store,
        dag: &DagId,
        version: &Version,
    ) -> Result<Option<Arc<DagSpec>>, StoreError> {
        let key = (dag.clone(), version.clone());
        if let Some(spec) = self.lock().get(&key) {
            return Ok(Some(Arc::clone(spec)));
        }
        let Some(row) = store.version(dag, version).await? else {
            return Ok(None);
        };
        let mut known = self.lock();
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.insert(key, Arc::clone(&row.spec));
        Ok(Some(row.spec))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        // Whoever panicked left a map of finished entries behind.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
