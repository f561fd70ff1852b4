//! Real processes under real faults: a [`plant`] whose tasks leave traces, a [`fleet`] of schedulers, workers and a
//! PostgreSQL that can be killed, paused and started again, an [`audit`] of what they left, and [`cycles`] of random faults.

pub mod audit;
pub mod cycles;
pub mod fault;
pub mod fleet;
pub mod http;
pub mod plant;
pub mod process;
pub mod witness;

/// What the wall's clock shows.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the edge: the harness compares with what real processes wrote down"
)]
pub fn wall() -> tidemill_core::time::Timestamp {
    chrono::Utc::now().into()
}
