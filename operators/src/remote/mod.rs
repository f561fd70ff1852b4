//! What jobs of all other systems have in common: a request that is data, how a job of ours is known again, and how
//! patiently one that cannot be found is looked for.
//!
//! A job bears the key of its launch and a print of its request, in labels or in its name. Whoever looks for it takes it
//! over only if both are right: what bears our key and was made of another request is an error, never adopted.

mod body;
mod gone;
mod log;
mod site;
mod stamp;

use std::time::Duration;

pub(crate) use body::Body;
pub(crate) use gone::look;
pub(crate) use log::tell;
pub(crate) use site::{Place, Site, site_settings};
pub(crate) use stamp::{Stamp, label, print, short_hash};

/// How often a job is looked at if nothing is said.
pub(crate) const EVERY: Duration = Duration::from_secs(30);
