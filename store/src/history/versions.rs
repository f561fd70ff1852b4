//! The versions of a DAG, and which are in use.

use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;

use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::{Store, StoreError, sql};

/// A version of a DAG, without what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionUse {
    /// The version.
    pub version: Version,
    /// When it came.
    pub deployed_at: Timestamp,
    /// How many of the runs that were looked at have it.
    pub runs: u32,
    /// The start of the last of them.
    pub last_start: Option<Timestamp>,
}

impl Read for VersionUse {
    const TABLE: &'static str = "dag_version";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            version: from.name()?,
            deployed_at: from.time()?,
            runs: from.count()?,
            last_start: from.opt_time()?,
        })
    }
}

impl Store {
    /// All versions of a DAG, the newest first, and how many of its last `runs` runs have each.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn version_uses(
        &self,
        dag: &DagId,
        runs: u32,
    ) -> Result<Vec<VersionUse>, StoreError> {
        let args = Args::NONE.text(dag.as_str()).int(i64::from(runs));
        self.db().rows(&sql::VERSION_USES, args).await
    }
}
