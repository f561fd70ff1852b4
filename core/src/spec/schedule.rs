//! When a DAG runs: what authors write (`Cron::daily_at("03:15").tz("Europe/Berlin")`) and what it is as data.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::asset::{Asset, AssetExpr};
use crate::id::nearest;
use crate::span::{self, as_text};
use crate::timetable::{CronError, CronExpr};

/// What a tick means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A run covers the time between two ticks and starts at the second.
    #[default]
    Interval,
    /// A run belongs to one tick and starts at it.
    Tick,
}

impl Kind {
    /// Said only where it is not the default.
    const fn words(self) -> &'static str {
        match self {
            Self::Interval => "",
            Self::Tick => ", at each tick",
        }
    }
}

/// Recurring points in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Timing {
    /// By cron expressions; several are joined.
    Cron {
        /// The expressions.
        crons: Vec<CronExpr>,
        /// The zone whose clocks they read.
        zone: Tz,
        /// What a tick means.
        kind: Kind,
    },
    /// At a fixed distance, counted from the DAG's start.
    Every {
        /// The distance.
        #[serde(with = "as_text")]
        period: Duration,
        /// What a tick means.
        kind: Kind,
    },
    /// At these instants.
    Dates {
        /// The instants, in order, each once.
        at: BTreeSet<DateTime<Utc>>,
    },
}

/// When a DAG runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Only when somebody asks.
    #[default]
    Manual,
    /// Once, at the DAG's start.
    Once,
    /// Again as soon as the last run has ended.
    Continuous,
    /// At recurring points in time.
    Timed(Timing),
    /// When assets have changed.
    Assets(AssetExpr),
    /// When assets have changed, and at recurring points in time as well.
    AssetsOrTimed(AssetExpr, Timing),
}

impl Schedule {
    /// Its points in time, if it has any.
    #[must_use]
    pub const fn timing(&self) -> Option<&Timing> {
        match self {
            Self::Timed(timing) | Self::AssetsOrTimed(_, timing) => Some(timing),
            _ => None,
        }
    }

    /// The assets it waits for, if any.
    #[must_use]
    pub const fn assets(&self) -> Option<&AssetExpr> {
        match self {
            Self::Assets(expr) | Self::AssetsOrTimed(expr, _) => Some(expr),
            _ => None,
        }
    }

    /// The time zone of its dates; UTC where the schedule names none.
    #[must_use]
    pub const fn zone(&self) -> Tz {
        match self.timing() {
            Some(Timing::Cron { zone, .. }) => *zone,
            _ => Tz::UTC,
        }
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { crons, zone, kind } => {
                let texts: Vec<String> = crons.iter().map(CronExpr::describe).collect();
                write!(f, "{}, {zone}{}", texts.join("; "), kind.words())
            }
            Self::Every { period, kind } => {
                write!(f, "every {}{}", span::text(*period), kind.words())
            }
            Self::Dates { at } => {
                let first: Vec<String> = at
                    .iter()
                    .take(3)
                    .map(|at| at.format("%Y-%m-%d %H:%M").to_string())
                    .collect();
                let more = if at.len() > 3 {
                    format!(" and {} more dates", at.len() - 3)
                } else {
                    String::new()
                };
                write!(f, "on {}{more}", first.join(", "))
            }
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manual => f.write_str("only by hand"),
            Self::Once => f.write_str("once"),
            Self::Continuous => f.write_str("continuously"),
            Self::Timed(timing) => timing.fmt(f),
            Self::Assets(expr) => write!(f, "when {expr} changed"),
            Self::AssetsOrTimed(expr, timing) => write!(f, "{timing}, and when {expr} changed"),
        }
    }
}

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A cron expression is malformed or never fires.
    #[error("{0}")]
    Cron(#[from] CronError),
    /// A time zone that does not exist.
    #[error("there is no time zone `{name}`{}", .nearest.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Zone {
        /// What was written.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A time of day that does not exist.
    #[error("`{0}` is no time of day; write it like 03:15")]
    TimeOfDay(String),
    /// A date that does not exist.
    #[error("`{0}` is no date; write it like 2025-01-31 or 2025-01-31T06:00:00Z")]
    Date(String),
    /// A date outside the years that schedules know.
    #[error("`{0}` lies outside the years 1970 to 2100")]
    Year(String),
    /// A fixed distance of nothing.
    #[error("a period must be at least one second")]
    Period,
    /// No expression, no date.
    #[error("the schedule is empty and would never fire")]
    Empty,
    /// Something that is no timetable stands where one is needed.
    #[error(
        "`.or(…)` takes a timetable such as `Cron::daily()`; assets are joined with `AssetExpr::any`"
    )]
    NoTimetable,
}

/// Reads the name of a time zone.
///
/// # Errors
/// Names the zone that was probably meant.
pub fn parse_zone(name: &str) -> Result<Tz, ScheduleError> {
    name.parse().map_err(|_| ScheduleError::Zone {
        name: name.to_owned(),
        nearest: nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()))
            .map(str::to_owned),
    })
}

/// What can be given to `dag.schedule(…)`.
pub trait IntoSchedule {
    /// The schedule as data.
    ///
    /// # Errors
    /// Says what is wrong with it.
    fn into_schedule(self) -> Result<Schedule, ScheduleError>;
}

/// Cron expressions in a time zone.
#[derive(Debug, Clone)]
#[must_use]
pub struct Cron {
    texts: Vec<String>,
    zone: String,
    kind: Kind,
}

impl Cron {
    /// Five fields, or a preset such as `@daily`; in UTC unless a zone is given.
    pub fn new(expression: impl Into<String>) -> Self {
        Self::any([expression])
    }

