//! What can be wrong with a cron expression, in words for its author.
//!
//! This module owns the wording. It must not decide what is wrong.

use std::fmt;

use thiserror::Error;

/// One of the five fields, under the name that messages use for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CronField {
    /// The minute of the hour, the first field.
    Minute,
    /// The hour of the day, the second field.
    Hour,
    /// The day of the month, the third field.
    Day,
    /// The month of the year, the fourth field.
    Month,
    /// The day of the week, the fifth field.
    Weekday,
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Weekday => "weekday",
        })
    }
}

/// Why a cron expression was refused.
///
/// The messages are lower-case fragments, so that a caller can put the name of
/// a DAG or a file in front of them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CronError {
    /// The text is longer than any expression that is read.
    #[error("a cron expression may have at most {max} characters")]
    TooLong {
        /// The number of characters that is allowed.
        max: usize,
    },
    /// The number of fields is neither five nor six.
    #[error(
        "a cron expression has five fields (minute hour day month weekday); this one has {found}"
    )]
    FieldCount {
        /// The number of fields that was found.
        found: usize,
    },
    /// There are six fields, which elsewhere means that one holds seconds.
    #[error(
        "this cron expression has six fields, but only five are read \
         (minute hour day month weekday); take out the field for the seconds"
    )]
    SecondsField,
    /// A word that begins with `@` is not one of the presets.
    #[error("`{preset}` is not a preset; the known presets are {known}")]
    UnknownPreset {
        /// The word as it was written.
        preset: String,
        /// All presets that can be used, for the message.
        known: String,
    },
    /// A number lies outside the range of its field.
    #[error("the {field} field `{value}` is outside {range}")]
    OutOfRange {
        /// The field in which the number stands.
        field: CronField,
        /// The number as it was written.
        value: String,
        /// The range that is allowed.
        range: &'static str,
    },
    /// A part of a field is neither a number nor a name that it knows.
    #[error("the {field} field has `{value}`, which is not {expected}")]
    Unreadable {
        /// The field in which the part stands.
        field: CronField,
        /// The part as it was written.
        value: String,
        /// What could stand there instead.
        expected: &'static str,
    },
    /// Nothing stands before, between or after the commas of a list.
    #[error("the {field} field `{value}` has an empty place in its list")]
    EmptyItem {
        /// The field in which the list stands.
        field: CronField,
        /// The whole list as it was written.
        value: String,
    },
    /// The number after the slash is missing, zero or not a number.
    #[error("the {field} field `{value}` has a step that is not a number from 1 up")]
    BadStep {
        /// The field in which the step stands.
        field: CronField,
        /// The part with the step as it was written.
        value: String,
    },
    /// The number after `#` is not one that a month can have.
    #[error("the weekday field `{value}` must have a number from 1 to 5 after its #")]
    BadOccurrence {
        /// The part with the `#` as it was written.
        value: String,
    },
    /// A question mark stands where it has no meaning.
    #[error(
        "the {field} field has `?`, which may only stand alone in the day field or the weekday field"
    )]
    QuestionMark {
        /// The field in which the question mark stands.
        field: CronField,
    },
    /// The expression can be read, but no date matches it.
    #[error("`{text}` never fires: {reason}")]
    NeverFires {
        /// The normalised text of the expression.
        text: String,
        /// Why no date matches.
        reason: String,
    },
    /// The library that searches for matches refused the lists made for it,
    /// which would be a fault of this program and not of the author.
    #[error("`{text}` could not be prepared for searching: {reason}")]
    Search {
        /// The normalised text of the expression.
        text: String,
        /// What the library said.
        reason: String,
    },
}
