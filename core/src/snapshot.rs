//! A snapshot: the DAGs of a project as one file, to compare a pull request against.

use serde::{Deserialize, Serialize};

use crate::spec::DagSpec;
use crate::version::Version;

/// The form of the file; a newer one is refused instead of half understood.
const FORMAT: u32 = 1;

/// The largest file that is read, in bytes.
pub const SNAPSHOT_BYTES_MAX: usize = 1 << 30;

/// The DAGs of a project at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    tidemill_snapshot: u32,
    /// The DAGs, sorted by name.
    pub dags: Vec<Entry>,
}

/// One DAG of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its version, for people; it is worked out again when it is needed.
    pub version: Version,
    /// The DAG as data, without line numbers: moving code is no change.
    pub dag: DagSpec,
}

/// Why a file is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not what `dags snapshot` writes.
    #[error("it is no snapshot: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It was written by a newer Tidemill.
    #[error("it has format {found}, this build reads format {FORMAT}")]
    Format {
        /// The format it has.
        found: u32,
    },
    /// It is too large.
    #[error("it has {bytes} bytes, the most is {SNAPSHOT_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
}

impl Snapshot {
    /// A snapshot of these DAGs.
    #[must_use]
    pub fn of<'a>(dags: impl IntoIterator<Item = &'a DagSpec>) -> Self {
        let mut dags: Vec<Entry> = dags
            .into_iter()
            .map(|spec| {
                let mut dag = spec.clone();
                dag.notes.source = None;
                for (_, notes) in &mut dag.notes.tasks {
                    notes.source = None;
                }
                Entry {
                    version: dag.version(),
                    dag,
                }
            })
            .collect();
        dags.sort_by(|a, b| a.dag.id().cmp(b.dag.id()));
        Self {
            tidemill_snapshot: FORMAT,
            dags,
        }
    }

    /// The file.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A snapshot is made of names, numbers and JSON: there is nothing in it that JSON cannot hold.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads a file, whatever is in it.
    ///
    /// # Errors
    /// It is no snapshot, or one of a newer Tidemill.
    pub fn parse(bytes: &[u8]) -> Result<Self, SnapshotError> {
        #[derive(Deserialize)]
        struct Head {
            tidemill_snapshot: u32,
        }
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::TooLarge { bytes: bytes.len() });
        }
        // The form is looked at first: a newer file may have fields that this build does not know.
        let head: Head = serde_json::from_slice(bytes)?;
        if head.tidemill_snapshot != FORMAT {
            return Err(SnapshotError::Format {
                found: head.tidemill_snapshot,
            });
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}
