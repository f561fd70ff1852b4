//! Databricks: runs of tasks, runs of jobs, SQL statements and updates of pipelines.
//!
//! Runs are launched under a token, the key of the launch: asked twice, there is one run. A statement bears the key in a comment, and is
//! looked for in the history of queries. An update of a pipeline bears nothing: what was there before is noted first, and what is
//! there after it that was asked for like this is ours. While they run, no slot is held.
//!
//! ```
//! use tidemill_core::prelude::*;
//! use tidemill_operators::{
//!     DatabricksCluster, DatabricksPipeline, DatabricksRunNow, DatabricksStatement, DatabricksSubmitRun, DatabricksTask,
//! };
//!
//! let dag = Dag::build("shop", |dag| {
//!     dag.schedule(Cron::daily());
//!     let cluster = DatabricksCluster::of("15.4.x-scala2.12").node("n2-highmem-4").workers(4);
//!     let load = DatabricksTask::notebook("/Shared/load").param("day", "{ds}").new_cluster(cluster);
//!     let loaded = dag.add("load", DatabricksSubmitRun::of(load));
//!     let report = DatabricksRunNow::named("report").param("day", "{ds}").repairs(1);
//!     dag.add("report", report).after(&loaded);
//!     dag.add("count", DatabricksStatement::of("SELECT COUNT(*) FROM shop.orders").on("0123abcd")).after(&loaded);
//!     dag.add("refresh", DatabricksPipeline::update("a1b2-c3d4")).after(&loaded);
//! });
//! assert!(dag.problems().is_empty(), "{:?}", dag.problems());
//! ```

mod pipeline;
mod run;
mod run_now;
mod statement;
mod submit;
mod task;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill_core::operator::{TaskContext, TaskResult};
use tidemill_core::span::as_text;

use crate::http::{self, Api, Client};
use crate::remote::EVERY;

pub use pipeline::{DatabricksPipeline, DatabricksUpdated};
pub use run_now::DatabricksRunNow;
pub use statement::{DatabricksRows, DatabricksStatement};
pub use submit::DatabricksSubmitRun;
pub use task::{DatabricksCluster, DatabricksTask};

/// The API of a workspace.
pub const API: Api = Api::databricks("databricks");

/// A run that ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabricksRan {
    /// Its number.
    pub run_id: u64,
    /// The number of its job.
    pub job_id: u64,
    /// Its page.
    pub url: String,
    /// How it ended, such as `SUCCESS`.
    pub state: String,
    /// What its tasks gave, by their keys: what a notebook ended with (`dbutils.notebook.exit`).
    pub outputs: BTreeMap<String, String>,
}

/// What is needed to find a run again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[doc(hidden)]
pub struct Launched {
    run_id: u64,
}

/// Which workspace, and how often is looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Workspace {
    connection: String,
    #[serde(with = "as_text")]
    every: Duration,
}

impl Default for Workspace {
    fn default() -> Self {
        Self {
            connection: "databricks".to_owned(),
            every: EVERY,
        }
    }
}

impl Workspace {
    async fn open(&self, ctx: &TaskContext) -> TaskResult<Client> {
        http::open(ctx, &self.connection, &API).await
    }
}

/// The settings of the workspace, for operators with a field `at`.
macro_rules! workspace_settings {
    () => {
        /// Through another connection than `databricks`.
        pub fn connection(mut self, name: impl Into<String>) -> Self {
            self.at.connection = name.into();
            self
        }

        /// How often it is looked at; every 30 seconds if nothing is said. While it runs, no slot is held.
        pub const fn every(mut self, span: std::time::Duration) -> Self {
            self.at.every = span;
            self
        }
    };
}
use workspace_settings;
