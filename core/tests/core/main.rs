//! What authors, CI and the scheduler rely on from `tidemill-core`.

// What the macros write refers to the crate that users depend on.
extern crate tidemill_core as tidemill;

mod authoring;
mod checks;
mod compile_fail;
mod cron_language;
mod cron_properties;
mod cron_timetable;
mod data_checks;
mod due;
mod hostile;
mod params;
mod plans;
mod texts;
mod versions;
