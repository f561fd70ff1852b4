//! `BigQuery`'s SQL, executed by `DataFusion`.

mod agree;
mod engine;
mod error;
mod functions;
mod parameter;
mod parse;
mod planner;
mod rewrite;

pub(crate) use functions::texts;

pub use engine::{Catalog, Engine, Outcome, Relation, Request, TableName};
pub use error::SqlError;
pub use parameter::{Parameter, ParameterValue};
