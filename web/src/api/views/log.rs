//! Logs of attempts.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidemill_core::operator::Level;
use tidemill_core::time::Timestamp;
use tidemill_logs::{Found, Line, Numbered, Page};
use utoipa::ToSchema;

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogLineView {
    /// Its number, from 1.
    pub number: u64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How much it matters: `debug`, `info`, `warn`, `error`.
    #[schema(value_type = String)]
    pub level: Level,
    /// The text.
    pub text: String,
    /// Where it comes from, such as `stdout`; null for what the task itself said.
    pub source: Option<String>,
    /// Fields that a reader can pick out.
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
}

impl From<Numbered> for LogLineView {
    fn from(Numbered { number, line }: Numbered) -> Self {
        Self {
            number,
            at: line.at,
            level: line.level,
            text: line.text,
            source: line.source,
            fields: line.fields,
        }
    }
}

impl From<LogLineView> for Numbered {
    fn from(view: LogLineView) -> Self {
        Self {
            number: view.number,
            line: Line {
                at: view.at,
                level: view.level,
                text: view.text,
                source: view.source,
                fields: view.fields,
            },
        }
    }
}

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogView {
    /// The number of the attempt within its task.
    pub attempt: u32,
    /// The lines.
    pub lines: Vec<LogLineView>,
    /// The position of the first of them among the lines of the wanted level, from 0.
    pub from: u64,
    /// How many lines of the wanted level there are.
    pub total: u64,
    /// How many lines of any level there are.
    pub total_of_all: u64,
    /// The number of the first line that is an error.
    pub first_error: Option<u64>,
    /// Whether the attempt is over.
    pub finished: bool,
}

impl LogView {
    /// A page of the log of this attempt.
    pub(crate) fn of(attempt: u32, page: Page) -> Self {
        Self {
            attempt,
            lines: page.lines.into_iter().map(Into::into).collect(),
            from: page.from,
            total: page.total,
            total_of_all: page.total_of_all,
            first_error: page.first_error,
            finished: page.finished,
        }
    }

    /// As the scheduler gives it.
    #[must_use]
    pub fn page(self) -> Page {
        Page {
            lines: self.lines.into_iter().map(Into::into).collect(),
            from: self.from,
            total: self.total,
            total_of_all: self.total_of_all,
            first_error: self.first_error,
            finished: self.finished,
        }
    }
}

/// The lines that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundView {
    /// The lines.
    pub lines: Vec<LogLineView>,
    /// The `after` with which the search goes on; null if it is at its end.
    pub next: Option<u64>,
}

impl From<Found> for FoundView {
    fn from(found: Found) -> Self {
        Self {
            lines: found.lines.into_iter().map(Into::into).collect(),
            next: found.next,
        }
    }
}
