//! `BigQuery`'s SQL, executed by `DataFusion`.

mod agree;
mod catalog;
mod coerce;
mod cursor;
mod ddl;
mod dml;
mod engine;
mod error;
mod files;
mod functions;
mod information;
mod items;
mod lateral;
mod limits;
mod parameter;
mod parse;
mod piece;
mod pivot;
mod planner;
mod pool;
mod request;
mod rewrite;
mod rows;
mod scope;
mod script;
mod session;
mod shown;
mod subquery;
mod variable;
mod wildcard;

pub(crate) use functions::texts;

pub use catalog::{Catalog, Relation, TableName};
pub use engine::Engine;
pub use error::SqlError;
pub use information::JobRow;
pub use limits::Limits;
pub use parameter::{Parameter, ParameterValue};
pub use request::{Affected, Child, Diary, Operation, Outcome, Request, Target};
pub use script::hidden_dataset;
