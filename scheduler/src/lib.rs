//! Decides what runs: the engine, and the process around it.

pub mod engine;
pub mod gateway;
pub mod lead;
pub mod relay;
pub mod secrets;
