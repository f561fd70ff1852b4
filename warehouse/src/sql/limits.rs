//! How much the queries of an engine may use together.

use std::path::Path;
use std::sync::Arc;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::SqlError;
use super::parse::Words;
use super::pool::Shared;

/// Parts of a query that are worked on side by side.
pub(super) const PARTITIONS: usize = 2;

/// How much all queries of an engine may use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that they hold before they spill to the disk. What cannot be spilled and is more is an error.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 1 << 30 }
    }
}

impl Limits {
    /// The pool, and the folder that is spilled to.
    pub(super) fn runtime(&self, spill: &Path) -> Result<Arc<RuntimeEnv>, SqlError> {
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![spill.to_owned()]));
        RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(Shared::new(self.memory)))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(|error| SqlError::from_engine(&error, &Words::default()))
    }

    /// How many queries are run at once, so that each has enough to get on with; others wait for their turn.
    pub(super) fn turns(&self) -> Turns {
        let all = (self.memory / (32 << 20)).clamp(1, 16);
        Turns {
            free: Arc::new(Semaphore::new(all)),
            all: u32::try_from(all).unwrap_or(1),
        }
    }

    /// Bytes that each sort keeps back for merging what it spilled. They are taken before anything is sorted: with more,
    /// many small queries at once would have no room for each other.
    pub(super) fn merging(&self) -> usize {
        (self.memory / 256).clamp(1 << 19, 10 << 20)
    }
}

/// Turns of queries.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    free: Arc<Semaphore>,
    all: u32,
}

impl Turns {
    /// Waits for one, or until no other query is run.
    pub(super) async fn take(&self, alone: bool) -> Result<OwnedSemaphorePermit, SqlError> {
        let count = if alone { self.all } else { 1 };
        Arc::clone(&self.free)
            .acquire_many_owned(count)
            .await
            .map_err(|error| SqlError::backend(error.to_string()))
    }

    /// Whether there are others.
    pub(super) fn several(&self) -> bool {
        self.all > 1
    }
}
