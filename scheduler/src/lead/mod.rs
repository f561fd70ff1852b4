//! The process around the engine: it takes the lead, hands inputs in, commits what comes out, and carries the effects out
//! once that is durable. While one commit is on its way, the next batch gathers in the engine.
//!
//! `process` stands by, leads, and stands by again; `term` is one time of leading; `mail` is what workers are told; `outputs`
//! and `lookup` read what the engine does not keep; `watchman` looks for what no run knows of; `clock` tells the time.

mod clock;
mod desk;
mod lookup;
mod mail;
mod message;
mod outputs;
mod process;
mod term;
mod watchman;

pub use clock::Clock;
pub use desk::{Answer, Ask};
pub use message::{Access, Bring, Join, NotLeading, SessionId, ToLead};
pub use process::{Ended, Process, Settings, Standing};
