//! Datasets and tables on the disk.
//!
//! `<project>/<dataset>/dataset.json` says what is known of a dataset, `<project>/<dataset>/<table>/manifest.json` which files a table
//! consists of; its Parquet is under `data/<partition>/`. A change writes new files, then a manifest beside the old one, and
//! renames it over the old one: that is the moment at which the change is there. Files that no manifest names any more stay while
//! a [`Snapshot`] holds them; what a kill left behind is removed when the warehouse is opened.

mod commit;
mod compact;
mod error;
mod evolve;
mod expiry;
mod files;
mod manifest;
mod meta;
mod names;
mod numbered;
mod objects;
mod partition;
mod prune;
mod scan;
mod size;
mod split;
mod warehouse;
mod writer;

pub use commit::Change;
pub use error::TableError;
pub use evolve::{Allowed, widened};
pub use files::DataFile;
pub use manifest::Snapshot;
pub use meta::{DatasetMeta, Partitioning, RangeBounds, TableMeta, Unit};
pub use names::{DatasetId, TableId};
pub(crate) use numbered::{FILE, Numbered, ROW};
pub use objects::{FoundObject, HeldObject, NoObjects, ObjectError, Objects};
pub use partition::Partition;
pub use scan::{Meter, PARTITION_DATE, PARTITION_TIME, Scan};
pub use size::logical_bytes;
pub use warehouse::{Clock, Dataset, Warehouse};
pub use writer::{Target, Writer};
