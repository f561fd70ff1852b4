//! Tables as Parquet in a folder, and `BigQuery`'s SQL over them, executed by `DataFusion`.
//!
//! A table is a folder with one folder for each partition and a manifest that names its files. A change writes new files and
//! switches the manifest by a rename: a reader sees all of it or nothing, and a kill leaves the old table or the new one.

pub mod copy;
pub mod extract;
pub mod load;
mod located;
pub mod rows;
mod schema;
pub mod sql;
pub mod tables;

pub use located::Located;
pub use schema::{Digits, Field, Kind, Mode, NoCounterpart, Schema, TYPE_KEY};
