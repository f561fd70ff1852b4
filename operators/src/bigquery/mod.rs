//! BigQuery: jobs that are launched once, whatever fails on the way.
//!
//! Every operator here looks for a job under its launch key before it sends one, and adopts the one that is there if its own
//! request made it. A job that has failed keeps its key; another try is another launch, under another key.
//!
//! ```
//! use tidemill_core::prelude::*;
//! use tidemill_operators::bigquery::LoadToBigQuery;
//!
//! let dag = Dag::build("crm", |dag| {
//!     dag.schedule(Cron::daily());
//!     let load = LoadToBigQuery::csv("gs://crm/{ds}/*.csv").into("crm.customers").merge(["id"]);
//!     dag.add("load", load.skip_rows(1).guess_columns().latest_by("changed_at"));
//! });
//! assert!(dag.problems().is_empty());
//! ```

mod check;
mod client;
mod contract;
mod copy;
mod database;
mod errors;
mod footer;
mod job;
mod load;
mod loading;
mod merge;
mod parameter;
mod query;
mod record;
mod rows;
mod schema;
mod sensors;
mod shape;
mod staging;
mod table;
mod watch;

use tidemill_core::operator::{TaskContext, TaskResult};

use crate::http::Api;
use crate::storage::Storage;

pub use check::{BigQueryCheck, Checked};
pub use client::BigQuery;
pub use copy::{BigQueryCopy, BigQueryExtract, Copied, ExtractFrom, Extracted};
pub use database::BigQueryDatabase;
pub use job::{Job, JobAt, JobState};
pub use load::{IfNone, LoadFrom, LoadInto, LoadToBigQuery};
pub use loading::BigQueryLoad;
pub use query::{BigQueryQuery, QueryDone};
pub use rows::Rows;
pub use schema::{Column, ColumnMode};
pub use sensors::{BigQueryTableSensor, TableSeen};
pub use shape::Partitioning;
pub use table::{TableFacts, TableName, TableNameError};

/// The REST API of BigQuery.
pub const API: Api = Api::google("bigquery", "https://bigquery.googleapis.com");

async fn storage_of(ctx: &TaskContext, connection: &str) -> TaskResult<Storage> {
    Storage::open(ctx, connection).await
}
