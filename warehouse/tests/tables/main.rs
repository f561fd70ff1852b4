//! Tables on the disk: who sees what, what a kill leaves, and what a query is billed.

mod by_sql;
mod changes;
mod copies;
mod crash;
mod dml;
mod dml_jobs;
mod extracts;
mod kit;
mod loads;
mod loads_text;
mod oracle;
mod queried_files;
mod reading;
mod scripts_killed;
