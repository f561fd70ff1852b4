//! The REST API, for all that pages and the command line can do. An operation is registered with its policy and with what it
//! takes and gives (`operation`); the document is made of exactly that. What is done is done by the same functions as for
//! pages: rules, reads and the door are not here.

mod act;
mod alerts;
mod areas;
mod backfills;
mod browse;
mod cause;
mod commands;
mod dags;
mod document;
mod example;
mod find;
mod given;
mod logs;
pub(crate) mod monitor;
mod once;
mod operation;
mod paging;
mod people;
mod pick;
mod pictures;
mod runs;
mod sealed;
mod search;
mod settings;
mod shared;
mod tasks;
mod trigger;
pub mod views;
mod wait;

pub(crate) use areas::routes;
pub(crate) use document::Document;
pub(crate) use once::without_key;
pub(crate) use operation::Operation;
