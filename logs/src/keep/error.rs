use std::io;
use std::path::PathBuf;

/// Why a log cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file or folder refuses.
    #[error("failed to {doing} {}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The object store refuses.
    #[error("failed to {doing} `{path}` in the object store")]
    Store {
        /// What was tried.
        doing: &'static str,
        /// With which object.
        path: String,
        /// What the store says.
        #[source]
        source: object_store::Error,
    },
    /// The place of logs is none that this build knows.
    #[error(
        "logs cannot be kept at `{place}`: give a folder, `gs://bucket/prefix` or `s3://bucket/prefix`, and credentials that read"
    )]
    Place {
        /// What was given.
        place: String,
        /// What the store says.
        #[source]
        source: object_store::Error,
    },
    /// The place of logs is a bucket of a kind that was left out of this build.
    #[error(
        "logs cannot be kept at `{place}` by this build: give the dependency `tidemill` the feature `{feature}` and build again"
    )]
    Feature {
        /// What was given.
        place: String,
        /// Which feature it needs.
        feature: &'static str,
    },
    /// A link leads out of the folder of the logs.
    #[error("{} lies outside the folder of the logs: remove the link", path.display())]
    Outside {
        /// Which.
        path: PathBuf,
    },
    /// The index of a log does not read.
    #[error("the index of the log at `{path}` is damaged in line {line}")]
    Damaged {
        /// Which log.
        path: String,
        /// Where, from 1.
        line: usize,
    },
    /// A chunk is too large to come from a worker.
    #[error("a chunk of a log has {bytes} bytes; a worker sends far less: it is not kept")]
    TooLarge {
        /// How large.
        bytes: usize,
    },
    /// The log changed again and again while it was read.
    #[error("the log at `{path}` changed while it was read: try again")]
    Moving {
        /// Which log.
        path: String,
    },
    /// The process is stopping.
    #[error("the process is stopping: the log is not read or written any more")]
    Stopped,
}

impl LogError {
    /// Whether the disk is full: the task goes on, and somebody is to be told.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let full = |source: &io::Error| {
            matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            )
        };
        matches!(self, Self::File { source, .. } if full(source))
    }

    /// Whether something is not there (any more).
    pub(super) fn is_missing(&self) -> bool {
        match self {
            Self::File { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Store { source, .. } => matches!(source, object_store::Error::NotFound { .. }),
            _ => false,
        }
    }
}
