//! The engine: what runs, when, and why not.
//!
//! A pure function of its state, an input and the time: it asks no clock, rolls no dice and does no IO, and the same
//! inputs give the same changes. [`Engine`] is told what happened, and [`Engine::take`] gives back the rows to commit and
//! what to do after that. [`Engine::why`] says what holds a task.
//!
//! `machine` takes the inputs; `step` leads from one task to the next; `admit` gives tasks to workers, as `lanes` picks
//! them; `attempt` follows one attempt to its end; `runs`, `schedule` and `backfill` make runs and end them; `commands`
//! is what people ask for; `recover` puts it all back from what is stored.

mod admit;
mod attempt;
mod backfill;
mod clear;
mod commands;
mod deploy;
mod dump;
mod effect;
mod fast;
mod fleet;
mod input;
mod inputs;
mod lanes;
mod layout;
mod machine;
mod mapping;
mod plan;
mod recover;
mod rules;
mod run;
mod runs;
mod schedule;
mod slot;
mod step;
mod stuck;
mod tell;
mod why;
mod workers;
mod world;

pub use effect::{Changed, DatePlan, Effect, Output, Refusal, TaskChange};
pub use fleet::{Fleet, PoolHolder, PoolView, Waiting, WorkerView};
pub use input::{
    Around, Backfill, BulkAction, Command, Config, Defects, Filter, Input, Notice, Pausable,
    Request, RunVersion, SealedConnection, SealedVariable, Select, Selected, Trigger, Wanted,
};
pub use inputs::Taken;
pub use machine::Engine;
pub use rules::{Counts, Seen, Verdict, verdict};
pub use step::may_follow;
pub use stuck::{STOP_PATIENCE, StuckStop};
pub use why::{Gate, HOLDERS_MAX, Held, Holder, Why};
