//! Objects in Cloud Storage, as far as loads and extracts need them.

use std::path::{Path, PathBuf};

/// An object that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundObject {
    /// `gs://bucket/name`.
    pub uri: String,
    /// Its bytes.
    pub size: u64,
}

/// Why an object cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ObjectError {
    /// `notFound`, `invalid`, `backendError`.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
}

/// Content that stays as it is while this is held, whatever becomes of the object.
pub trait HeldObject: Send + Sync {
    /// A file with the content.
    fn path(&self) -> &Path;
    /// Its bytes.
    fn size(&self) -> u64;
}

/// Cloud Storage. All of it may wait for the disk: call it where a thread may wait.
pub trait Objects: Send + Sync {
    /// The objects that an address names; a `*` in it stands for anything.
    ///
    /// # Errors
    /// There is no such bucket, or the address is none.
    fn matching(&self, uri: &str) -> Result<Vec<FoundObject>, ObjectError>;

    /// The content of one object.
    ///
    /// # Errors
    /// There is no such object.
    fn hold(&self, uri: &str) -> Result<Box<dyn HeldObject>, ObjectError>;

    /// A path for a new file that is to become an object.
    fn scratch(&self) -> PathBuf;

    /// Makes an object of a file at such a path.
    ///
    /// # Errors
    /// There is no such bucket, or the disk fails.
    fn adopt(&self, uri: &str, file: &Path, content_type: &str) -> Result<(), ObjectError>;
}

/// No objects at all: for tests and for queries alone.
#[derive(Debug, Default)]
pub struct NoObjects;

impl NoObjects {
    fn none(uri: &str) -> ObjectError {
        ObjectError {
            reason: "notFound",
            message: format!("Not found: URI {uri}"),
        }
    }
}

impl Objects for NoObjects {
    fn matching(&self, _: &str) -> Result<Vec<FoundObject>, ObjectError> {
        Ok(Vec::new())
    }

    fn hold(&self, uri: &str) -> Result<Box<dyn HeldObject>, ObjectError> {
        Err(Self::none(uri))
    }

    fn scratch(&self) -> PathBuf {
        PathBuf::new()
    }

    fn adopt(&self, uri: &str, _: &Path, _: &str) -> Result<(), ObjectError> {
        Err(Self::none(uri))
    }
}
