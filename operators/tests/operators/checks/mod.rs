//! Checks of data on BigQuery's SQL and on a real PostgreSQL.

mod beyond;
mod imports;
mod kinds;
mod kit;
mod reference;
mod running;
