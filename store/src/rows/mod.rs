//! How each record lies in its table: its cells in the order of the table's columns, in both directions. The round-trip
//! tests would not forgive another order.

mod access;
mod dag;
mod head;
mod history;
mod people;
mod run;
mod secrets;
mod task;

pub(crate) use secrets::{ConnectionGone, VariableGone};
