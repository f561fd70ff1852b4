//! Operators against what they talk to.

mod bigquery;
mod checks;
mod count;
mod credentials;
mod databricks;
mod dataflow;
mod dataproc;
mod dbt;
mod http;
mod kit;
mod python;
mod remote;
mod shell;
mod shell_ends;
mod storage;
