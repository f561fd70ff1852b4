//! Cron expressions and the moments at which they fire in a time zone.
//!
//! This module owns the whole meaning of a cron string: how its five fields
//! are read, when it fires next and when it fired last in a given time zone,
//! and what it says in plain English. It must not read a clock, keep state, or
//! know what a run or a data interval is. Callers hand in instants and get
//! instants back, so that a schedule can be replayed at will.
//!
//! # What happens when clocks change
//!
//! The rules are those of Airflow, so that a migrated schedule keeps its hours.
//!
//! * A cron whose hour field names all 24 hours follows real time. It fires at
//!   every instant whose local time matches: in a repeated hour both times, in
//!   a skipped hour not at all.
//! * Any other cron has fixed local times. Every matching local time stands for
//!   exactly one instant: a repeated local time for its second occurrence, and
//!   a skipped one for the first instant after the gap. Several local times in
//!   one gap fall on the same instant and fire once.

mod describe;
mod error;
mod fields;
mod item;
mod parse;
mod phrases;
mod search;
mod zone;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use error::{CronError, CronField};

use fields::Fields;
use search::Search;

/// The longest expression that is read, in characters.
///
/// The bound keeps the cost of a hostile expression small. The longest useful
/// ones, with every minute written out, stay well below it.
pub(super) const MAX_CHARS: usize = 200;

/// The instant at which clocks in a zone show a local time: of a repeated one the
/// second occurrence, of a skipped one the first instant after the gap.
#[must_use]
pub fn resolve(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let (zone::Placement::Once(at) | zone::Placement::Twice(_, at) | zone::Placement::Skipped(at)) =
        zone::place(zone, local.and_utc().timestamp());
    zone::to_utc(at).unwrap_or_else(|| local.and_utc())
}

/// A five-field cron expression that is known to fire.
///
/// Two expressions are equal when their normalised texts are equal. The text is
/// what an author wrote, with single spaces and one letter case, so `@daily`
/// and `0 0 * * *` are different expressions that fire at the same moments. In
/// serialised form an expression is its text, and reading it back parses it
/// again, so that no unchecked expression can enter through stored data.
#[derive(Clone)]
pub struct CronExpr {
    text: Arc<str>,
    fields: Fields,
    search: Arc<Search>,
}

impl CronExpr {
    /// Reads a cron expression or one of the presets such as `@daily`.
    ///
    /// # Errors
    ///
    /// Returns a [`CronError`] that names the field and the value when a field
    /// cannot be read, and also when the expression is well formed but can
    /// never fire. Finding out at once is better than a schedule that stays
    /// silent for ever.
    pub fn parse(expression: &str) -> Result<Self, CronError> {
        let (text, fields) = parse::read(expression)?;
        let search = Search::build(&text, &fields)?;
        Ok(Self {
            text: text.into(),
            fields,
            search: Arc::new(search),
        })
    }

    /// Returns the normalised text, which parses to an equal expression.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the first instant strictly after `after` at which this fires.
    ///
    /// The answer is `None` once the years end for which matches are searched,
    /// which is after 2100. Feeding each answer back in visits every instant at
    /// which the expression fires exactly once and in order, whatever the
    /// clocks do.
    #[must_use]
    pub fn next_after(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let after = zone::clamp(after);
        let found = if self.follows_real_time() {
            search::next_in_real_time(&self.search, zone, after)
        } else {
            search::next_at_fixed_times(&self.search, zone, after)
        };
        found.and_then(zone::to_utc)
    }

    /// Returns the last instant at or before `at` at which this fires.
    ///
    /// This is the inverse of [`CronExpr::next_after`]: both look at the same
    /// set of instants. The answer is `None` before 1970, where the search
    /// begins.
    #[must_use]
    pub fn last_at_or_before(&self, zone: Tz, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let at = zone::clamp(at);
        let found = if self.follows_real_time() {
            search::last_in_real_time(&self.search, zone, at)
        } else {
            search::last_at_fixed_times(&self.search, zone, at)
        };
        found.and_then(zone::to_utc)
    }

    /// Says in plain English when this fires, for example "every day at 03:15".
    ///
    /// The sentence speaks of local times and leaves the zone out, because an
    /// expression does not know the zone that it is used in.
    #[must_use]
    pub fn describe(&self) -> String {
        describe::sentence(&self.fields)
    }

    /// An hour field that names every hour means "at a steady pace", and such
    /// a schedule would lose or bunch up runs if it had fixed local times.
    fn follows_real_time(&self) -> bool {
        self.fields.hours.is_full()
    }
}

impl PartialEq for CronExpr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronExpr {}

impl fmt::Debug for CronExpr {
    /// Prints the text alone, because the parsed form repeats it at length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CronExpr").field(&self.text).finish()
    }
}

impl fmt::Display for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for CronExpr {
    type Err = CronError;

    fn from_str(expression: &str) -> Result<Self, Self::Err> {
        Self::parse(expression)
    }
}

impl Serialize for CronExpr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for CronExpr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
