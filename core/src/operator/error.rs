//! How tasks fail. The kind decides everything that follows: whether it is tried again, what the alert says, what the
//! page offers.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::span::as_optional_text;
use crate::spec::is_default;
use crate::state::word_enum;

word_enum! {
    /// What kind of failure it was.
    ErrorKind {
        /// It may pass on its own: a 503, a reset connection. Tried again.
        Transient = "transient",
        /// Too much was asked for. Tried again when the other side says so.
        Quota = "quota",
        /// The data is wrong: a failed check, a schema clash. Not tried again.
        Data = "data",
        /// It cannot work as it is: a missing permission, a bad request. Not tried again.
        Permanent = "permanent",
        /// It is unclear whether the other side did it. Looked up before anything is sent again.
        Ambiguous = "ambiguous",
        /// The remote job or the worker vanished. Tried again without using up the author's retries.
        Lost = "lost",
        /// Somebody cancelled it. Not tried again.
        Cancelled = "cancelled",
        /// It is no failure at all: there was nothing to do, and what follows is skipped.
        Skipped = "skipped",
    }
}

impl ErrorKind {
    /// Whether another attempt can help.
    #[must_use]
    pub const fn is_retried(self) -> bool {
        matches!(
            self,
            Self::Transient | Self::Quota | Self::Ambiguous | Self::Lost
        )
    }
}

/// Why a task failed.
///
/// `?` turns any error into a transient one, because that is the kind that is tried again; [`OrFail`] says it better
/// where the author knows better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// What happened, for people, causes and all.
    pub message: String,
    /// What to do about it, if that is known.
    #[serde(default, skip_serializing_if = "is_default")]
    pub help: String,
    /// When to try again at the earliest, if the other side said.
    #[serde(default, with = "as_optional_text", skip_serializing_if = "is_default")]
    pub retry_after: Option<Duration>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),+ $(,)?) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(message: impl Into<String>) -> Self {
            Self { kind: ErrorKind::$kind, message: message.into(), help: String::new(), retry_after: None }
        })+
    };
}

impl TaskError {
    constructors! {
        /// It may pass on its own.
        transient => Transient,
        /// The data is wrong.
        data => Data,
        /// It cannot work as it is.
        permanent => Permanent,
        /// It is unclear whether the other side did it.
        ambiguous => Ambiguous,
        /// The remote job vanished.
        lost => Lost,
        /// Somebody cancelled it.
        cancelled => Cancelled,
        /// There is nothing to do: `return Err(TaskError::skip("no rows"))` ends the task as skipped, and nobody is
        /// told.
        skip => Skipped,
    }

    /// Too much was asked for; the other side may have said when to come back.
    #[must_use]
    pub fn quota(message: impl Into<String>, retry_after: Option<Duration>) -> Self {
        Self {
            kind: ErrorKind::Quota,
            message: message.into(),
            help: String::new(),
            retry_after,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// What was being done, put before the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    fn of(kind: ErrorKind, error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Many libraries print their cause themselves.
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        Self {
            kind,
            message,
            help: String::new(),
            retry_after: None,
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.kind)
    }
}

/// Any error is transient until somebody says otherwise. (`TaskError` is itself no `Error`, or this could not be.)
impl<E: Error + Send + Sync + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self::of(ErrorKind::Transient, &error)
    }
}

/// Says what kind of failure an error is.
///
/// ```
/// use tidemill_core::prelude::*;
/// fn parse(text: &str) -> TaskResult<i64> {
///     text.parse::<i64>().or_data("read the amount")
/// }
/// let error = parse("many").unwrap_err();
/// assert_eq!(error.kind, ErrorKind::Data);
/// assert_eq!(error.message, "read the amount: invalid digit found in string");
/// ```
pub trait OrFail<T>: Sized {
    /// As this kind of failure; `doing` says what was being done.
    ///
    /// # Errors
    /// The error, with its kind.
    fn or_fail(self, kind: ErrorKind, doing: impl fmt::Display) -> TaskResult<T>;

    /// It may pass on its own.
    ///
    /// # Errors
    /// The error, as transient.
    fn or_transient(self, doing: impl fmt::Display) -> TaskResult<T> {
        self.or_fail(ErrorKind::Transient, doing)
    }

    /// The data is wrong.
    ///
    /// # Errors
    /// The error, as one of data.
    fn or_data(self, doing: impl fmt::Display) -> TaskResult<T> {
        self.or_fail(ErrorKind::Data, doing)
    }

    /// It cannot work as it is.
    ///
    /// # Errors
    /// The error, as permanent.
    fn or_permanent(self, doing: impl fmt::Display) -> TaskResult<T> {
        self.or_fail(ErrorKind::Permanent, doing)
    }
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrFail<T> for Result<T, E> {
    fn or_fail(self, kind: ErrorKind, doing: impl fmt::Display) -> TaskResult<T> {
        self.map_err(|error| TaskError::of(kind, &*error.into()).context(doing))
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_fail(self, kind: ErrorKind, doing: impl fmt::Display) -> TaskResult<T> {
        let nothing = || TaskError {
            kind,
            message: format!("{doing}: there is none"),
            help: String::new(),
            retry_after: None,
        };
        self.ok_or_else(nothing)
    }
}

use super::TaskResult;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_mark_makes_a_transient_error_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("open the file")]
        struct Outer(#[source] std::num::ParseIntError);

        let cause = "x".parse::<i32>().unwrap_err();
        let error = TaskError::from(Outer(cause));
        assert_eq!(error.kind, ErrorKind::Transient);
        assert_eq!(
            error.message,
            "open the file: invalid digit found in string"
        );
    }

    #[test]
    fn only_failures_that_can_pass_are_retried() {
        let retried: Vec<_> = ErrorKind::ALL
            .iter()
            .filter(|kind| kind.is_retried())
            .map(|kind| kind.word())
            .collect();
        assert_eq!(retried, ["transient", "quota", "ambiguous", "lost"]);
    }
}
