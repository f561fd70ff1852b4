//! Cloud Storage: waiting for objects, and moving them, with what is there before and after known by generation and sum.
//!
//! Everything that changes an object says which generation it found, so a repeated attempt changes nothing twice and never
//! overwrites what somebody else wrote meanwhile. Content is summed (CRC32C) while it moves, in both directions.
//!
//! Where an operator takes a pattern, `gs://raw/a.csv` is that one object, `gs://raw/sales/` is everything below, and with `*`
//! (within a folder), `**` (across folders), `?` or `[a-z]` it is what matches. `{{a,b}}` is one of both: single braces are
//! placeholders.
//!
//! ```
//! use tidemill_core::prelude::*;
//! use tidemill_core::span::minutes;
//! use tidemill_operators::storage::{GcsCopy, GcsList, UploadComplete};
//!
//! let dag = Dag::build("landing", |dag| {
//!     dag.schedule(Cron::daily());
//!     let there = dag.add("there", UploadComplete::under("gs://landing/{ds}/").quiet_for(minutes(10)));
//!     let copied = dag.add("copy", GcsCopy::of("gs://landing/{ds}/*.csv").to("gs://raw/sales/{ds}/")).after(&there);
//!     dag.add("files", GcsList::of("gs://raw/sales/{ds}/").at_least(1)).after(&copied);
//! });
//! assert!(dag.problems().is_empty());
//! ```

mod arrange;
mod compose;
mod copy;
mod download;
mod glob;
mod list;
mod object;
mod quiet;
mod sensors;
mod store;
mod sum;
mod transfer;
mod upload;
mod uri;

use crate::http::Api;

pub use arrange::{GcsCompose, GcsCopy, GcsDelete, GcsRemoved};
pub use list::GcsList;
pub use object::{GcsManifest, GcsObject};
pub use quiet::UploadComplete;
pub use sensors::{GcsObjectSensor, GcsPrefixSensor};
pub use store::Storage;
pub use sum::Sum;
pub use transfer::{GcsDownload, GcsFile, GcsUpload};
pub use upload::Put;
pub use uri::{GcsPattern, GcsUri, UriError};

/// The JSON API of Cloud Storage.
pub const API: Api = Api::google("storage", "https://storage.googleapis.com");

/// The connection that operators of Google Cloud use unless they are told another.
pub(crate) const CONNECTION: &str = "google";

pub(crate) fn connection() -> String {
    CONNECTION.to_owned()
}
