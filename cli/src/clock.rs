//! The one place where this process asks what time it is.

use chrono::{DateTime, Utc};

/// What time it is.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge of the process; everything inside is given the time"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