    /// Several expressions: the DAG runs when any of them fires.
    pub fn any<T: Into<String>>(expressions: impl IntoIterator<Item = T>) -> Self {
        let texts = expressions.into_iter().map(Into::into).collect();
        Self {
            texts,
            zone: "UTC".to_owned(),
            kind: Kind::Interval,
        }
    }

    /// At minute 0 of every hour.
    pub fn hourly() -> Self {
        Self::new("@hourly")
    }

    /// At midnight.
    pub fn daily() -> Self {
        Self::new("@daily")
    }

    /// Every day at this time, written `03:15`.
    pub fn daily_at(time: &str) -> Self {
        match NaiveTime::parse_from_str(time, "%H:%M") {
            Ok(time) => Self::new(time.format("%-M %-H * * *").to_string()),
            // Kept as it is: `into_schedule` names it.
            Err(_) => Self::new(format!("at {time}")),
        }
    }

    /// The zone whose clocks the expressions read, such as `Europe/Berlin`.
    pub fn tz(mut self, zone: impl Into<String>) -> Self {
        self.zone = zone.into();
        self
    }

    /// A run belongs to the tick it starts at, instead of covering the time since the tick before.
    pub fn ticks(mut self) -> Self {
        self.kind = Kind::Tick;
        self
    }

    fn timing(self) -> Result<Timing, ScheduleError> {
        let zone = parse_zone(&self.zone)?;
        let parse = |text: &String| match text.strip_prefix("at ") {
            Some(time) => Err(ScheduleError::TimeOfDay(time.to_owned())),
            None => CronExpr::parse(text).map_err(ScheduleError::Cron),
        };
        let crons: Vec<CronExpr> = self.texts.iter().map(parse).collect::<Result<_, _>>()?;
        if crons.is_empty() {
            Err(ScheduleError::Empty)
        } else {
            Ok(Timing::Cron {
                crons,
                zone,
                kind: self.kind,
            })
        }
    }
}

/// A fixed distance between runs, counted from the DAG's start.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Every {
    period: Duration,
    kind: Kind,
}

impl Every {
    /// This far apart.
    pub const fn new(period: Duration) -> Self {
        Self {
            period,
            kind: Kind::Interval,
        }
    }

    /// So many minutes apart.
    pub const fn minutes(count: u64) -> Self {
        Self::new(span::minutes(count))
    }

    /// A run belongs to the tick it starts at, instead of covering the time since the tick before.
    pub const fn ticks(mut self) -> Self {
        self.kind = Kind::Tick;
        self
    }
}

/// Explicit dates.
#[derive(Debug, Clone)]
#[must_use]
pub struct At(Vec<String>);

impl At {
    /// At these instants: `2025-01-31T06:00:00Z`, or a date for its midnight in UTC.
    pub fn dates<T: Into<String>>(dates: impl IntoIterator<Item = T>) -> Self {
        Self(dates.into_iter().map(Into::into).collect())
    }
}

/// Reads `2025-01-31T06:00:00Z`, or `2025-01-31` as midnight in the zone.
///
/// # Errors
/// Shows how dates are written.
pub fn parse_date(text: &str, zone: Tz) -> Result<DateTime<Utc>, ScheduleError> {
    let at = match DateTime::parse_from_rfc3339(text) {
        Ok(at) => at.with_timezone(&Utc),
        Err(_) => {
            let date: NaiveDate = text
                .parse()
                .map_err(|_| ScheduleError::Date(text.to_owned()))?;
            crate::timetable::resolve(zone, date.and_time(NaiveTime::MIN))
        }
    };
    if (1969..=2100).contains(&at.year()) {
        Ok(at)
    } else {
        Err(ScheduleError::Year(text.to_owned()))
    }
}

impl IntoSchedule for Schedule {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        Ok(self)
    }
}

impl IntoSchedule for Cron {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        self.timing().map(Schedule::Timed)
    }
}

impl IntoSchedule for &str {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        match self {
            "@once" => Ok(Schedule::Once),
            "@continuous" => Ok(Schedule::Continuous),
            cron => Cron::new(cron).into_schedule(),
        }
    }
}

impl IntoSchedule for Every {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        if self.period < Duration::from_secs(1) {
            return Err(ScheduleError::Period);
        }
        Ok(Schedule::Timed(Timing::Every {
            period: self.period,
            kind: self.kind,
        }))
    }
}

impl IntoSchedule for At {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        let at: BTreeSet<_> = self
            .0
            .iter()
            .map(|text| parse_date(text, Tz::UTC))
            .collect::<Result<_, _>>()?;
        if at.is_empty() {
            Err(ScheduleError::Empty)
        } else {
            Ok(Schedule::Timed(Timing::Dates { at }))
        }
    }
}

impl IntoSchedule for AssetExpr {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        if self.assets().is_empty() {
            Err(ScheduleError::Empty)
        } else {
            Ok(Schedule::Assets(self))
        }
    }
}

impl IntoSchedule for &Asset {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        Ok(Schedule::Assets(self.into()))
    }
}

impl<T: IntoSchedule> IntoSchedule for (AssetExpr, T) {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        match self.1.into_schedule()? {
            Schedule::Timed(timing) => Ok(Schedule::AssetsOrTimed(self.0, timing)),
            _ => Err(ScheduleError::NoTimetable),
        }
    }
}

impl AssetExpr {
    /// Runs when the assets changed, and at these times as well.
    #[must_use]
    pub fn or<T: IntoSchedule>(self, timing: T) -> impl IntoSchedule {
        (self, timing)
    }
}
