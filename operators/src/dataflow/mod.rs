//! Dataflow: jobs from classic and flex templates, and stopping them.
//!
//! A job is named after the key of its launch, and bears the key in a label. A name is only taken while its job is active, so
//! before anything is launched the job is looked for by name among all, those that have ended, too. A batch job is waited for to its
//! end; of a streaming job the task is done when it runs.
//!
//! ```
//! use tidemill_core::prelude::*;
//! use tidemill_operators::{DataflowJob, DataflowStop};
//!
//! let dag = Dag::build("events", |dag| {
//!     dag.schedule(Cron::daily());
//!     dag.add("load", DataflowJob::flex("gs://templates/load.json").param("day", "{ds}"));
//!     let stream = DataflowJob::template("gs://templates/PubSub_to_BigQuery").named("events").replacing();
//!     let runs = dag.add("stream", stream.param("inputTopic", "projects/shop/topics/events"));
//!     dag.add("stop", DataflowStop::drain("events")).after(&runs);
//! });
//! assert!(dag.problems().is_empty(), "{:?}", dag.problems());
//! ```

mod job;
mod metrics;
mod seen;
mod stop;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::http::Api;

pub use job::DataflowJob;
pub use stop::DataflowStop;

/// The API of Dataflow.
pub const API: Api = Api::google("dataflow", "https://dataflow.googleapis.com");

/// A job that has ended well, or a streaming job that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataflowRan {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: String,
    /// Its region.
    pub region: String,
    /// Its state, such as `JOB_STATE_DONE`.
    pub state: String,
    /// Its page in the console.
    pub url: String,
    /// What its pipeline counted, by name.
    pub metrics: BTreeMap<String, f64>,
}

/// What is needed to find a job again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[doc(hidden)]
pub struct Launched {
    project: String,
    region: String,
    id: String,
}
