//! What tasks can do on other systems: one file a system.

pub mod bigquery;
pub mod checks;
mod command;
pub mod count;
mod credentials;
pub mod databricks;
pub mod dataflow;
pub mod dataproc;
pub mod dbt;
pub mod http;
pub mod probe;
pub mod python;
mod remote;
pub mod shell;
pub mod storage;

pub use bigquery::{
    BigQueryCheck, BigQueryCopy, BigQueryExtract, BigQueryLoad, BigQueryQuery, BigQueryTableSensor,
    IfNone, LoadToBigQuery, Partitioning,
};
pub use checks::Checks;
pub use databricks::{
    DatabricksCluster, DatabricksPipeline, DatabricksRan, DatabricksRows, DatabricksRunNow,
    DatabricksStatement, DatabricksSubmitRun, DatabricksTask, DatabricksUpdated,
};
pub use dataflow::{DataflowJob, DataflowRan, DataflowStop};
pub use dataproc::{
    DataprocBatch, DataprocCluster, DataprocDeleteCluster, DataprocJob, DataprocRan, DataprocReady,
};
pub use dbt::{Dbt, DbtNode, DbtProfile, DbtReport};
pub use python::PythonEnv;
pub use shell::{Shell, ShellOutput};
pub use storage::{
    GcsCompose, GcsCopy, GcsDelete, GcsDownload, GcsFile, GcsList, GcsManifest, GcsObject,
    GcsObjectSensor, GcsPrefixSensor, GcsRemoved, GcsUpload, GcsUri, UploadComplete,
};
