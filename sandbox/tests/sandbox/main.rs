//! The sandbox over HTTP, as its clients see it.

mod crm;
mod databricks;
mod dataflow;
mod dataproc;
mod faults;
mod kit;
mod others;
mod pubsub;
mod receivers;
mod storage;
mod storage_conditions;
mod storage_upload;
