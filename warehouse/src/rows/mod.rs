//! Rows one by one: how text and JSON become values of a table, how values are shown to clients, and how batches of one schema
//! become those of another.

mod build;
mod cell;
mod fit;
mod page;
mod shown;

pub use build::RowsBuilder;
pub(crate) use cell::read;
pub use cell::{Cell, JsonRules, Wrong, WrongKind, row_of_json};
pub(crate) use fit::{fit, fitted};
pub(crate) use page::whole;
pub use page::{page, page_of};
pub use shown::{CellText, json_rows, shown_rows, text_of};
