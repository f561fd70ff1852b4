//! What is kept of buckets and objects, and how it is shown.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What stays as it is in a segment of an address.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub(super) project: String,
    pub(super) metageneration: i64,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
    /// What clients may set, by its published name.
    pub(super) fields: Map<String, Value>,
}

/// One generation of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) generation: i64,
    pub(crate) metageneration: i64,
    pub(crate) size: u64,
    pub(crate) crc32c: u32,
    /// In base64; an object that was composed has none.
    pub(crate) md5: Option<String>,
    pub(crate) components: Option<u32>,
    pub(crate) created: DateTime<Utc>,
    pub(crate) updated: DateTime<Utc>,
    /// When it stopped being the newest.
    pub(crate) deleted: Option<DateTime<Utc>>,
    /// The resumable upload that made it: a session whose end was not noted is known by it.
    pub(crate) upload: Option<String>,
    /// What clients may set, by its published name.
    pub(crate) fields: Map<String, Value>,
    /// Its file within the bucket's folder.
    pub(crate) path: PathBuf,
}

/// All that there is under one name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Versions {
    pub(super) live: Option<Object>,
    /// Oldest first; kept where a bucket has versioning.
    pub(super) old: Vec<Object>,
}

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn new(bucket: &str, name: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Its name on the shelf; no bucket's name has a slash.
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.bucket, self.name)
    }

    /// As the journal writes it.
    pub(crate) fn uri(&self) -> String {
        format!("gs://{}/{}", self.bucket, self.name)
    }
}

impl Versions {
    /// The newest, or one by its generation.
    pub(super) fn one(&self, generation: Option<i64>) -> Option<&Object> {
        match generation {
            None => self.live.as_ref(),
            Some(wanted) => self.all().find(|object| object.generation == wanted),
        }
    }

    /// Oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Object> {
        self.old.iter().chain(&self.live)
    }
}

impl Bucket {
    pub(super) fn versioning(&self) -> bool {
        self.fields
            .get("versioning")
            .and_then(|versioning| versioning.get("enabled"))
            == Some(&Value::Bool(true))
    }

    pub(super) fn etag(&self) -> String {
        BASE64.encode(self.metageneration.to_be_bytes())
    }

    pub(super) fn shown(&self, name: &str, public: &str) -> Value {
        let mut shown = self.fields.clone();
        let location = shown.get("location").and_then(Value::as_str).unwrap_or("");
        let kind = match location {
            "US" | "EU" | "ASIA" => "multi-region",
            _ => "region",
        };
        let mut set = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        set("kind", json!("storage#bucket"));
        set("id", json!(name));
        set("name", json!(name));
        set("selfLink", json!(format!("{public}/storage/v1/b/{name}")));
        set("projectNumber", json!("100000000000"));
        set("locationType", json!(kind));
        set("metageneration", json!(self.metageneration.to_string()));
        set("etag", json!(self.etag()));
        set("timeCreated", json!(time(self.created)));
        set("updated", json!(time(self.updated)));
        Value::Object(shown)
    }
}

impl Object {
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    pub(super) fn etag(&self) -> String {
        let bytes = [
            self.generation.to_be_bytes(),
            self.metageneration.to_be_bytes(),
        ];
        BASE64.encode(bytes.concat())
    }

    /// In base64, as headers and resources have it.
    pub(super) fn crc32c_text(&self) -> String {
        BASE64.encode(self.crc32c.to_be_bytes())
    }

    pub(super) fn shown(&self, place: &Place, public: &str) -> Value {
        let mut shown = self.fields.clone();
        let (bucket, name) = (&place.bucket, utf8_percent_encode(&place.name, SEGMENT));
        let generation = self.generation.to_string();
        let mut set = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        set("kind", json!("storage#object"));
        set("id", json!(format!("{bucket}/{}/{generation}", place.name)));
        set(
            "selfLink",
            json!(format!("{public}/storage/v1/b/{bucket}/o/{name}")),
        );
        set(
            "mediaLink",
            json!(format!(
                "{public}/download/storage/v1/b/{bucket}/o/{name}?generation={generation}&alt=media"
            )),
        );
        set("bucket", json!(bucket));
        set("name", json!(place.name));
        set("generation", json!(generation));
        set("metageneration", json!(self.metageneration.to_string()));
        set("size", json!(self.size.to_string()));
        set("crc32c", json!(self.crc32c_text()));
        set("etag", json!(self.etag()));
        set("timeCreated", json!(time(self.created)));
        set("timeFinalized", json!(time(self.created)));
        set("timeStorageClassUpdated", json!(time(self.created)));
        set("updated", json!(time(self.updated)));
        if let Some(md5) = &self.md5 {
            set("md5Hash", json!(md5));
        }
        if let Some(count) = self.components {
            set("componentCount", json!(count));
        }
        if let Some(deleted) = self.deleted {
            set("timeDeleted", json!(time(deleted)));
        }
        Value::Object(shown)
    }
}

/// A segment of an address.
pub(super) fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
