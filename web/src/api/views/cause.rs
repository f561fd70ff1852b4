//! Why a task is where it is.

use serde::{Deserialize, Serialize};
use tidemill_core::operator::ErrorKind;
use utoipa::ToSchema;

/// Why a task is where it is: what failed, what that means for a retry, and where else it failed like this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CauseView {
    /// What there is to say; null for what is well.
    pub cause: Option<CauseCardView>,
}

/// What there is to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CauseCardView {
    /// What it is about: `Why it failed`.
    pub title: String,
    /// What went wrong, or what it waits for.
    pub message: String,
    /// What kind of error it was: `transient`, `data`, …
    pub kind: Option<String>,
    /// What that means, one sentence each.
    pub meaning: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// What it waits for outside, or the job that it began; JSON as text.
    pub handle: Option<String>,
    /// Where there is more.
    pub links: Vec<CauseLinkView>,
}

/// Where there is more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CauseLinkView {
    /// What it is.
    pub words: String,
    /// Its address: a page of this Tidemill, or of another system.
    pub href: String,
    /// Whether it leads to another system.
    pub away: bool,
}

/// What a kind of failure means, in words.
#[must_use]
pub const fn meaning_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Transient => {
            "Transient: it may pass on its own, so it is tried again by itself."
        }
        ErrorKind::Quota => {
            "Quota: too much was asked for, so it is tried again by itself when the other side says so."
        }
        ErrorKind::Data => {
            "Data: the data is wrong, so it is not tried again by itself. Put the data right first, then retry."
        }
        ErrorKind::Permanent => {
            "Permanent: it cannot work as it is, so it is not tried again by itself. Put the cause right first, then retry."
        }
        ErrorKind::Ambiguous => {
            "Ambiguous: it is unclear whether the other side did it. The next attempt looks before it sends anything again."
        }
        ErrorKind::Lost => {
            "Lost: the worker or the remote job vanished. It is tried again without using up its retries."
        }
        ErrorKind::Cancelled => "Cancelled: somebody ended it, so it is not tried again by itself.",
        ErrorKind::Skipped => "Skipped: there was nothing to do.",
    }
}
