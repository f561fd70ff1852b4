//! The tags of DAGs, which grants and tokens may name.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemill_core::time::Timestamp;
use tidemill_store::{Store, StoreError};

use super::Tags;
use crate::specs::Specs;

/// So long they are taken as they were read: a grant for a tag holds this long after the DAG has lost it.
const KEPT: Duration = Duration::from_secs(5);

/// Tags, read now and then.
#[derive(Debug, Default)]
pub(super) struct TagReader {
    specs: Specs,
    read: Mutex<Option<(Timestamp, Arc<Tags>)>>,
}

impl TagReader {
    /// The tags of all DAGs that have any.
    pub(super) async fn read(
        &self,
        store: &Store,
        now: Timestamp,
    ) -> Result<Arc<Tags>, StoreError> {
        let kept = self.kept();
        if let Some((at, tags)) = kept
            && now.since(at) < KEPT
            && at <= now
        {
            return Ok(tags);
        }
        let mut tags = Tags::new();
        for row in store.dags().await? {
            let Some(version) = &row.version else {
                continue;
            };
            if let Some(spec) = self.specs.of(store, &row.id, version).await?
                && !spec.notes.tags.is_empty()
            {
                tags.insert(row.id, spec.notes.tags.clone());
            }
        }
        let tags = Arc::new(tags);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&tags)));
        Ok(tags)
    }

    fn kept(&self) -> Option<(Timestamp, Arc<Tags>)> {
        self.read
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
