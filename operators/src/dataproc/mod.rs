//! Dataproc: jobs on clusters, batches without one, and the clusters themselves.
//!
//! A job's and a batch's identifier is the key of its launch, which is also its request's: sent twice it is there once. While it
//! runs, no slot is held; when it has ended its driver's log is in the task's log. A cluster is made by a setup and removed by
//! its teardown.
//!
//! ```
//! use tidemill_core::prelude::*;
//! use tidemill_operators::{DataprocBatch, DataprocCluster, DataprocJob, DataprocDeleteCluster};
//!
//! let dag = Dag::build("clean", |dag| {
//!     dag.schedule(Cron::daily());
//!     let made = dag.add("cluster", DataprocCluster::named("clean-{ds_nodash}").workers(4)).setup();
//!     let job = DataprocJob::pyspark("gs://code/clean.py").on("clean-{ds_nodash}").arg("--day={ds}");
//!     let cleaned = dag.add("clean", job).after(&made);
//!     dag.add("remove", DataprocDeleteCluster::named("clean-{ds_nodash}")).after(&cleaned).teardown(&made);
//!
//!     let batch = DataprocBatch::pyspark("gs://code/report.py").arg("--day={ds}").property("spark.executor.memory", "4g");
//!     dag.add("report", batch).after(&cleaned);
//! });
//! assert!(dag.problems().is_empty(), "{:?}", dag.problems());
//! ```

mod batch;
mod cluster;
mod driver;
mod job;

use serde::{Deserialize, Serialize};

use tidemill_core::operator::{TaskError, TaskResult};

use crate::http::{Api, Reply};

pub use batch::DataprocBatch;
pub use cluster::{DataprocCluster, DataprocDeleteCluster, DataprocReady};
pub use job::DataprocJob;

/// The API of Dataproc.
pub const API: Api = Api::google("dataproc", "https://dataproc.googleapis.com");

/// A job or a batch that ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataprocRan {
    /// Its identifier, which is the key of its launch.
    pub id: String,
    /// Its project.
    pub project: String,
    /// Its region.
    pub region: String,
    /// Its page in the console.
    pub url: String,
    /// Where its driver's log is, without the number at the end of each piece; empty if the service does not say.
    pub driver_log: String,
}

/// What is needed to find a job or a batch again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[doc(hidden)]
pub struct Launched {
    project: String,
    region: String,
    id: String,
}

fn parts(handle: &Launched) -> [&str; 3] {
    [&handle.project, &handle.region, &handle.id]
}

/// A job that has ended already, or is gone, needs no cancelling; any other refusal is an error.
fn cancelled(reply: &Reply, what: &str) -> TaskResult<()> {
    let said = reply.said();
    if reply.status() == 400 && said.reason != "FAILED_PRECONDITION" {
        return Err(TaskError::permanent(format!(
            "{what} cannot be cancelled (400): {}",
            said.message
        )));
    }
    Ok(())
}
