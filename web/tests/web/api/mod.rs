//! The REST API: what it answers, that its document says so, and that nothing that is sent breaks it.

mod act;
mod cli;
mod document;
mod lists;
mod reach;
mod schema;
mod told;
mod wrong;
