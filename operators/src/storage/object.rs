//! What is known of objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemill_core::operator::{TaskError, TaskResult};

use super::uri::GcsUri;

/// One object in one generation: content that never changes. A later task that is given it reads exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcsObject {
    /// Where it is.
    pub uri: GcsUri,
    /// Which generation.
    pub generation: i64,
    /// How many bytes.
    pub size: u64,
    /// The CRC32C of its content, as Google writes it.
    pub crc32c: String,
    /// When it was written.
    pub updated: DateTime<Utc>,
}

impl GcsObject {
    /// The sum of its content as a number.
    ///
    /// # Errors
    /// The service gave something else.
    pub fn sum(&self) -> TaskResult<u32> {
        let bytes = STANDARD.decode(&self.crc32c).ok();
        let bytes: Option<[u8; 4]> = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_be_bytes).ok_or_else(|| {
            TaskError::permanent(format!("{}: its sum `{}` is none", self.uri, self.crc32c))
        })
    }
}

/// Objects as they were at one moment, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcsManifest {
    /// Which pattern they fit.
    pub pattern: String,
    /// How many there are.
    pub count: usize,
    /// How many bytes they have together.
    pub bytes: u64,
    /// The objects; empty if they are in a file of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<GcsObject>,
    /// The object that holds them as lines of JSON, if they are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<GcsUri>,
}

impl GcsManifest {
    pub(super) fn of(pattern: &impl ToString, objects: Vec<GcsObject>) -> Self {
        Self {
            pattern: pattern.to_string(),
            count: objects.len(),
            bytes: objects.iter().map(|object| object.size).sum(),
            objects,
            file: None,
        }
    }
}

/// An object as the API writes it; numbers are text there.
#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    bucket: String,
    name: String,
    generation: String,
    size: String,
    #[serde(default)]
    crc32c: String,
    updated: DateTime<Utc>,
}

impl Resource {
    pub(super) fn read(self) -> TaskResult<GcsObject> {
        let odd = |what: &str| {
            TaskError::permanent(format!(
                "gs://{}/{}: the service gives it a {what} that is none",
                self.bucket, self.name
            ))
        };
        let generation = self.generation.parse().map_err(|_| odd("generation"))?;
        let size = self.size.parse().map_err(|_| odd("size"))?;
        let uri = GcsUri::new(&self.bucket, &self.name).map_err(|_| odd("name"))?;
        Ok(GcsObject {
            uri,
            generation,
            size,
            crc32c: self.crc32c,
            updated: self.updated,
        })
    }
}
