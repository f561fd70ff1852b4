//! Who is told when something goes wrong.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::state::word_enum;
use std::fmt;
use std::str::FromStr;

word_enum! {
    /// What an alert tells about.
    Moment {
        /// A task failed after its last attempt, or the run failed.
        Failure = "failure",
        /// An attempt failed and another follows.
        Retry = "retry",
        /// It ended well.
        Success = "success",
        /// It is not done although its deadline has passed.
        Deadline = "deadline",
    }
}

word_enum! {
    /// How loud an alert is.
    Severity {
        /// For the record.
        Info = "info",
        /// Somebody should look today.
        Warning = "warning",
        /// Somebody is woken up.
        Critical = "critical",
    }
}

/// Where an alert goes: a route that the deployment maps to a channel (Slack, PagerDuty, e-mail …).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// The route's name.
    pub route: String,
    /// How loud it is.
    #[serde(default = "critical", skip_serializing_if = "is_critical")]
    pub severity: Severity,
    /// A line of the author's own for whoever is woken up, such as a link to the runbook.
    #[serde(default, skip_serializing_if = "is_default")]
    pub note: String,
}

const fn critical() -> Severity {
    Severity::Critical
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over like this"
)]
fn is_critical(severity: &Severity) -> bool {
    *severity == Severity::Critical
}

impl Alert {
    /// An alert to this route.
    #[must_use]
    pub fn to(route: impl Into<String>) -> Self {
        Self {
            route: route.into(),
            severity: Severity::Critical,
            note: String::new(),
        }
    }

    /// As loud as this; critical if nothing is said.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// A line for whoever is woken up, such as a link to the runbook.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// An alert and the moment it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// When.
    pub on: Moment,
    /// To whom.
    pub alert: Alert,
}
