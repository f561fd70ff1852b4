//! Values on their way to a database: the rows of a batch, and the arguments of a query.
//!
//! Everything that is written passes through here, so here is where it is made fit for both databases: text without
//! NUL, times that PostgreSQL can hold, names that fit an index. What a worker or a person sends can then be ugly on a
//! page, and can never make a commit fail for ever.

mod arg;
pub(crate) mod fit;
mod jsonb;
mod sheet;
mod table_rows;

pub(crate) use arg::Args;
pub(crate) use jsonb::Jsonb;
pub(crate) use sheet::{Sheet, Write};
pub(crate) use table_rows::{PG_EPOCH, TableRows, TableType, TableTypes};
