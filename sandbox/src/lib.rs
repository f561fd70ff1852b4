//! Google Cloud and Databricks on a laptop, with faults on demand: one local server that really executes what it is asked.
//!
//! Each service is a module that names its methods by the identifiers of the published API descriptions, so that a fault, a
//! line of the journal and a test speak of the same thing. What every service shares is here: the server, the
//! table of methods, the journal, the faults and state that survives a kill.

mod call;
mod control;
mod faults;
mod jobs;
mod journal;
mod pages;
mod route;
mod serve;
mod services;
mod shelf;
mod state;

pub use faults::{Fault, FaultKind, Faults};
pub use jobs::{
    JobSettings, Program, ProgramError, ProgramRun, Programs, RunSql, SqlOutcome, Statement,
};
pub use journal::{Entry, Journal};
pub use pages::Dress;
pub use serve::{Sandbox, ServeError};
pub use services::Service;
pub use state::{Clock, OpenError, Settings};
