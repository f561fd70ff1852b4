//! Values on their way from a database. What does not read is an error with table, column and row, never a panic.

mod cells;
mod reader;

pub(crate) use cells::Cells;
pub(crate) use reader::{BadCell, Read, Reader, read};
