//! What Tidemill keeps, on PostgreSQL and on SQLite. The only crate with SQL in it.

pub mod record;
