//! The sandbox over HTTP, as its clients see it.

mod bigquery;
mod bigquery_data;
mod bigquery_ddl;
mod bigquery_hostile;
mod bigquery_jobs;
mod bigquery_queries;
mod bigquery_upload;
mod crm;
mod databricks;
mod dataflow;
mod dataproc;
mod faults;
mod journal;
mod kit;
mod others;
mod pages;
mod pages_hostile;
mod pages_shown;
mod programs;
mod pubsub;
mod receivers;
mod storage;
mod storage_conditions;
mod storage_upload;
mod streaming;
