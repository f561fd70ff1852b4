//! When runs are due: from a schedule, the last run and the present moment to the next run. Asks no clock.

mod cron;
mod due;

pub use cron::{CronError, CronExpr, CronField, resolve};
pub use due::{Due, Window};
