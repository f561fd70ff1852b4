//! The engine from outside.

mod acceptance;
mod acceptance_attempts;
mod acceptance_dates;
mod attempts;
mod backfills;
mod branches;
mod commands;
mod drafts;
mod found;
mod gates;
mod kit;
mod mapping;
mod mirror;
mod notes;
mod play;
mod properties;
mod rules;
mod schedules;
mod secrets;
mod setups;
mod stuck;
mod versions;
mod waiting;
mod workers;
